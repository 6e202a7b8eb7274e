//! What handlers see of the keyspace to look at: [`View`]. [`Txn`] adds the changes.
//!
//! A handler names keys; databases, slots, locks and expiry happen below. Keys whose time is over
//! are hidden from every look-up.
//!
//! A handler may touch the keys that its command's row declares (and, with
//! [`Flags::OTHER_DB`](crate::command::Flags::OTHER_DB), those keys in the database that an
//! argument names), or everything if the row has `KEYLESS_DATA`, or `PATTERN_KEYS` where the
//! arguments have a pattern. Others look as if they did not exist, and to change one is a bug and
//! panics.

use std::cell::Cell;

use crate::access_data;
use crate::hashing::next_random;
use crate::keyspace::Keyspace;
use crate::limits::Limits;
use crate::locks::Locks;
use crate::object::{Data, Object};
use crate::packed::{Packed, Value};
use crate::slot_data::{data_of, string_of};
pub use crate::txn::Txn;
use crate::value::{EMBSTR_BYTES_MAX, Kind, StringValue, WrongType};

/// What a key costs in its table: 12 bytes a place, of which at least 70 % are taken.
const TABLE_BYTES_PER_KEY: usize = 16;

/// The locked slots of a read.
pub struct View<'a> {
    pub(crate) keyspace: &'a Keyspace,
    pub(crate) locks: Locks<'a>,
    now_ms: u64,
    db: u8,
    /// Where random numbers have got to; `None` in a read that has not asked for one.
    random: Cell<Option<u64>>,
}

/// A key that exists.
#[derive(Clone, Copy)]
pub struct Found<'v> {
    packed: &'v Packed,
    now_ms: u64,
}

/// A key of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'k> {
    /// The database.
    pub db: u8,
    /// The key.
    pub key: &'k [u8],
}

impl<'a> View<'a> {
    pub(crate) fn new(
        keyspace: &'a Keyspace,
        locks: Locks<'a>,
        now_ms: u64,
        random: Option<u64>,
    ) -> View<'a> {
        View { keyspace, locks, now_ms, db: 0, random: Cell::new(random) }
    }

    /// Goes over to a call's database.
    pub(crate) fn enter(&mut self, db: u8) {
        self.db = db;
    }

    pub(crate) fn random_state(&self) -> Option<u64> {
        self.random.get()
    }

    /// The command's time in Unix milliseconds: never behind the last entry's.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The command's database.
    pub fn db(&self) -> u8 {
        self.db
    }

    /// How many databases there are.
    pub fn databases(&self) -> u8 {
        self.keyspace.databases()
    }

    /// Whether the access data counts frequency for eviction (`maxmemory-policy *-lfu`): OBJECT
    /// FREQ answers only then, OBJECT IDLETIME only otherwise.
    pub fn lfu(&self) -> bool {
        self.keyspace.lfu()
    }

    /// The key, if it exists; counts as an access of it (TOUCH, GET).
    pub fn find(&self, key: &[u8]) -> Option<Found<'_>> {
        let found = self.peek(key)?;
        access_data::touch(found.packed.access(), self.now_ms, self.lfu());
        Some(found)
    }

    /// The key, if it exists; its access data stay as they are (TTL, TYPE, OBJECT).
    pub fn peek(&self, key: &[u8]) -> Option<Found<'_>> {
        self.peek_at(Place { db: self.db, key })
    }

    /// [`View::peek`] in another database.
    pub fn peek_at(&self, place: Place<'_>) -> Option<Found<'_>> {
        let held = self.locks.get(self.keyspace, place)?;
        let packed = held.data.get_live(self.keyspace.hashed(place.key), self.now_ms)?;
        Some(self.found(packed))
    }

    /// Whether the key exists; does not count as an access.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.peek(key).is_some()
    }

    /// The string at `key`; counts as an access of it.
    pub fn string(&self, key: &[u8]) -> Result<Option<StringValue<'_>>, WrongType> {
        self.find(key).map(|found| found.string()).transpose()
    }

    /// The collection at `key`; counts as an access of it.
    pub(crate) fn data<T: Data>(&self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        self.find(key).map(|found| found.data()).transpose()
    }

    /// The sizes at which collections change their encodings.
    pub fn limits(&self) -> Limits {
        self.keyspace.limits()
    }

    /// The next random number: from the entry's seed in a write, so the same on every replica.
    pub fn random(&self) -> u64 {
        let mut state = self.random.get().unwrap_or_else(|| self.keyspace.read_seed(self.now_ms));
        let random = next_random(&mut state);
        self.random.set(Some(state));
        random
    }

    /// A random number below `bound`, which is not 0.
    pub fn random_below(&self, bound: u64) -> u64 {
        assert!(bound > 0, "no number is below 0");
        // Scaled: some numbers are likelier than others by bound / 2^64.
        ((u128::from(self.random()) * u128::from(bound)) >> 64) as u64
    }

    /// Keys in the command's database, expired ones not yet deleted included (DBSIZE).
    pub fn len(&self) -> usize {
        self.keyspace.len(self.db)
    }

    /// Whether the command's database has no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn found<'v>(&self, packed: &'v Packed) -> Found<'v> {
        Found::new(packed, self.now_ms)
    }
}

impl<'v> Found<'v> {
    pub(crate) fn new(packed: &'v Packed, now_ms: u64) -> Found<'v> {
        Found { packed, now_ms }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        match self.packed.value() {
            Value::Int(_) | Value::Bytes(_) => Kind::String,
            Value::Object(object) => object.kind(),
        }
    }

    /// Its encoding, as OBJECT ENCODING names it.
    pub fn encoding(&self) -> &'static str {
        match self.packed.value() {
            Value::Int(_) => "int",
            Value::Bytes(bytes) if bytes.len() <= EMBSTR_BYTES_MAX && !self.packed.is_raw() => {
                "embstr"
            }
            Value::Bytes(_) => "raw",
            Value::Object(object) => object.encoding(),
        }
    }

    /// The string, if it is one.
    pub fn string(&self) -> Result<StringValue<'v>, WrongType> {
        string_of(self.packed)
    }

    /// The collection, if it is one of this type.
    pub(crate) fn data<T: Data>(&self) -> Result<&'v T, WrongType> {
        data_of(self.packed)
    }

    /// The object, unless the value is a string short enough to lie with its key.
    pub(crate) fn object(&self) -> Option<&'v Object> {
        match self.packed.value() {
            Value::Object(object) => Some(object),
            Value::Int(_) | Value::Bytes(_) => None,
        }
    }

    /// When its time is over, in Unix milliseconds; `None`: never.
    pub fn expires_at_ms(&self) -> Option<u64> {
        self.packed.expires_at_ms()
    }

    /// Seconds since its last access (OBJECT IDLETIME).
    pub fn idle_seconds(&self) -> u64 {
        access_data::idle_seconds(self.packed.access(), self.now_ms).into()
    }

    /// The logarithmic access counter (OBJECT FREQ), decayed up to now.
    pub fn frequency(&self) -> u8 {
        access_data::frequency(self.packed.access(), self.now_ms)
    }

    /// A copy for another key.
    pub(crate) fn copied(&self, key: &[u8]) -> Packed {
        self.packed.copied(key)
    }

    /// Bytes it takes, its place in the table included (MEMORY USAGE).
    pub fn memory_bytes(&self) -> usize {
        self.packed.heap_bytes() + TABLE_BYTES_PER_KEY
    }
}
