//! The expiry family: when keys' time is over.
//!
//! A time that is over deletes its key within the command itself; later deletions come from the
//! leader, as entries. Until then the keyspace hides such keys.

mod look;
mod set;

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    set::EXPIRE,
    set::EXPIREAT,
    look::EXPIRETIME,
    set::PERSIST,
    set::PEXPIRE,
    set::PEXPIREAT,
    look::PEXPIRETIME,
    look::PTTL,
    look::TTL,
];
