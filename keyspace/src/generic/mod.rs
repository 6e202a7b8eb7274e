//! Commands on keys of any type, and on whole databases.
//!
//! Leaves out: times (the expiry family), SORT, and everything that carries a value elsewhere
//! (DUMP, RESTORE, MIGRATE).

mod database;
mod keys;
mod memory;
mod object;
mod scan;
mod transfer;

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    transfer::COPY,
    database::DBSIZE,
    keys::DEL,
    keys::EXISTS,
    database::FLUSHALL,
    database::FLUSHDB,
    scan::KEYS,
    memory::MEMORY,
    transfer::MOVE,
    object::OBJECT,
    scan::RANDOMKEY,
    transfer::RENAME,
    transfer::RENAMENX,
    scan::SCAN,
    database::SWAPDB,
    keys::TOUCH,
    keys::TYPE,
    keys::UNLINK,
];
