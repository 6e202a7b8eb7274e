//! Commands on HyperLogLogs: PFADD, PFCOUNT, PFMERGE, PFDEBUG.
//!
//! A HyperLogLog is a string with Redis' layout byte for byte, so that values move between the two:
//! a header, then 16,384 registers of 6 bits, packed (`dense`) or as runs (`sparse`). Whatever an
//! element hashes to, Redis agrees on (`hash`), and on what registers mean (`estimate`).
//!
//! Strings come from anywhere (SET, RESTORE): nothing in them is believed beyond what was checked.
//!
//! Leaves out: PFSELFTEST, which would keep a shard busy for seconds; our tests do the same.

mod add;
mod count;
mod debug;
mod dense;
mod estimate;
mod hash;
mod merge;
mod sketch;
mod sparse;

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] =
    &[add::PFADD, count::PFCOUNT, debug::PFDEBUG, merge::PFMERGE];
