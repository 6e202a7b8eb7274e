//! The slots, their locks, and the ways in: read, write, pin, restore.

use std::sync::Arc;

use resp::Reply;

use crate::command::{Args, Command};

/// One command to run in one database.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its row.
    pub command: &'static Command,
    /// Its arguments, the name first; arity and keys already checked.
    pub args: Args<'a>,
    /// The database, 0..16; always 0 in a cluster.
    pub db: u8,
}

/// What an entry knows of time and chance.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Unix time in milliseconds, by the leader's clock; never runs backwards once applied.
    pub now_ms: u64,
    /// Seed of every random choice that the command makes.
    pub seed: u64,
}

/// Hears, during a write and under the slot's lock, of every key whose value or TTL changed or
/// that was deleted: WATCH, later notifications and blocked clients. Must be quick.
pub trait Observer {
    /// `key` of database `db` in `slot` was changed.
    fn touched(&mut self, db: u8, slot: u16, key: &[u8]);
}

/// A part of the state that is checkpointed on its own: one slot of one database, or the
/// keyspace's own few facts (the last entry's time, the database map).
pub type UnitId = u32;

/// The data of one shard: 16 databases of 16,384 slots, each slot with its own table and lock.
pub struct Keyspace {}

/// The whole state at one log index, read unit by unit while writes go on (copy-on-write).
/// Dropping it ends the copying.
pub struct Pin {}

impl Pin {
    /// Identifies the pinned moment; passed to [`Keyspace::pin`] once its units are stored.
    pub fn epoch(&self) -> u64 {
        todo!("epoch")
    }

    /// The next unit's bytes (versioned; the store adds checksums); empty bytes: the unit is
    /// empty. `None`: all were given. Takes one slot's lock at a time, for that slot only.
    pub fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
        todo!("next_unit")
    }
}

/// A unit's bytes that do not decode; the text says where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unit {unit}: {what}")]
pub struct Corrupt {
    /// The unit.
    pub unit: UnitId,
    /// What is wrong.
    pub what: String,
}

impl Keyspace {
    /// An empty keyspace with `databases` databases (16 standalone, 1 in a cluster); a database's
    /// slots are allocated when first written.
    pub fn new(databases: u8) -> Keyspace {
        let _ = databases;
        todo!("new")
    }

    /// Runs reads atomically: all their slots are locked, in order, before the first runs; `reply`
    /// is called once per call, before the locks are released. Keys expired by
    /// `max(now_ms, the last entry's)` are hidden.
    pub fn read(&self, calls: &[Call<'_>], now_ms: u64, reply: &mut dyn FnMut(Reply<'_>)) {
        let _ = (calls, now_ms, reply);
        todo!("read")
    }

    /// Runs commands, reads among them, as one atomic write; one thread at a time, in log order.
    pub fn write(
        &self,
        calls: &[Call<'_>],
        clock: Clock,
        observer: &mut dyn Observer,
        reply: &mut dyn FnMut(Reply<'_>),
    ) {
        let _ = (calls, clock, observer, reply);
        todo!("write")
    }

    /// Pins the state between two entries. `since`: only units changed after that pin's epoch.
    pub fn pin(self: &Arc<Self>, since: Option<u64>) -> Pin {
        let _ = since;
        todo!("pin")
    }

    /// Puts a unit's state in place of what is there.
    pub fn load_unit(&self, unit: UnitId, bytes: &[u8]) -> Result<(), Corrupt> {
        let _ = (unit, bytes);
        todo!("load_unit")
    }

    /// Empties every database, before a snapshot is loaded.
    pub fn clear(&self) {
        todo!("clear")
    }

    /// A digest of one slot's keys, values and TTLs, the same on every replica whatever the
    /// tables' history; 0 for an empty slot.
    pub fn digest(&self, db: u8, slot: u16) -> u64 {
        let _ = (db, slot);
        todo!("digest")
    }

    /// Up to `limit` keys whose time is over, for the leader's expiry cycle, from slot `cursor`
    /// on; returns where to go on. Visits only slots that can have one.
    pub fn expired(
        &self,
        now_ms: u64,
        cursor: u32,
        limit: usize,
        found: &mut dyn FnMut(u8, &[u8]),
    ) -> u32 {
        let _ = (now_ms, cursor, limit, found);
        todo!("expired")
    }

    /// Keys in one database, expired ones not yet deleted included (DBSIZE).
    pub fn len(&self, db: u8) -> usize {
        let _ = db;
        todo!("len")
    }

    /// Keys with a TTL in one database.
    pub fn volatile_len(&self, db: u8) -> usize {
        let _ = db;
        todo!("volatile_len")
    }

    /// Keys in one slot of database 0 (CLUSTER COUNTKEYSINSLOT).
    pub fn slot_len(&self, slot: u16) -> usize {
        let _ = slot;
        todo!("slot_len")
    }

    /// Up to `count` keys of one slot of database 0 (CLUSTER GETKEYSINSLOT).
    pub fn slot_keys(&self, slot: u16, count: usize) -> Vec<Vec<u8>> {
        let _ = (slot, count);
        todo!("slot_keys")
    }

    /// The last applied entry's time, in Unix milliseconds.
    pub fn last_now_ms(&self) -> u64 {
        todo!("last_now_ms")
    }
}
