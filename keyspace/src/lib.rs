//! Data types and commands: synchronous and deterministic.
//!
//! Invariants: no clock, no randomness, no I/O, no async and no iteration in hash order. The same
//! entries applied in the same order give the same state and the same replies on every replica.
//!
//! Leaves out: who owns a slot, replication, sessions, sockets.

mod access;
mod access_data;
mod argument;
pub mod command;
mod database;
pub mod entry;
mod expired;
mod expiry;
mod generic;
pub mod glob;
mod hash;
mod internal;
mod keyspace;
mod locks;
mod number;
mod object;
mod packed;
mod pin;
mod scan;
pub mod slot;
mod slot_data;
mod string;
mod table;
mod txn;
mod unit;
mod value;
mod wire;
mod words;

pub use access::{Found, Place, Txn, View};
pub use command::{Args, Command, Run, Spec, lookup};
pub use keyspace::{Call, Clock, Corrupt, Keyspace, Observer, UnitId};
pub use pin::Pin;
pub use value::{EMBSTR_BYTES_MAX, Kind, StringValue, Ttl, WrongType};
