//! What handlers change the keyspace with: [`Txn`], which derefs to its [`View`].
//!
//! Every change goes through `Txn::change`, which keeps copies for pins, counts right and the
//! observer told. Keys whose time is over are deleted when a change meets them.

use std::ops::Deref;

use crate::access::{Place, View};
use crate::access_data;
use crate::keyspace::{Observer, Writer};
use crate::limits::Limits;
use crate::object::{Data, Object};
use crate::packed::Packed;
pub(crate) use crate::slot_data::Edit;
use crate::slot_data::{Hashed, Look, SlotData, is_live};
use crate::value::{Kind, StringValue, Ttl, WrongType};

/// The locked slots of a write.
pub struct Txn<'a> {
    view: View<'a>,
    writer: &'a mut Writer,
    observer: &'a mut dyn Observer,
}

impl<'a> Deref for Txn<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl<'a> Txn<'a> {
    pub(crate) fn new(
        view: View<'a>,
        writer: &'a mut Writer,
        observer: &'a mut dyn Observer,
    ) -> Txn<'a> {
        Txn { view, writer, observer }
    }

    pub(crate) fn enter(&mut self, db: u8) {
        self.view.enter(db);
    }

    /// Sets `key` to a string, whatever was there.
    pub fn set(&mut self, key: &[u8], value: StringValue<'_>, ttl: Ttl) {
        let place = self.here(key);
        let (name, now_ms) = (self.view.keyspace.hashed(key), self.view.now_ms());
        let before = self.change(place, |data| data.set(name, value, ttl, now_ms));
        self.discard(before);
    }

    /// Deletes `key`; whether it existed.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let taken = self.take(self.here(key));
        let existed = taken.is_some();
        self.discard(taken);
        existed
    }

    /// Sets or, with `None`, clears the TTL; whether the key exists. The time may be over already:
    /// the key is then hidden at once, and gone for whoever looks.
    pub fn set_expiry(&mut self, key: &[u8], expires_at_ms: Option<u64>) -> bool {
        let place = self.here(key);
        self.remove_expired(key);
        let exists = self.view.contains(key);
        if exists {
            let name = self.view.keyspace.hashed(key);
            self.change(place, |data| data.set_expiry(name, expires_at_ms));
        }
        exists
    }

    /// Appends to the string at `key`, created if missing (as an integer if `bytes` are one, as
    /// APPEND does); its length then.
    pub fn append(&mut self, key: &[u8], bytes: &[u8]) -> Result<usize, WrongType> {
        let Some(value) = self.view.string(key)? else {
            self.set(key, StringValue::encode(bytes), Ttl::Clear);
            return Ok(bytes.len());
        };
        let len = value.len();
        let longer = self.string_mut(key, len + bytes.len())?;
        longer[len..].copy_from_slice(bytes);
        Ok(longer.len())
    }

    /// The string at `key` to change in place, created if missing and padded with zero bytes up
    /// to `len_min`; its TTL stays, its encoding becomes `raw` (SETRANGE, SETBIT). Amortised.
    pub fn string_mut(&mut self, key: &[u8], len_min: usize) -> Result<&mut [u8], WrongType> {
        self.remove_expired(key);
        if let Some(found) = self.view.find(key) {
            found.string()?;
        }
        let place = self.here(key);
        let (name, now_ms) = (self.view.keyspace.hashed(key), self.view.now_ms());
        self.change(place, |data| data.string_mut(name, len_min, now_ms).map(|_| ()))?;
        // The counts are settled by now, and the second look finds the string long enough.
        let held = self.view.locks.get_mut(self.view.keyspace, place);
        held.expect("changed just now").data.string_mut(name, len_min, now_ms)
    }

    /// Changes the string at `key` as [`Txn::string_mut`] gives it. `edit` is told how long it was
    /// and says whether it is another string now, since only then watchers are told: Redis too
    /// makes strings longer or `raw` without a word where nothing was set (SETBIT, BITFIELD).
    pub(crate) fn edit_string<R>(
        &mut self,
        key: &[u8],
        len_min: usize,
        edit: impl FnOnce(&mut [u8], usize) -> (R, bool),
    ) -> Result<R, WrongType> {
        self.remove_expired(key);
        let before = self.view.string(key)?.map_or(0, |value| value.len());
        let now_ms = self.view.now_ms();
        let result = self.edit_by(key, |data, name| {
            data.string_mut(name, len_min, now_ms).map(|bytes| Some(edit(bytes, before)))
        })?;
        Ok(result.expect("always some"))
    }

    /// Sets `key` to a string made by a command, which stays `raw` however short it is (BITOP).
    pub(crate) fn set_raw(&mut self, key: &[u8], bytes: Vec<u8>, ttl: Ttl) {
        let place = self.here(key);
        let (name, look) = (self.view.keyspace.hashed(key), self.look());
        let before = self.change(place, |data| data.set_raw(name, bytes, ttl, look));
        self.discard(before);
    }

    /// Changes the collection at `key`; `None` if there is no such key. Left empty, it is deleted.
    pub(crate) fn edit<T: Data, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut Edit<'_, T>) -> R,
    ) -> Result<Option<R>, WrongType> {
        let look = self.look();
        self.edit_by(key, |data, name| data.edit(name, look, edit))
    }

    /// Changes the collection at `key`, an empty one if there is no such key. Left empty, it is
    /// deleted, or not created.
    pub(crate) fn edit_or_create<T: Data, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut Edit<'_, T>) -> R,
    ) -> Result<R, WrongType> {
        let look = self.look();
        let result = self.edit_by(key, |data, name| data.edit_or_create(name, look, edit));
        result.map(|result| result.expect("created if missing"))
    }

    /// Sets `key` to a collection that is not empty, whatever was there (the STORE commands).
    pub(crate) fn put<T: Data>(&mut self, key: &[u8], data: T, ttl: Ttl) {
        assert!(!data.is_empty() || T::KIND == Kind::Stream, "an empty collection is no key");
        self.put_object(key, data.into_object(), ttl);
    }

    /// The same for an object of any type (RESTORE).
    pub(crate) fn put_object(&mut self, key: &[u8], object: Object, ttl: Ttl) {
        let place = self.here(key);
        let (name, look) = (self.view.keyspace.hashed(key), self.look());
        let before = self.change(place, |slot| slot.put(name, object, ttl, look));
        self.discard(before);
    }

    /// Says when and how often a key was used, where it is known; changes nothing else.
    pub(crate) fn set_use(&self, key: &[u8], idle_seconds: Option<u64>, frequency: Option<u8>) {
        if let Some(packed) = self.stored(self.here(key)) {
            access_data::set(packed.access(), self.view.now_ms(), idle_seconds, frequency);
        }
    }

    /// Changes the sizes at which collections change their encodings.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.view.keyspace.set_limits(limits);
    }

    /// Moves a value with its TTL to another key, slot or database, replacing what is there
    /// (RENAME, MOVE); whether `from` existed. `from == to` changes nothing.
    pub fn rename(&mut self, from: Place<'_>, to: Place<'_>) -> bool {
        if from == to {
            return self.view.peek_at(from).is_some();
        }
        let Some(packed) = self.take(from) else { return false };
        let expires_at_ms = packed.expires_at_ms();
        self.insert(to, packed.repacked(to.key, expires_at_ms));
        true
    }

    /// Copies a value with its TTL, replacing what is there (COPY); whether `from` existed.
    pub fn copy(&mut self, from: Place<'_>, to: Place<'_>) -> bool {
        let Some(found) = self.view.peek_at(from) else { return false };
        let packed = found.copied(to.key);
        self.insert(to, packed);
        true
    }

    /// Empties the command's database (FLUSHDB).
    pub fn flush_db(&mut self) {
        self.flush(self.view.db());
    }

    /// Empties every database (FLUSHALL).
    pub fn flush_all(&mut self) {
        for db in 0..self.view.databases() {
            self.flush(db);
        }
    }

    /// Exchanges two databases (SWAPDB), both below [`View::databases`].
    pub fn swap_db(&mut self, first: u8, second: u8) {
        if first == second {
            return;
        }
        let keyspace = self.view.keyspace;
        let (mut map, databases): (Vec<u8>, _) = (Vec::new(), keyspace.databases());
        map.extend((0..databases).map(|db| keyspace.stored_at(db)));
        map.swap(usize::from(first), usize::from(second));
        keyspace.set_map(&map);
        // Each key now lies in the other database: gone from one, new in the other.
        let (stored_first, stored_second) = (map[usize::from(first)], map[usize::from(second)]);
        for held in self.view.locks.held_mut() {
            if [stored_first, stored_second].contains(&held.unit.stored()) {
                for packed in held.data.table().iter() {
                    self.observer.touched(first, held.unit.slot(), packed.key());
                    self.observer.touched(second, held.unit.slot(), packed.key());
                }
            }
        }
    }

    /// Deletes `key` if its time is over; whether it was (the leader's expiry command).
    pub fn remove_expired(&mut self, key: &[u8]) -> bool {
        let place = self.here(key);
        let over = match self.stored(place) {
            Some(packed) => !is_live(packed, self.view.now_ms()),
            None => false,
        };
        if over {
            let name = self.view.keyspace.hashed(key);
            let before = self.change(place, |data| data.remove(name));
            self.discard(before);
        }
        over
    }

    fn look(&self) -> Look {
        Look { now_ms: self.view.now_ms(), lfu: self.view.lfu() }
    }

    /// Changes a collection by `edit`, which also says whether it did; tells the observer then.
    fn edit_by<R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut SlotData, Hashed<'_>) -> Result<Option<(R, bool)>, WrongType>,
    ) -> Result<Option<R>, WrongType> {
        let keyspace = self.view.keyspace;
        let place = self.here(key);
        let held = self.view.locks.get_mut(keyspace, place);
        let held = held.expect("the command's row declares this key");
        let name = keyspace.hashed(key);
        let Some((result, changed)) =
            keyspace.change(self.writer, held, |data| edit(data, name))?
        else {
            return Ok(None);
        };
        if changed {
            self.observer.touched(place.db, held.unit.slot(), key);
        }
        Ok(Some(result))
    }

    fn here<'k>(&self, key: &'k [u8]) -> Place<'k> {
        Place { db: self.view.db(), key }
    }

    /// The entry, its time over or not.
    fn stored(&self, place: Place<'_>) -> Option<&Packed> {
        let held = self.view.locks.get(self.view.keyspace, place)?;
        held.data.get(self.view.keyspace.hashed(place.key))
    }

    /// Takes the entry out of its table; `None` if there was none or its time was over.
    fn take(&mut self, place: Place<'_>) -> Option<Packed> {
        self.stored(place)?;
        let name = self.view.keyspace.hashed(place.key);
        let packed = self.change(place, |data| data.remove(name))?;
        is_live(&packed, self.view.now_ms()).then_some(packed)
    }

    fn insert(&mut self, place: Place<'_>, packed: Packed) {
        let hash = self.view.keyspace.hashed(place.key).hash;
        let before = self.change(place, |data| data.insert(hash, packed));
        self.discard(before);
    }

    fn discard(&self, packed: Option<Packed>) {
        if let Some(packed) = packed {
            self.view.keyspace.discards().key(packed);
        }
    }

    fn flush(&mut self, db: u8) {
        let keyspace = self.view.keyspace;
        let stored = keyspace.stored_at(db);
        let mut tables = Vec::new();
        for held in self.view.locks.held_mut().filter(|held| held.unit.stored() == stored) {
            if held.data.table().len() == 0 {
                continue;
            }
            let slot = held.unit.slot();
            let table = keyspace.change(self.writer, held, SlotData::clear);
            for packed in table.iter() {
                self.observer.touched(db, slot, packed.key());
            }
            tables.push(table);
        }
        keyspace.discards().slots(tables);
    }

    /// Changes the data of the place's slot; it must be locked.
    fn change<R>(&mut self, place: Place<'_>, edit: impl FnOnce(&mut SlotData) -> R) -> R {
        let keyspace = self.view.keyspace;
        let held = self.view.locks.get_mut(keyspace, place);
        let held = held.expect("the command's row declares this key");
        let result = keyspace.change(self.writer, held, edit);
        self.observer.touched(place.db, held.unit.slot(), place.key);
        result
    }
}
