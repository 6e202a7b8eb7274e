//! Commands on streams: a log of entries that only grows at its end, and consumer groups that read
//! it together.
//!
//! [`id`] is what entries are named by; [`node`] holds neighbours, [`log`] all of them; [`group`] is
//! a group and its consumers, [`pending`] what they have yet to acknowledge.
//!
//! Leaves out: waiting. XREAD and XREADGROUP attempt, and whoever asked attempts again.

mod add;
mod codec;
mod group;
mod id;
mod log;
mod node;
mod pending;
mod range;
mod read;
#[cfg(test)]
mod tests;
mod trim;

pub(crate) use self::group::{Delivery, Group, Groups, Progress, Times};
pub(crate) use self::id::Id;
pub(crate) use self::log::{Counters, Log};
use crate::command::Command;
use crate::object::{Data, Object};
use crate::value::Kind;
use crate::wire::{Fault, WireReader};

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    add::XADD,
    range::XLEN,
    range::XRANGE,
    range::XREVRANGE,
    trim::XDEL,
    trim::XTRIM,
    read::XREAD,
    add::XSETID,
];

/// Entries and the groups that read them. A stream without any stays: its last id is of use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) log: Log,
    pub(crate) groups: Groups,
}

impl Stream {
    /// Changes a group, which may look at the entries meanwhile.
    fn edit_group<R>(
        &mut self,
        name: &[u8],
        edit: impl FnOnce(&mut Group, &Log) -> R,
    ) -> Option<R> {
        let log = &self.log;
        self.groups.edit(name, |group| edit(group, log))
    }
}

impl Data for Stream {
    const KIND: Kind = Kind::Stream;

    fn of(object: &Object) -> Option<&Stream> {
        match object {
            Object::Stream(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Stream> {
        match object {
            Object::Stream(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Stream(Box::new(self))
    }

    fn encoding(&self) -> &'static str {
        "stream"
    }

    fn heap_bytes(&self) -> usize {
        size_of::<Stream>() + self.log.heap_bytes() + self.groups.heap_bytes()
    }

    fn is_empty(&self) -> bool {
        false
    }

    fn encode(&self, out: &mut Vec<u8>) {
        codec::encode(self, out);
    }

    fn decode(reader: &mut WireReader<'_>) -> Result<Stream, Fault> {
        codec::decode(reader)
    }
}

/// The standard library's trees have room for so many entries in a node, of which ascending
/// insertion leaves seven in use.
const TREE_NODE_ROOM: usize = 11;
const TREE_NODE_USED: usize = 7;

/// About the bytes of a tree's nodes on the heap.
fn tree_bytes<K, V>(len: usize) -> usize {
    let leaf_bytes = TREE_NODE_ROOM * (size_of::<K>() + size_of::<V>()) + 2 * size_of::<usize>();
    let inner_bytes = leaf_bytes + (TREE_NODE_ROOM + 1) * size_of::<usize>();
    let leaves = len.div_ceil(TREE_NODE_USED);
    leaves * leaf_bytes + leaves.saturating_sub(1).div_ceil(TREE_NODE_USED) * inner_bytes
}
