//! A node of a stream: up to some hundred neighbouring entries in one listpack, in Redis' format
//! to the byte, so that DUMP copies it.
//!
//! | elements | of |
//! |---|---|
//! | entries that are there, entries that were deleted, number of names, the names, `0` | the node |
//! | flags, milliseconds, sequence, (number of names), values or names and values, length | each entry |
//!
//! An entry's id is its distance from the node's, which is its first entry's. An entry with the
//! node's names, in their order, does not repeat them. The length is the number of the entry's
//! elements before it, for walking backwards. A deleted entry is only flagged.
//!
//! Invariants: ids ascend, those of deleted entries included; the node's two counts are right.

use super::id::Id;
use crate::listpack::{self, Listpack, Position};
use crate::value::StringValue;
use crate::wire::Fault;

const DELETED: i64 = 1;
const SAME_NAMES: i64 = 2;

/// Redis never lets a node grow beyond 1 GiB, whatever its settings say.
const NODE_BYTES_MAX: usize = 1 << 30;

/// A field's name and value.
pub(super) type Field<'a> = [&'a [u8]; 2];

/// When a node is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeLimits {
    /// Bytes; 0: only the largest there can be.
    pub(super) bytes: usize,
    /// Entries, deleted ones included; 0: as many as fit.
    pub(super) entries: usize,
}

impl NodeLimits {
    /// Whether an entry can be stored at all.
    pub(super) fn can_store(fields: &[Field<'_>]) -> bool {
        text_bytes(fields) <= NODE_BYTES_MAX
    }
}

fn text_bytes(fields: &[Field<'_>]) -> usize {
    fields.as_flattened().iter().map(|text| text.len()).sum()
}

/// Neighbouring entries.
#[derive(Clone, Debug)]
pub(crate) struct Node(Listpack);

/// An entry, deleted or not.
#[derive(Clone)]
pub(super) struct Entry<'n> {
    pub(super) id: Id,
    pub(super) is_deleted: bool,
    flags: i64,
    flags_at: Position,
    fields: usize,
    /// The node's names, if they are the entry's too.
    names: Option<listpack::Iter<'n>>,
    body: listpack::Iter<'n>,
}

impl<'n> Entry<'n> {
    /// Number of its fields.
    pub(super) fn len(&self) -> usize {
        self.fields
    }

    /// Its names and values.
    pub(super) fn fields(
        &self,
    ) -> impl Iterator<Item = (StringValue<'n>, StringValue<'n>)> + use<'n> {
        let (mut names, mut body) = (self.names.clone(), self.body.clone());
        (0..self.fields).map_while(move |_| {
            let name = match &mut names {
                Some(names) => names.next()?,
                None => body.next()?,
            };
            Some((name, body.next()?))
        })
    }
}

/// What stands before the entries.
#[derive(Clone)]
struct Header<'n> {
    live: u64,
    deleted: u64,
    fields: usize,
    names: listpack::Iter<'n>,
    entries: listpack::Iter<'n>,
}

impl<'n> Header<'n> {
    /// `None` if it is none.
    fn read(mut elements: listpack::Iter<'n>) -> Option<Header<'n>> {
        let (live, deleted) = (count(&mut elements)?, count(&mut elements)?);
        let fields = usize::try_from(count(&mut elements)?).ok()?;
        let names = elements.clone();
        skip(&mut elements, fields)?;
        let is_closed = integer(&mut elements)? == 0;
        is_closed.then_some(Header { live, deleted, fields, names, entries: elements })
    }

    /// The next entry; `None` if it is none.
    fn entry(&self, elements: &mut listpack::Iter<'n>, first: Id) -> Option<Entry<'n>> {
        let flags_at = elements.next_position();
        let flags = integer(elements)?;
        let distance = (integer(elements)?, integer(elements)?);
        let has_names = flags & SAME_NAMES == 0;
        let fields = match has_names {
            true => usize::try_from(integer(elements)?).ok()?,
            false => self.fields,
        };
        let body = elements.clone();
        skip(elements, if has_names { fields.checked_mul(2)? } else { fields })?;
        let length = 3 + if has_names { 1 + fields * 2 } else { fields };
        let is_closed = usize::try_from(integer(elements)?) == Ok(length);
        is_closed.then(|| Entry {
            id: first.at_distance(distance),
            is_deleted: flags & DELETED != 0,
            flags,
            flags_at,
            fields,
            names: (!has_names).then(|| self.names.clone()),
            body,
        })
    }
}

fn integer(elements: &mut listpack::Iter<'_>) -> Option<i64> {
    match elements.next()? {
        StringValue::Int(number) => Some(number),
        StringValue::Bytes(_) => None,
    }
}

fn count(elements: &mut listpack::Iter<'_>) -> Option<u64> {
    u64::try_from(integer(elements)?).ok()
}

fn skip(elements: &mut listpack::Iter<'_>, count: usize) -> Option<()> {
    match count {
        0 => Some(()),
        _ => elements.nth(count - 1).map(|_| ()),
    }
}

const CHECKED: &str = "a node is checked before it is believed";

/// Reading; `first` is always the node's own id.
impl Node {
    /// Believes a listpack to be a node, if it keeps the invariants.
    pub(super) fn from_listpack(first: Id, listpack: Listpack) -> Result<Node, Fault> {
        const BROKEN: Fault = "a stream's broken node";
        let header = Header::read(listpack.iter()).ok_or(BROKEN)?;
        let mut elements = header.entries.clone();
        let (mut live, mut deleted, mut least) = (0, 0, Some(first));
        while elements.clone().next().is_some() {
            let entry = header.entry(&mut elements, first).ok_or(BROKEN)?;
            if entry.flags & !(DELETED | SAME_NAMES) != 0 {
                return Err("a stream's entry with unknown flags");
            }
            if least.is_none_or(|least| entry.id < least) {
                return Err("a stream's entries out of order");
            }
            least = entry.id.next();
            *(if entry.is_deleted { &mut deleted } else { &mut live }) += 1;
        }
        if live + deleted == 0 || (live, deleted) != (header.live, header.deleted) {
            return Err("a stream's node with another number of entries than it says");
        }
        Ok(Node(listpack))
    }

    /// As DUMP has it.
    pub(crate) fn listpack(&self) -> &Listpack {
        &self.0
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Entries that are there, and those that were deleted.
    pub(super) fn counts(&self) -> (u64, u64) {
        let mut elements = self.0.iter();
        let mut next = || count(&mut elements).expect(CHECKED);
        (next(), next())
    }

    /// All entries, deleted ones too.
    pub(super) fn entries(&self, first: Id) -> impl Iterator<Item = Entry<'_>> + use<'_> {
        let header = self.header();
        let mut elements = header.entries.clone();
        std::iter::from_fn(move || header.entry(&mut elements, first))
    }

    /// The same from the last to the first.
    pub(super) fn entries_back(&self, first: Id) -> impl Iterator<Item = Entry<'_>> + use<'_> {
        let header = self.header();
        let mut end = self.0.last();
        std::iter::from_fn(move || {
            let start = self.start_of_entry(end?)?;
            end = self.0.prev(start);
            header.entry(&mut self.0.iter_from(start), first)
        })
    }

    /// The last entry's id, whether it is deleted or not.
    pub(super) fn last_id(&self, first: Id) -> Id {
        self.entries_back(first).next().expect(CHECKED).id
    }

    fn header(&self) -> Header<'_> {
        Header::read(self.0.iter()).expect(CHECKED)
    }

    /// Where the entry whose length is at `end` starts; `None` if that ends the node's header.
    fn start_of_entry(&self, end: Position) -> Option<Position> {
        let StringValue::Int(length @ 1..) = self.0.at(end) else { return None };
        let mut start = end;
        for _ in 0..length {
            start = self.0.prev(start).expect(CHECKED);
        }
        Some(start)
    }
}

/// Changing.
impl Node {
    /// With one entry, whose id is the node's.
    pub(super) fn new(fields: &[Field<'_>]) -> Node {
        let mut listpack = Listpack::new();
        listpack.push_back(0);
        listpack.push_back(0);
        listpack.push_back(fields.len() as i64);
        for [name, _] in fields {
            listpack.push_back(name);
        }
        listpack.push_back(0);
        let mut node = Node(listpack);
        node.push((0, 0), fields);
        node
    }

    /// Whether an entry of these fields may still be added.
    pub(super) fn has_room(&self, fields: &[Field<'_>], limits: NodeLimits) -> bool {
        let bytes_max = match limits.bytes {
            0 => NODE_BYTES_MAX,
            bytes => bytes.min(NODE_BYTES_MAX),
        };
        let (live, deleted) = self.counts();
        self.0.bytes() + text_bytes(fields) < bytes_max
            && (limits.entries == 0 || live + deleted < limits.entries as u64)
    }

    /// Gives back the room to grow.
    pub(super) fn close(&mut self) {
        self.0.shrink_to_fit();
    }

    /// Adds an entry at a distance from the node's id; it is greater than all others.
    pub(super) fn push(&mut self, (ms, seq): (i64, i64), fields: &[Field<'_>]) {
        let header = self.header();
        let is_same = |([name, _], known): (&Field<'_>, _)| StringValue::encode(name) == known;
        let same = fields.len() == header.fields && fields.iter().zip(header.names).all(is_same);
        self.set_counts(header.live + 1, header.deleted);

        let listpack = &mut self.0;
        for number in [if same { SAME_NAMES } else { 0 }, ms, seq] {
            listpack.push_back(number);
        }
        if same {
            for [_, value] in fields {
                listpack.push_back(value);
            }
            listpack.push_back(3 + fields.len() as i64);
        } else {
            listpack.push_back(fields.len() as i64);
            for text in fields.as_flattened() {
                listpack.push_back(text);
            }
            listpack.push_back(4 + 2 * fields.len() as i64);
        }
    }

    /// Flags the entry as deleted; whether it was there.
    pub(super) fn delete(&mut self, first: Id, id: Id) -> bool {
        let found = self.entries(first).find(|entry| entry.id >= id);
        let found = found.filter(|entry| entry.id == id && !entry.is_deleted);
        let Some((flags_at, flags)) = found.map(|entry| (entry.flags_at, entry.flags)) else {
            return false;
        };
        self.flag(&[(flags_at, flags)]);
        true
    }

    /// Flags entries as deleted, from the first on as long as `is_condemned` says so; how many.
    pub(super) fn delete_while(
        &mut self,
        first: Id,
        mut is_condemned: impl FnMut(Id) -> bool,
    ) -> u64 {
        let live = self.entries(first).filter(|entry| !entry.is_deleted);
        let condemned: Vec<(Position, i64)> = live
            .take_while(|entry| is_condemned(entry.id))
            .map(|entry| (entry.flags_at, entry.flags))
            .collect();
        self.flag(&condemned);
        condemned.len() as u64
    }

    /// Forgets deleted entries at the end that are not before `id`, which is going to be the next;
    /// whether any entry is left. They are only there when XSETID has turned time back.
    pub(super) fn forget_from(&mut self, first: Id, id: Id) -> bool {
        loop {
            let Some(last) = self.entries_back(first).next() else { return false };
            if last.id < id {
                return true;
            }
            assert!(last.is_deleted, "no entry is behind the stream's last id");
            let start = last.flags_at;
            let (live, deleted) = self.counts();
            self.0.remove_run(start, usize::MAX);
            self.set_counts(live, deleted - 1);
        }
    }

    /// Flags entries by where their flags are; these keep their length.
    fn flag(&mut self, condemned: &[(Position, i64)]) {
        for (flags_at, flags) in condemned {
            self.0.replace(*flags_at, flags | DELETED);
        }
        let (live, deleted) = self.counts();
        let count = condemned.len() as u64;
        self.set_counts(live - count, deleted + count);
    }

    fn set_counts(&mut self, live: u64, deleted: u64) {
        let first = self.0.first().expect(CHECKED);
        self.0.replace(first, live as i64);
        let second = self.0.next(first).expect(CHECKED);
        self.0.replace(second, deleted as i64);
    }
}
