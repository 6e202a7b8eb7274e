//! What handlers see of the keyspace: [`View`] to look, [`Txn`] to change.
//!
//! A handler names keys; databases, slots, locks, expiry, copying for pins and telling the
//! observer happen below. Keys whose time is over are hidden from every look-up, and are deleted
//! when a change meets them. A `Txn` derefs to its `View`.
//!
//! A handler may touch the keys that its command's row declares (and, with
//! [`Flags::OTHER_DB`](crate::command::Flags::OTHER_DB), those keys in the database that an
//! argument names), or everything if the row has `KEYLESS_DATA`. Anything else is a bug and
//! panics.

use std::ops::Deref;

use crate::keyspace::{Keyspace, Observer};
use crate::value::{Kind, StringValue, WrongType};

/// The locked slots of a read.
pub struct View<'a> {
    _keyspace: &'a Keyspace,
}

/// The locked slots of a write.
pub struct Txn<'a> {
    view: View<'a>,
    _observer: &'a mut dyn Observer,
}

/// A key that exists.
#[derive(Clone, Copy)]
pub struct Found<'v> {
    _value: StringValue<'v>,
}

/// What becomes of a key's TTL when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The key keeps the TTL it has, if any.
    Keep,
    /// The key lives for ever.
    Clear,
    /// The key's time is over at this Unix time in milliseconds.
    At(u64),
}

/// A key of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'k> {
    /// The database.
    pub db: u8,
    /// The key.
    pub key: &'k [u8],
}

impl View<'_> {
    /// The command's time in Unix milliseconds: never behind the last entry's.
    pub fn now_ms(&self) -> u64 {
        todo!("now_ms")
    }

    /// The command's database.
    pub fn db(&self) -> u8 {
        todo!("db")
    }

    /// How many databases there are.
    pub fn databases(&self) -> u8 {
        todo!("databases")
    }

    /// Whether the access data counts frequency for eviction (`maxmemory-policy *-lfu`): OBJECT
    /// FREQ answers only then, OBJECT IDLETIME only otherwise.
    pub fn lfu(&self) -> bool {
        todo!("lfu")
    }

    /// The key, if it exists; counts as an access of it (TOUCH, GET).
    pub fn find(&self, key: &[u8]) -> Option<Found<'_>> {
        let _ = key;
        todo!("find")
    }

    /// The key, if it exists; its access data stay as they are (TTL, TYPE, OBJECT).
    pub fn peek(&self, key: &[u8]) -> Option<Found<'_>> {
        let _ = key;
        todo!("peek")
    }

    /// [`View::peek`] in another database.
    pub fn peek_at(&self, place: Place<'_>) -> Option<Found<'_>> {
        let _ = place;
        todo!("peek_at")
    }

    /// Whether the key exists; does not count as an access.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.peek(key).is_some()
    }

    /// The string at `key`; counts as an access of it.
    pub fn string(&self, key: &[u8]) -> Result<Option<StringValue<'_>>, WrongType> {
        let _ = key;
        todo!("string")
    }

    /// The next random number: from the entry's seed in a write, so the same on every replica.
    pub fn random(&self) -> u64 {
        todo!("random")
    }

    /// A random number below `bound`, which is not 0.
    pub fn random_below(&self, bound: u64) -> u64 {
        let _ = bound;
        todo!("random_below")
    }

    /// Keys in the command's database, expired ones not yet deleted included (DBSIZE).
    pub fn len(&self) -> usize {
        todo!("len")
    }

    /// Whether the command's database has no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One step of SCAN over the command's database: visits about `count` keys from `cursor` on
    /// and returns the cursor to go on with, 0 at the end. Every key that is there from the first
    /// step to the last is visited, whatever grows or shrinks in between; 0 starts.
    pub fn scan(
        &self,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(&[u8], Found<'_>),
    ) -> u64 {
        let _ = (cursor, count, visit);
        todo!("scan")
    }

    /// Visits every key of the command's database (KEYS), in the order of [`View::scan`].
    pub fn for_each(&self, visit: &mut dyn FnMut(&[u8], Found<'_>)) {
        let _ = visit;
        todo!("for_each")
    }

    /// Any key of the command's database, each as likely; `None` if it has none.
    pub fn random_key(&self) -> Option<Vec<u8>> {
        todo!("random_key")
    }
}

impl<'v> Found<'v> {
    /// Its type.
    pub fn kind(&self) -> Kind {
        todo!("kind")
    }

    /// Its encoding, as OBJECT ENCODING names it.
    pub fn encoding(&self) -> &'static str {
        todo!("encoding")
    }

    /// The string, if it is one.
    pub fn string(&self) -> Result<StringValue<'v>, WrongType> {
        todo!("string")
    }

    /// When its time is over, in Unix milliseconds; `None`: never.
    pub fn expires_at_ms(&self) -> Option<u64> {
        todo!("expires_at_ms")
    }

    /// Seconds since its last access (OBJECT IDLETIME).
    pub fn idle_seconds(&self) -> u64 {
        todo!("idle_seconds")
    }

    /// The logarithmic access counter (OBJECT FREQ), decayed up to now.
    pub fn frequency(&self) -> u8 {
        todo!("frequency")
    }

    /// Bytes it takes, its place in the table included (MEMORY USAGE).
    pub fn memory_bytes(&self) -> usize {
        todo!("memory_bytes")
    }
}

impl<'a> Deref for Txn<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl Txn<'_> {
    /// Sets `key` to a string, whatever was there.
    pub fn set(&mut self, key: &[u8], value: StringValue<'_>, ttl: Ttl) {
        let _ = (key, value, ttl);
        todo!("set")
    }

    /// Deletes `key`; whether it existed.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let _ = key;
        todo!("remove")
    }

    /// Sets or, with `None`, clears the TTL; whether the key exists. The time may be over already:
    /// the key is then hidden at once, and gone for whoever looks.
    pub fn set_expiry(&mut self, key: &[u8], expires_at_ms: Option<u64>) -> bool {
        let _ = (key, expires_at_ms);
        todo!("set_expiry")
    }

    /// Appends to the string at `key`, created if missing (as an integer if `bytes` are one, as
    /// APPEND does); its length then.
    pub fn append(&mut self, key: &[u8], bytes: &[u8]) -> Result<usize, WrongType> {
        let _ = (key, bytes);
        todo!("append")
    }

    /// The string at `key` to change in place, created if missing and padded with zero bytes up
    /// to `len_min`; its TTL stays, its encoding becomes `raw` (SETRANGE, SETBIT). Amortised.
    pub fn string_mut(&mut self, key: &[u8], len_min: usize) -> Result<&mut [u8], WrongType> {
        let _ = (key, len_min);
        todo!("string_mut")
    }

    /// Moves a value with its TTL to another key, slot or database, replacing what is there
    /// (RENAME, MOVE); whether `from` existed. `from == to` changes nothing.
    pub fn rename(&mut self, from: Place<'_>, to: Place<'_>) -> bool {
        let _ = (from, to);
        todo!("rename")
    }

    /// Copies a value with its TTL, replacing what is there (COPY); whether `from` existed.
    pub fn copy(&mut self, from: Place<'_>, to: Place<'_>) -> bool {
        let _ = (from, to);
        todo!("copy")
    }

    /// Empties the command's database (FLUSHDB).
    pub fn flush_db(&mut self) {
        todo!("flush_db")
    }

    /// Empties every database (FLUSHALL).
    pub fn flush_all(&mut self) {
        todo!("flush_all")
    }

    /// Exchanges two databases (SWAPDB), both below [`View::databases`].
    pub fn swap_db(&mut self, first: u8, second: u8) {
        let _ = (first, second);
        todo!("swap_db")
    }

    /// Deletes `key` if its time is over; whether it was (the leader's expiry command).
    pub fn remove_expired(&mut self, key: &[u8]) -> bool {
        let _ = key;
        todo!("remove_expired")
    }
}
