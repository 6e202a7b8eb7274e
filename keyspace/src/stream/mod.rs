//! Commands on streams: a log of entries that only grows at its end, and consumer groups that read
//! it together.
//!
//! [`id`] is what entries are named by; [`node`] holds neighbours, [`log`] all of them; [`group`] is
//! a group and its consumers, [`pending`] what they have yet to acknowledge.
//!
//! Leaves out: waiting. XREAD and XREADGROUP attempt, and whoever asked attempts again.

mod ack;
mod add;
mod claim;
mod codec;
mod group;
mod groups;
mod id;
mod info;
mod log;
mod node;
mod pending;
mod range;
mod read;
mod read_group;
#[cfg(test)]
mod tests;
mod trim;

use std::borrow::Cow;

use resp::Reply;

pub(crate) use self::group::{Delivery, Group, Groups, Progress, Times};
pub(crate) use self::id::Id;
pub(crate) use self::log::{Counters, Log};
use crate::command::{Args, Command};
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
    read_group::XREADGROUP,
    groups::XGROUP,
    ack::XACK,
    ack::XPENDING,
    claim::XCLAIM,
    claim::XAUTOCLAIM,
    info::XINFO,
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

/// What XACK's like answer where there is no key, or no such group of it.
fn no_key_or_group(key: &[u8], group: &[u8]) -> Reply<'static> {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    Reply::Error(Cow::Owned(format!("NOGROUP No such key '{key}' or consumer group '{group}'")))
}

/// What XGROUP and XINFO answer where there is no such group of a key that is there.
fn no_group(key: &[u8], group: &[u8]) -> Reply<'static> {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    let text = format!("NOGROUP No such consumer group '{group}' for key name '{key}'");
    Reply::Error(Cow::Owned(text))
}

/// What a subcommand answers whose arguments are not those of its form.
fn bad_subcommand(args: Args<'_>) -> Reply<'static> {
    let command = String::from_utf8_lossy(args[0]).to_uppercase();
    let subcommand = String::from_utf8_lossy(args[1]);
    Reply::Error(Cow::Owned(format!(
        "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. \
         Try {command} HELP."
    )))
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
