//! The set family: SADD and SREM, SPOP and SRANDMEMBER, SINTER, SUNION and SDIFF.

mod algebra;
mod change;
mod data;
mod intset;
mod look;
mod random;

use crate::command::Command;
pub(crate) use data::Set;
pub(crate) use intset::Intset;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    change::SADD,
    look::SCARD,
    algebra::SDIFF,
    algebra::SDIFFSTORE,
    algebra::SINTER,
    algebra::SINTERCARD,
    algebra::SINTERSTORE,
    look::SISMEMBER,
    look::SMEMBERS,
    look::SMISMEMBER,
    change::SMOVE,
    random::SPOP,
    random::SRANDMEMBER,
    change::SREM,
    look::SSCAN,
    algebra::SUNION,
    algebra::SUNIONSTORE,
];
