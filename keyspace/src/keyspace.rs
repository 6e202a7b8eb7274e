//! The keyspace: databases of slots, and the ways in: read, write, pin, restore.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use resp::Reply;

use crate::access::{Found, Place, Txn, View};
use crate::command::{Args, Command, Run};
use crate::database::Database;
use crate::discard::{Discarded, Discards};
use crate::expired::Visited;
use crate::hashing::{hash, next_random};
use crate::limits::{Limits, SharedLimits};
use crate::locks::{Held, Locks, Unit};
use crate::pin::{Pin, Pins};
use crate::replay;
use crate::slot::slot_of;
use crate::slot_data::{Hashed, SlotData};
use crate::table;
use crate::unit::{self, Meta};
use crate::value::Kind;
use crate::wire::Fault;

/// One command to run in one database.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its row.
    pub command: &'static Command,
    /// Its arguments, the name first; arity and keys already checked.
    pub args: Args<'a>,
    /// The database, below the keyspace's number of them; always 0 in a cluster.
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

/// The unit of the keyspace's own facts; the slots' follow.
const META_UNIT: UnitId = 0;

/// A unit's bytes that do not decode; the text says where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unit {unit}: {what}")]
pub struct Corrupt {
    /// The unit.
    pub unit: UnitId,
    /// What is wrong.
    pub what: String,
}

/// The data of one shard: 16 databases of 16,384 slots, each slot with its own table and lock.
///
/// Lock order: the writer, then slots in ascending order of units; a slot's lock is never held
/// while the writer's is waited for.
pub struct Keyspace {
    /// As they are stored; SWAPDB exchanges entries of the map and leaves these alone.
    databases: Box<[Database]>,
    /// For each database where it is stored; changed under every lock, with `map_version`.
    map: Box<[AtomicU8]>,
    map_version: AtomicU64,
    last_now_ms: AtomicU64,
    /// The key of the tables' hashes. Drawn from the first entry's seed: the same on every
    /// replica, so that SCAN's cursors hold across leaders, and unknown to clients.
    hash_seed: AtomicU64,
    lfu: AtomicBool,
    /// Part of the replicated state.
    limits: SharedLimits,
    discards: Discards,
    visited: Visited,
    /// Counts reads that asked for random numbers; their seeds.
    random_reads: AtomicU64,
    writer: Mutex<Writer>,
}

/// What only the one writer needs.
pub(crate) struct Writer {
    pub(crate) pins: Pins,
    /// The last entry's seed, and where its random numbers have got to.
    entry_seed: u64,
    pub(crate) random: u64,
}

impl Writer {
    /// Several writes of one entry go on drawing where the one before stopped.
    fn enter(&mut self, clock: Clock) {
        if self.entry_seed != clock.seed {
            (self.entry_seed, self.random) = (clock.seed, clock.seed);
        }
    }
}

const STARTS_WITH_ONE: &str = "a write starts with one";

impl Keyspace {
    /// An empty keyspace with `databases` databases (16 standalone, 1 in a cluster); a database's
    /// slots are allocated when first written.
    pub fn new(databases: u8) -> Keyspace {
        assert!(databases > 0, "database 0 always exists");
        Keyspace {
            databases: std::iter::repeat_with(Database::new).take(databases.into()).collect(),
            map: (0..databases).map(AtomicU8::new).collect(),
            map_version: AtomicU64::new(0),
            last_now_ms: AtomicU64::new(0),
            hash_seed: AtomicU64::new(0),
            lfu: AtomicBool::new(false),
            limits: SharedLimits::new(),
            discards: Discards::default(),
            visited: Visited::default(),
            random_reads: AtomicU64::new(0),
            writer: Mutex::new(Writer { pins: Pins::new(), entry_seed: 0, random: 0 }),
        }
    }

    /// Runs reads atomically: all their slots are locked, in order, before the first runs; `reply`
    /// is called once per call, before the locks are released. Keys expired by
    /// `max(now_ms, the last entry's)` are hidden.
    pub fn read(&self, calls: &[Call<'_>], now_ms: u64, reply: &mut dyn FnMut(Reply<'_>)) {
        let locks = Locks::take(self, calls);
        let mut view = View::new(self, locks, now_ms.max(self.last_now_ms()), None);
        for call in calls {
            view.enter(call.db);
            match call.command.run.attempt() {
                Run::Read(run) => reply(run(&view, call.args)),
                Run::Write(_) => panic!("{} was called as a read", call.command.spec.name),
                Run::Container(_) | Run::Block(_) => reply(NO_SUBCOMMAND),
            }
        }
    }

    /// Runs commands, reads among them, as one atomic write; one thread at a time, in log order.
    pub fn write(
        &self,
        calls: &[Call<'_>],
        clock: Clock,
        observer: &mut dyn Observer,
        reply: &mut dyn FnMut(Reply<'_>),
    ) {
        let mut writer = self.writer.lock();
        writer.enter(clock);
        self.run(&mut writer, calls, clock, observer, reply, &mut |_, _| {});
    }

    /// The same, and appends to `record` how it is run again elsewhere, in a keyspace that holds
    /// the same keys; see [`Keyspace::replay`].
    pub fn write_recorded(
        &self,
        calls: &[Call<'_>],
        clock: Clock,
        observer: &mut dyn Observer,
        reply: &mut dyn FnMut(Reply<'_>),
        record: &mut Vec<u8>,
    ) {
        let mut writer = self.writer.lock();
        writer.enter(clock);
        let now_ms = clock.now_ms.max(self.last_now_ms());
        self.run(&mut writer, calls, clock, observer, reply, &mut |call, random| {
            replay::put(record, call, now_ms, random);
        });
    }

    /// Runs commands as one write, drawing from where the writer's random numbers have got to.
    /// `about_to` is told of each with where the numbers are then.
    #[inline]
    pub(crate) fn run(
        &self,
        writer: &mut Writer,
        calls: &[Call<'_>],
        clock: Clock,
        observer: &mut dyn Observer,
        reply: &mut dyn FnMut(Reply<'_>),
        about_to: &mut impl FnMut(&Call<'_>, u64),
    ) {
        let now_ms = clock.now_ms.max(self.last_now_ms());
        self.last_now_ms.store(now_ms, Ordering::Relaxed);
        if self.hash_seed() == 0 {
            // An odd number is not 0, which says that there is no seed yet.
            self.set_hash_seed(writer, next_random(&mut { clock.seed }) | 1);
        }
        let locks = Locks::take(self, calls);
        let view = View::new(self, locks, now_ms, Some(writer.random));
        let mut txn = Txn::new(view, writer, observer);
        for call in calls {
            txn.enter(call.db);
            about_to(call, txn.random_state().expect(STARTS_WITH_ONE));
            match call.command.run.attempt() {
                Run::Write(run) => reply(run(&mut txn, call.args)),
                Run::Read(run) => reply(run(&txn, call.args)),
                Run::Container(_) | Run::Block(_) => reply(NO_SUBCOMMAND),
            }
        }
        let random = txn.random_state().expect(STARTS_WITH_ONE);
        drop(txn);
        writer.random = random;
    }

    /// What a command that has to wait is to attempt later in place of its arguments; see
    /// [`Block::later`](crate::Block::later). Asked before anything else is written.
    pub fn later(&self, call: &Call<'_>) -> Option<Vec<Vec<u8>>> {
        let Run::Block(block) = call.command.run else { return None };
        let locks = Locks::take(self, std::slice::from_ref(call));
        let mut view = View::new(self, locks, self.last_now_ms(), None);
        view.enter(call.db);
        (block.later)(&view, call.args)
    }

    /// What a key holds, by the last entry's time; `None`: there is no such key.
    pub fn kind(&self, db: u8, key: &[u8]) -> Option<Kind> {
        let now_ms = self.last_now_ms();
        let data = self.lock_slot(db, slot_of(key))?;
        let packed = data.get_live(self.hashed(key), now_ms)?;
        Some(Found::new(packed, now_ms).kind())
    }

    /// Pins the state between two entries. `since`: only units changed after that pin's epoch.
    pub fn pin(self: &Arc<Self>, since: Option<u64>) -> Pin {
        self.start_pin(since, None)
    }

    /// Pins some slots of every database between two entries; the keyspace's own few facts too.
    pub fn pin_slots(self: &Arc<Self>, slots: &[u16]) -> Pin {
        self.start_pin(None, Some(slots))
    }

    fn start_pin(self: &Arc<Self>, since: Option<u64>, only: Option<&[u16]>) -> Pin {
        let mut writer = self.writer.lock();
        let meta = Meta {
            last_now_ms: self.last_now_ms(),
            hash_seed: self.hash_seed(),
            entry_seed: writer.entry_seed,
            random: writer.random,
            map: self.map.iter().map(|stored| stored.load(Ordering::Relaxed)).collect(),
            limits: self.limits(),
        };
        let state = writer.pins.start(since, only);
        Pin::new(self.clone(), state, (META_UNIT, meta.encode()))
    }

    /// Puts a unit's state in place of what is there.
    pub fn load_unit(&self, unit: UnitId, bytes: &[u8]) -> Result<(), Corrupt> {
        let mut writer = self.writer.lock();
        let loaded = if unit == META_UNIT {
            self.load_meta(&mut writer, bytes)
        } else {
            self.load_slot(&mut writer, unit, bytes)
        };
        loaded.map_err(|what| Corrupt { unit, what: what.to_owned() })
    }

    fn load_meta(&self, writer: &mut Writer, bytes: &[u8]) -> Result<(), Fault> {
        let meta = Meta::decode(bytes, self.databases.len())?;
        let locks = Locks::all(self);
        self.last_now_ms.store(meta.last_now_ms, Ordering::Relaxed);
        (writer.entry_seed, writer.random) = (meta.entry_seed, meta.random);
        self.set_map(&meta.map);
        self.set_limits(meta.limits);
        drop(locks);
        self.set_hash_seed(writer, meta.hash_seed);
        Ok(())
    }

    fn load_slot(&self, writer: &mut Writer, unit: UnitId, bytes: &[u8]) -> Result<(), Fault> {
        let place = Unit(unit - 1);
        if place.0 >= Unit::count(self.databases()) {
            return Err("of an unknown database");
        }
        let database = self.stored(place.stored());
        let data = unit::decode_slot(bytes, place.slot(), self.hash_seed())?;
        if bytes.is_empty() && database.slots().is_none() {
            return Ok(());
        }
        let slot = &database.slots_or_make()[usize::from(place.slot())];
        let mut held = Held { unit: place, data: slot.data.lock() };
        self.replace(writer, &mut held, data);
        Ok(())
    }

    /// Empties every database, before a snapshot is loaded.
    pub fn clear(&self) {
        let mut writer = self.writer.lock();
        let mut locks = Locks::all(self);
        for held in locks.held_mut() {
            self.replace(&mut writer, held, SlotData::default());
        }
        self.last_now_ms.store(0, Ordering::Relaxed);
        self.hash_seed.store(0, Ordering::Relaxed);
        (writer.entry_seed, writer.random) = (0, 0);
        self.set_limits(Limits::default());
        let identity: Vec<u8> = (0..self.databases()).collect();
        self.set_map(&identity);
    }

    /// A digest of one slot's keys, values and TTLs, the same on every replica whatever the
    /// tables' history; 0 for an empty slot.
    pub fn digest(&self, db: u8, slot: u16) -> u64 {
        self.lock_slot(db, slot).map_or(0, |data| unit::digest_slot(&data))
    }

    /// Keys in one database, expired ones not yet deleted included (DBSIZE).
    pub fn len(&self, db: u8) -> usize {
        self.database(db).len()
    }

    /// Whether a database has no keys.
    pub fn is_empty(&self, db: u8) -> bool {
        self.len(db) == 0
    }

    /// Keys with a TTL in one database.
    pub fn volatile_len(&self, db: u8) -> usize {
        self.database(db).volatile_len()
    }

    /// Keys in one slot of database 0 (CLUSTER COUNTKEYSINSLOT).
    pub fn slot_len(&self, slot: u16) -> usize {
        self.lock_slot(0, slot).map_or(0, |data| data.table().len())
    }

    /// Up to `count` keys of one slot of database 0 (CLUSTER GETKEYSINSLOT).
    pub fn slot_keys(&self, slot: u16, count: usize) -> Vec<Vec<u8>> {
        let Some(data) = self.lock_slot(0, slot) else { return Vec::new() };
        data.table().iter().take(count).map(|packed| packed.key().to_vec()).collect()
    }

    /// The last applied entry's time, in Unix milliseconds.
    pub fn last_now_ms(&self) -> u64 {
        self.last_now_ms.load(Ordering::Relaxed)
    }

    /// How many databases there are.
    pub fn databases(&self) -> u8 {
        self.databases.len() as u8
    }

    /// Bytes of all keys, values and tables, without the allocator's own.
    pub fn memory_bytes(&self) -> usize {
        self.databases.iter().map(Database::bytes).sum()
    }

    /// Whether looks at keys are counted for LFU eviction (`maxmemory-policy *-lfu`).
    pub fn set_lfu(&self, lfu: bool) {
        self.lfu.store(lfu, Ordering::Relaxed);
    }

    pub(crate) fn lfu(&self) -> bool {
        self.lfu.load(Ordering::Relaxed)
    }

    /// Hands large things that nobody can see any more to `sink` instead of freeing them under
    /// the slot's lock. The sink must be quick.
    pub fn discard_to(&self, sink: impl Fn(Discarded) + Send + Sync + 'static) {
        self.discards.to(Box::new(sink));
    }

    pub(crate) fn discards(&self) -> &Discards {
        &self.discards
    }

    /// The sizes at which collections change their encodings.
    pub fn limits(&self) -> Limits {
        self.limits.load()
    }

    /// The last entry's time is at least this.
    pub(crate) fn advance(&self, now_ms: u64) {
        let now_ms = now_ms.max(self.last_now_ms());
        self.last_now_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        self.limits.store(limits);
    }

    /// How far the search for keys whose time is over has got.
    pub(crate) fn visited(&self) -> &Visited {
        &self.visited
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock()
    }

    /// A database as it is stored.
    pub(crate) fn stored(&self, stored: u8) -> &Database {
        &self.databases[usize::from(stored)]
    }

    /// Where a database is stored.
    pub(crate) fn stored_at(&self, db: u8) -> u8 {
        self.map[usize::from(db)].load(Ordering::Acquire)
    }

    /// A database by the name that clients know it by.
    pub(crate) fn database(&self, db: u8) -> &Database {
        self.stored(self.stored_at(db))
    }

    pub(crate) fn unit(&self, place: Place<'_>) -> Unit {
        Unit::new(self.stored_at(place.db), slot_of(place.key))
    }

    pub(crate) fn map_version(&self) -> u64 {
        self.map_version.load(Ordering::Acquire)
    }

    /// Changes where databases are stored; the caller holds every lock.
    pub(crate) fn set_map(&self, map: &[u8]) {
        for (place, stored) in self.map.iter().zip(map) {
            place.store(*stored, Ordering::Release);
        }
        self.map_version.fetch_add(1, Ordering::Release);
    }

    /// The key with its hash; the caller holds its slot's lock, so the seed is the table's.
    pub(crate) fn hashed<'k>(&self, key: &'k [u8]) -> Hashed<'k> {
        Hashed { key, hash: table::short(hash(self.hash_seed(), key)) }
    }

    /// A seed for a read that wants random numbers.
    pub(crate) fn read_seed(&self, now_ms: u64) -> u64 {
        let count = self.random_reads.fetch_add(1, Ordering::Relaxed);
        hash(count, &now_ms.to_le_bytes())
    }

    /// Changes a slot's data: keeps a copy for pins first, and the database's counts right after.
    pub(crate) fn change<R>(
        &self,
        writer: &mut Writer,
        held: &mut Held<'_>,
        edit: impl FnOnce(&mut SlotData) -> R,
    ) -> R {
        writer.pins.keep(held);
        let before = held.data.counts();
        let result = edit(&mut held.data);
        let database = self.stored(held.unit.stored());
        database.settle(held.unit.slot(), before, held.data.counts());
        result
    }

    pub(crate) fn replace(&self, writer: &mut Writer, held: &mut Held<'_>, data: SlotData) {
        self.change(writer, held, |place| {
            let changed_epoch = place.changed_epoch;
            *place = data;
            place.changed_epoch = changed_epoch;
        });
    }

    pub(crate) fn hash_seed(&self) -> u64 {
        self.hash_seed.load(Ordering::Relaxed)
    }

    /// Gives the tables another hash seed. What they hold stays the same, so pins do not mind.
    fn set_hash_seed(&self, _: &mut Writer, hash_seed: u64) {
        if self.hash_seed() == hash_seed {
            return;
        }
        let mut locks = Locks::all(self);
        self.hash_seed.store(hash_seed, Ordering::Relaxed);
        for held in locks.held_mut() {
            let before = held.data.counts();
            held.data.rehash(hash_seed);
            let database = self.stored(held.unit.stored());
            database.settle(held.unit.slot(), before, held.data.counts());
        }
    }

    fn lock_slot(&self, db: u8, slot: u16) -> Option<MutexGuard<'_, SlotData>> {
        Some(self.database(db).slots()?[usize::from(slot)].data.lock())
    }
}

/// What a container's row answers when no subcommand of it was found; the server says it better,
/// and first.
const NO_SUBCOMMAND: Reply<'static> = Reply::error("ERR unknown subcommand");
