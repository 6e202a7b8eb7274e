//! The value: a listpack while it is small, else a quicklist.

use super::element::{End, Taken, Wanted};
use super::node::{Elements, NodeLimit};
use super::pack;
use super::quicklist::{self, Quicklist};
use crate::listpack::Listpack;
use crate::object::{Data, Object};
use crate::value::{Kind, StringValue};
use crate::wire::{Fault, WireReader, put_string};

/// A list.
#[derive(Clone, Debug)]
pub(crate) enum List {
    /// Within `list-max-listpack-size` when it was last added to.
    Small(Listpack),
    /// Any size.
    Quick(Box<Quicklist>),
}

/// Encodings as they are encoded.
const SMALL: u8 = 0;
const QUICK: u8 = 1;

/// Reading.
impl List {
    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        match self {
            List::Small(pack) => pack.len(),
            List::Quick(list) => list.len(),
        }
    }

    /// The element with so many before it.
    pub(super) fn get(&self, index: usize) -> Option<StringValue<'_>> {
        match self {
            List::Small(pack) => pack.seek(index).map(|pos| pack.at(pos)),
            List::Quick(list) => list.get(index),
        }
    }

    /// All elements, from both ends.
    pub(crate) fn iter(&self) -> Iter<'_> {
        match self {
            List::Small(pack) => Iter::Small(Elements::Packed(pack.iter())),
            List::Quick(list) => Iter::Quick(list.iter()),
        }
    }

    /// The nodes as DUMP has them: whether each is a single large element, and its bytes, else its
    /// listpack's.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (bool, &[u8])> {
        let (pack, list) = match self {
            List::Small(pack) => (Some(pack), None),
            List::Quick(list) => (None, Some(list)),
        };
        let small = pack.map(|pack| (false, pack.as_bytes()));
        small.into_iter().chain(list.into_iter().flat_map(|list| list.nodes()))
    }

    /// The elements from the one with `index` before it on.
    pub(crate) fn iter_from(&self, index: usize) -> Iter<'_> {
        match self {
            List::Small(pack) => Iter::Small(Elements::from(pack, index)),
            List::Quick(list) => Iter::Quick(list.iter_from(index)),
        }
    }
}

/// Changing.
impl List {
    /// Becomes a quicklist if these elements, about to be added, would be too many for a listpack.
    pub(super) fn make_room(&mut self, values: &[&[u8]], limit: NodeLimit) {
        if let List::Small(pack) = self
            && !limit.allows_more(pack, values)
        {
            let pack = std::mem::replace(pack, Listpack::new());
            *self = List::Quick(Box::new(Quicklist::new(pack)));
        }
    }

    /// Becomes a listpack again if elements that were taken out left little enough.
    pub(super) fn shrink(&mut self, limit: NodeLimit) {
        self.unpack_within(limit.halved());
    }

    /// Adds an element at an end; after [`List::make_room`].
    pub(super) fn push(&mut self, end: End, value: &[u8], limit: NodeLimit) {
        match self {
            List::Small(pack) => pack::push(pack, end, value),
            List::Quick(list) => list.push(end, value, limit),
        }
    }

    /// Takes the element at an end out.
    pub(super) fn pop(&mut self, end: End) -> Option<Taken> {
        match self {
            List::Small(pack) => pack::pop(pack, end),
            List::Quick(list) => list.pop(end),
        }
    }

    /// Takes so many elements at an end out, or all there are.
    pub(super) fn remove_at_end(&mut self, end: End, count: usize) {
        match self {
            List::Small(pack) => {
                let first = if end == End::Left { 0 } else { pack.len().saturating_sub(count) };
                pack.remove_range(first, count);
            }
            List::Quick(list) => list.remove_at_end(end, count),
        }
    }

    /// Puts an element in the place of another; whether there was one. After [`List::make_room`].
    pub(super) fn set(&mut self, index: usize, value: &[u8], limit: NodeLimit) -> bool {
        match self {
            List::Small(pack) => pack::replace(pack, index, value),
            List::Quick(list) => list.set(index, value, limit),
        }
    }

    /// Adds an element with `index` others before it; after [`List::make_room`].
    pub(super) fn insert(&mut self, index: usize, value: &[u8], limit: NodeLimit) {
        match self {
            List::Small(pack) => pack::insert(pack, index, value),
            List::Quick(list) => list.insert(index, value, limit),
        }
    }

    /// Takes out elements that are equal to one, at most so many, beginning at an end; how many.
    pub(super) fn remove_equal(
        &mut self,
        wanted: Wanted<'_>,
        count_max: usize,
        from: End,
        limit: NodeLimit,
    ) -> usize {
        match self {
            List::Small(pack) => pack::remove_equal(pack, wanted, count_max, from),
            List::Quick(list) => list.remove_equal(wanted, count_max, from, limit),
        }
    }

    fn unpack_within(&mut self, limit: NodeLimit) {
        if let List::Quick(list) = self
            && let Some(pack) = list.take_pack(limit)
        {
            *self = List::Small(pack);
        }
    }
}

/// A list that is built anew, element by element: as small in the end as the limit allows.
pub(crate) struct ListBuilder {
    list: Quicklist,
    limit: NodeLimit,
}

impl ListBuilder {
    /// Nothing yet.
    pub(crate) fn new(limit: NodeLimit) -> ListBuilder {
        ListBuilder { list: Quicklist::new(Listpack::new()), limit }
    }

    /// Adds an element behind the last.
    pub(crate) fn push(&mut self, value: &[u8]) {
        self.list.push(End::Right, value, self.limit);
    }

    /// The list; `None` if it has no elements.
    pub(crate) fn finish(self) -> Option<List> {
        let mut list = List::Quick(Box::new(self.list));
        list.unpack_within(self.limit);
        (!list.is_empty()).then_some(list)
    }
}

impl Default for List {
    fn default() -> List {
        List::Small(Listpack::new())
    }
}

impl Data for List {
    const KIND: Kind = Kind::List;

    fn of(object: &Object) -> Option<&List> {
        match object {
            Object::List(list) => Some(list),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut List> {
        match object {
            Object::List(list) => Some(list),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::List(self)
    }

    fn encoding(&self) -> &'static str {
        match self {
            List::Small(_) => "listpack",
            List::Quick(_) => "quicklist",
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            List::Small(pack) => pack.heap_bytes(),
            List::Quick(list) => list.heap_bytes(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            List::Small(pack) => pack.is_empty(),
            List::Quick(list) => list.len() == 0,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            List::Small(pack) => {
                out.push(SMALL);
                put_string(out, pack.as_bytes());
            }
            List::Quick(list) => {
                out.push(QUICK);
                list.encode(out);
            }
        }
    }

    fn decode(reader: &mut WireReader<'_>) -> Result<List, Fault> {
        match reader.byte()? {
            SMALL => {
                let pack = Listpack::from_bytes(reader.string()?)?;
                if pack.is_empty() { Err("a list without elements") } else { Ok(List::Small(pack)) }
            }
            QUICK => Ok(List::Quick(Box::new(Quicklist::decode(reader)?))),
            _ => Err("a list of an unknown encoding"),
        }
    }
}

/// A list's elements, from both ends.
#[derive(Clone)]
pub(crate) enum Iter<'l> {
    Small(Elements<'l>),
    Quick(quicklist::Iter<'l>),
}

impl<'l> Iterator for Iter<'l> {
    type Item = StringValue<'l>;

    fn next(&mut self) -> Option<StringValue<'l>> {
        match self {
            Iter::Small(elements) => elements.next(),
            Iter::Quick(elements) => elements.next(),
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Small(elements) => elements.next_back(),
            Iter::Quick(elements) => elements.next_back(),
        }
    }
}
