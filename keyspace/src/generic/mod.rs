//! Commands on keys of any type, and on whole databases.
//!
//! Leaves out: times (the expiry family), and MIGRATE.

mod database;
mod dump;
mod keys;
mod memory;
mod object;
mod scan;
mod sort;
mod transfer;

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    transfer::COPY,
    database::DBSIZE,
    keys::DEL,
    dump::DUMP,
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
    dump::RESTORE,
    scan::SCAN,
    sort::SORT,
    sort::SORT_RO,
    database::SWAPDB,
    keys::TOUCH,
    keys::TYPE,
    keys::UNLINK,
];
