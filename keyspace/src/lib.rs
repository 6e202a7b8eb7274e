//! Data types and commands: synchronous and deterministic.
//!
//! Invariants: no clock, no randomness, no I/O, no async and no iteration in hash order. The same
//! entries applied in the same order give the same state and the same replies on every replica.
//!
//! Leaves out: who owns a slot, replication, sessions, sockets.

mod access;
mod argument;
pub mod command;
pub mod entry;
mod expiry;
mod generic;
pub mod glob;
mod keyspace;
mod number;
pub mod slot;
mod string;
mod value;
mod words;

pub use access::{Found, Place, Ttl, Txn, View};
pub use command::{Args, Command, Run, Spec, lookup};
pub use keyspace::{Call, Clock, Corrupt, Keyspace, Observer, Pin, UnitId};
pub use value::{EMBSTR_BYTES_MAX, Kind, StringValue, WrongType};
