//! Data types and commands: synchronous and deterministic.
//!
//! Invariants: no clock, no randomness, no I/O, no async. The same entries applied in the same order
//! give the same state and the same replies on every replica; so where keys are walked in the order
//! of their hashes (SCAN, KEYS, RANDOMKEY), the hash's seed is replicated too, and the order does
//! not depend on what the tables went through.
//!
//! From the outside in: [`command`] holds the table of commands, whose rows stand beside their
//! handlers in a folder for each family: `string`, `list`, `generic`, `expiry` and so on. Handlers
//! see [`View`] and [`Txn`]; `object` says what a collection is. `keyspace` lets
//! them in, `locks` decides what is locked, `slot_data` is what a lock protects, `table` its keys,
//! `packed` one key with its value. `pin` and `unit` take the state out and put it back; `rdb` does
//! so with one value, in Redis' format (DUMP, RESTORE).
//!
//! Leaves out: who owns a slot, replication, sessions, sockets.

mod access;
mod access_data;
mod adopt;
mod argument;
mod bitmap;
pub mod command;
mod database;
mod discard;
mod draw;
pub mod entry;
mod expired;
mod expiry;
mod generic;
mod geo;
pub mod glob;
mod hash;
mod hashing;
mod hyperloglog;
mod internal;
mod keyspace;
pub mod limits;
mod list;
mod listpack;
mod locks;
mod members;
mod number;
mod object;
mod packed;
mod pin;
mod rdb;
mod replay;
mod scan;
mod scan_options;
mod set;
pub mod slot;
mod slot_data;
mod stream;
mod string;
mod table;
mod timeout;
mod txn;
mod unit;
mod value;
mod wire;
mod words;
mod zset;

pub use access::{Found, Place, Txn, View};
pub use command::{Args, Block, Command, Run, Spec, lookup};
pub use discard::Discarded;
pub use keyspace::{Call, Clock, Corrupt, Keyspace, Observer, UnitId};
pub use pin::Pin;
pub use replay::BadRecord;
pub use value::{EMBSTR_BYTES_MAX, Kind, StringValue, Ttl, WrongType};
