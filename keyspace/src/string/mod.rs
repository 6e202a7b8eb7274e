//! The string family: GET, SET, counters, ranges, and the longest common subsequence.
//!
//! Leaves out: bitmaps, which are strings too but a family of their own.

mod counter;
mod expiration;
mod get;
mod lcs;
mod many;
mod range;
mod set;

use resp::Reply;

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    range::APPEND,
    counter::DECR,
    counter::DECRBY,
    get::GET,
    get::GETDEL,
    get::GETEX,
    range::GETRANGE,
    set::GETSET,
    counter::INCR,
    counter::INCRBY,
    counter::INCRBYFLOAT,
    lcs::LCS,
    many::MGET,
    many::MSET,
    many::MSETNX,
    set::PSETEX,
    set::SET,
    set::SETEX,
    set::SETNX,
    range::SETRANGE,
    get::STRLEN,
    range::SUBSTR,
];

/// The longest string: Redis' default `proto-max-bulk-len`.
pub(crate) const STRING_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Refuses a string that would grow past the limit.
fn check_length(bytes: u64, more: usize) -> Result<(), Reply<'static>> {
    if bytes.saturating_add(more as u64) > STRING_BYTES_MAX {
        return Err(Reply::error("ERR string exceeds maximum allowed size (proto-max-bulk-len)"));
    }
    Ok(())
}
