//! Lists: commands on both ends, on places, and on values; some may wait for an element.
//!
//! `collection` is the value, a listpack or a `quicklist` of `node`s. LEFT is the head.

mod change;
mod collection;
mod element;
mod look;
mod node;
mod pack;
mod pop;
mod pop_many;
mod push;
mod quicklist;
#[cfg(test)]
mod tests;
mod transfer;

use crate::access::Txn;
use crate::command::{Arg, ArgKind, Command};

pub(crate) use collection::{List, ListBuilder};
pub(crate) use node::NodeLimit;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    transfer::BLMOVE,
    pop_many::BLMPOP,
    pop::BLPOP,
    pop::BRPOP,
    transfer::BRPOPLPUSH,
    look::LINDEX,
    change::LINSERT,
    look::LLEN,
    transfer::LMOVE,
    pop_many::LMPOP,
    pop::LPOP,
    look::LPOS,
    push::LPUSH,
    push::LPUSHX,
    look::LRANGE,
    change::LREM,
    change::LSET,
    change::LTRIM,
    pop::RPOP,
    transfer::RPOPLPUSH,
    push::RPUSH,
    push::RPUSHX,
];

const KEY: Arg = Arg::key("key");
const ELEMENT: Arg = Arg::new("element", ArgKind::String);
const TIMEOUT: Arg = Arg::new("timeout", ArgKind::Double);

/// An end, as an argument.
const fn end(name: &'static str) -> Arg {
    const ENDS: &[Arg] = &[Arg::keyword("left", "LEFT"), Arg::keyword("right", "RIGHT")];
    Arg::new(name, ArgKind::OneOf(ENDS))
}

/// How large listpacks may become now.
fn node_limit(txn: &Txn<'_>) -> NodeLimit {
    NodeLimit::of(&txn.limits())
}
