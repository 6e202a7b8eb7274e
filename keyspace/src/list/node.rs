//! A quicklist's node: a listpack of elements, or one element too large for any.

use super::element::{End, Taken, Wanted};
use super::pack;
use crate::limits::{Limit, Limits};
use crate::listpack::{self, Listpack};
use crate::value::StringValue;
use crate::wire::{Fault, WireReader, put_string};

/// How large a listpack of a list may become (`list-max-listpack-size`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeLimit {
    bytes: usize,
    /// `usize::MAX` where only bytes count.
    elements: usize,
}

/// The bytes that the settings -1 to -5 allow, as in Redis.
const BYTES_BY_LEVEL: [usize; 5] = [4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10];

/// The bytes allowed where the setting counts elements, so that none is moved too far.
const BYTES_SAFE: usize = 8 << 10;

/// What an element may add beside its own bytes, as Redis estimates it.
const OVERHEAD_BYTES: usize = 8;

/// What a listpack takes without elements: two of them save it when they become one.
const EMPTY_BYTES: usize = 7;

/// The least that any element takes in a listpack.
const ELEMENT_BYTES_MIN: usize = 2;

impl NodeLimit {
    /// The limit in force.
    pub(crate) fn of(limits: &Limits) -> NodeLimit {
        match limits.get(Limit::ListSize) {
            count @ 0.. => {
                let elements = usize::try_from(count).unwrap_or(usize::MAX).max(1);
                NodeLimit { bytes: BYTES_SAFE, elements }
            }
            level => {
                let level = level.unsigned_abs().min(BYTES_BY_LEVEL.len() as u64) as usize;
                NodeLimit { bytes: BYTES_BY_LEVEL[level - 1], elements: usize::MAX }
            }
        }
    }

    /// What a list must have shrunk to before it is a single listpack again, so that it does not
    /// change back and forth with every element.
    pub(super) fn halved(self) -> NodeLimit {
        let NodeLimit { bytes, elements } = self;
        match elements {
            usize::MAX => NodeLimit { bytes: bytes / 2, elements },
            _ => NodeLimit { bytes, elements: elements / 2 },
        }
    }

    /// Whether a listpack may be as large.
    pub(super) fn allows(self, bytes: usize, elements: usize) -> bool {
        bytes <= self.bytes && elements <= self.elements
    }

    /// Whether a listpack may take these elements too. As Redis does, this counts their own bytes;
    /// and beyond it the least that so many of them take, since a million empty strings are not
    /// nothing.
    pub(super) fn allows_more(self, pack: &Listpack, values: &[&[u8]]) -> bool {
        let bytes = values.iter().map(|value| value.len()).sum::<usize>();
        let more = bytes.max(values.len().saturating_mul(ELEMENT_BYTES_MIN));
        self.allows(pack.bytes().saturating_add(more), pack.len() + values.len())
    }

    /// Whether an element is too large for every listpack.
    fn excludes(self, value: &[u8]) -> bool {
        value.len() > self.bytes
    }
}

/// One or more elements of a list.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Beside the content, so that to count past many nodes does not touch their memory.
    len: u32,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Packed(Listpack),
    /// A single element.
    Plain(Box<[u8]>),
}

/// Kinds of nodes as they are encoded.
const PACKED: u8 = 0;
const PLAIN: u8 = 1;

/// Reading.
impl Node {
    /// A node of one element.
    pub(super) fn of(value: &[u8], limit: NodeLimit) -> Node {
        if limit.excludes(value) {
            return Node { len: 1, content: Content::Plain(value.into()) };
        }
        let mut pack = Listpack::new();
        pack.push_back(value);
        Node::packed(pack)
    }

    /// A node of a listpack's elements.
    pub(super) fn packed(pack: Listpack) -> Node {
        let mut node = Node { len: 0, content: Content::Packed(pack) };
        node.count();
        node
    }

    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is none; no node of a list is left so.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        match &self.content {
            Content::Packed(pack) => pack.heap_bytes(),
            Content::Plain(bytes) => bytes.len(),
        }
    }

    /// Whether it is a single large element, and its bytes, else its listpack's.
    pub(super) fn stored(&self) -> (bool, &[u8]) {
        match &self.content {
            Content::Packed(pack) => (false, pack.as_bytes()),
            Content::Plain(bytes) => (true, bytes),
        }
    }

    /// Whether one more element fits.
    pub(super) fn admits(&self, value: &[u8], limit: NodeLimit) -> bool {
        match &self.content {
            Content::Packed(pack) => {
                let bytes = pack.bytes() + OVERHEAD_BYTES + value.len();
                limit.allows(bytes, self.len() + 1)
            }
            Content::Plain(_) => false,
        }
    }

    /// Whether this node and the next could be one.
    pub(super) fn may_join(&self, next: &Node, limit: NodeLimit) -> bool {
        match (&self.content, &next.content) {
            (Content::Packed(pack), Content::Packed(other)) => {
                let bytes = pack.bytes() + other.bytes() - EMPTY_BYTES;
                limit.allows(bytes, self.len() + next.len())
            }
            _ => false,
        }
    }

    /// The element with so many before it in the node.
    pub(super) fn get(&self, index: usize) -> Option<StringValue<'_>> {
        match &self.content {
            Content::Packed(pack) => pack.seek(index).map(|pos| pack.at(pos)),
            Content::Plain(bytes) => (index == 0).then_some(StringValue::Bytes(bytes)),
        }
    }

    /// All elements.
    pub(super) fn iter(&self) -> Elements<'_> {
        match &self.content {
            Content::Packed(pack) => Elements::Packed(pack.iter()),
            Content::Plain(bytes) => Elements::Plain(Some(bytes)),
        }
    }

    /// The elements from the one at `index` on.
    pub(super) fn iter_from(&self, index: usize) -> Elements<'_> {
        match &self.content {
            Content::Packed(pack) => Elements::from(pack, index),
            Content::Plain(bytes) => Elements::Plain((index == 0).then_some(bytes)),
        }
    }

    /// Appends its bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (kind, bytes) = match &self.content {
            Content::Packed(pack) => (PACKED, pack.as_bytes()),
            Content::Plain(bytes) => (PLAIN, &bytes[..]),
        };
        out.push(kind);
        put_string(out, bytes);
    }

    /// Reads what was encoded.
    pub(super) fn decode(reader: &mut WireReader<'_>) -> Result<Node, Fault> {
        let (kind, bytes) = (reader.byte()?, reader.string()?);
        match kind {
            PACKED => {
                let node = Node::packed(Listpack::from_bytes(bytes)?);
                if node.is_empty() { Err("a list's empty node") } else { Ok(node) }
            }
            PLAIN => Ok(Node { len: 1, content: Content::Plain(bytes.into()) }),
            _ => Err("a list's node of an unknown kind"),
        }
    }
}

/// Changing. Only what a listpack can do is asked of one; see [`Node::admits`].
impl Node {
    /// Adds an element at an end.
    pub(super) fn push(&mut self, end: End, value: &[u8]) {
        pack::push(self.pack_mut(), end, value);
        self.len += 1;
    }

    /// Takes the element at an end out.
    pub(super) fn pop(&mut self, end: End) -> Option<Taken> {
        let taken = match &mut self.content {
            Content::Packed(pack) => pack::pop(pack, end),
            Content::Plain(bytes) => {
                (self.len > 0).then(|| Taken::Bytes(std::mem::take(bytes).into_vec()))
            }
        };
        self.len -= u32::from(taken.is_some());
        taken
    }

    /// Adds an element with `index` others before it.
    pub(super) fn insert(&mut self, index: usize, value: &[u8]) {
        pack::insert(self.pack_mut(), index, value);
        self.len += 1;
    }

    /// Puts an element in the place of another if the node has room for it; whether it has.
    pub(super) fn replace(&mut self, index: usize, value: &[u8], limit: NodeLimit) -> bool {
        let Some(before) = self.get(index).map(|value| value.len()) else { return false };
        match &mut self.content {
            Content::Packed(pack) => {
                // An integer's text may be longer than all the bytes it takes here.
                let bytes = (pack.bytes() + value.len() + OVERHEAD_BYTES).saturating_sub(before);
                let fits = value.len() <= before || limit.allows(bytes, self.len as usize);
                fits && pack::replace(pack, index, value)
            }
            Content::Plain(bytes) => {
                let fits = limit.excludes(value);
                if fits {
                    *bytes = value.into();
                }
                fits
            }
        }
    }

    /// Takes out the elements from the one at `index` on, so many or all there are.
    pub(super) fn remove_range(&mut self, index: usize, count: usize) {
        match &mut self.content {
            Content::Packed(pack) => {
                pack.remove_range(index, count);
                self.count();
            }
            Content::Plain(_) => self.len -= u32::from(index == 0 && count > 0),
        }
    }

    /// Takes out elements that are equal to one; how many.
    pub(super) fn remove_equal(
        &mut self,
        wanted: Wanted<'_>,
        count_max: usize,
        from: End,
    ) -> usize {
        let removed = match &mut self.content {
            Content::Packed(pack) => pack::remove_equal(pack, wanted, count_max, from),
            Content::Plain(bytes) => {
                usize::from(count_max > 0 && wanted.is(StringValue::Bytes(bytes)))
            }
        };
        self.len -= removed as u32;
        removed
    }

    /// Takes the elements from the one at `index` on out, into another node.
    pub(super) fn split_off(&mut self, index: usize) -> Node {
        if index == 0 {
            let empty = Node::packed(Listpack::new());
            return std::mem::replace(self, empty);
        }
        match &mut self.content {
            Content::Packed(pack) => {
                let behind = Node::packed(pack.split_off(index));
                self.count();
                behind
            }
            Content::Plain(_) => Node::packed(Listpack::new()),
        }
    }

    /// Adds the elements of the next node, which [may join](Node::may_join).
    pub(super) fn append(&mut self, next: &Node) {
        if let Content::Packed(pack) = &next.content {
            self.pack_mut().append(pack);
            self.len += next.len;
        }
    }

    /// Gives its listpack up if that is within the limit.
    pub(super) fn take_pack(&mut self, limit: NodeLimit) -> Option<Listpack> {
        match &mut self.content {
            Content::Packed(pack) if limit.allows(pack.bytes(), self.len as usize) => {
                self.len = 0;
                Some(std::mem::replace(pack, Listpack::new()))
            }
            _ => None,
        }
    }

    fn pack_mut(&mut self) -> &mut Listpack {
        match &mut self.content {
            Content::Packed(pack) => pack,
            Content::Plain(_) => unreachable!("callers ask whether there is room"),
        }
    }

    fn count(&mut self) {
        if let Content::Packed(pack) = &self.content {
            self.len = u32::try_from(pack.len()).expect("each takes two bytes of at most 1 GiB");
        }
    }
}

/// A node's elements, from both ends.
#[derive(Clone)]
pub(crate) enum Elements<'l> {
    Packed(listpack::Iter<'l>),
    Plain(Option<&'l [u8]>),
}

impl<'l> Elements<'l> {
    /// The elements of a listpack from the one at `index` on.
    pub(super) fn from(pack: &'l Listpack, index: usize) -> Elements<'l> {
        match pack.seek(index) {
            Some(pos) => Elements::Packed(pack.iter_from(pos)),
            None => Elements::Plain(None),
        }
    }
}

impl<'l> Iterator for Elements<'l> {
    type Item = StringValue<'l>;

    fn next(&mut self) -> Option<StringValue<'l>> {
        match self {
            Elements::Packed(elements) => elements.next(),
            Elements::Plain(element) => element.take().map(StringValue::Bytes),
        }
    }
}

impl DoubleEndedIterator for Elements<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Elements::Packed(elements) => elements.next_back(),
            Elements::Plain(element) => element.take().map(StringValue::Bytes),
        }
    }
}
