//! What one slot holds, and every change to it; keeps the counts that the changes move.
//!
//! Leaves out: locks, copies for pins, observers.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;

use crate::access_data;
use crate::hashing::hash;
use crate::object::{Data, Object};
use crate::packed::{EMBEDDED_BYTES_MAX, Fresh, Packed, Value};
use crate::table::{self, Bucket, Table};
use crate::value::{StringValue, Ttl, WrongType};

/// Room that a short value may leave unused without being packed anew.
const EMBEDDED_SLACK_BYTES: usize = 16;

/// One slot's keys and what is known of them.
pub(crate) struct SlotData {
    table: Table,
    /// The pins' epoch in which it was last changed; 0: never.
    pub(crate) changed_epoch: u32,
    /// Bytes of the keys and values, without the table.
    packed_bytes: usize,
    /// No key's time is over before this; exact after `tighten_expiry`, else a lower bound.
    next_expiry_ms: u64,
    volatile: u32,
}

/// What the database sums up over its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) keys: usize,
    pub(crate) volatile: usize,
    pub(crate) bytes: usize,
    pub(crate) next_expiry_ms: u64,
}

/// A key with its hash.
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'k> {
    pub(crate) key: &'k [u8],
    pub(crate) hash: u32,
}

/// When a command looks at a key, and what its access data count.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) now_ms: u64,
    pub(crate) lfu: bool,
}

/// A collection while it is changed.
pub(crate) struct Edit<'e, T> {
    data: &'e mut T,
    changed: bool,
}

impl<T> Edit<'_, T> {
    /// Says that nothing was changed after all, so that nobody needs to be told.
    pub(crate) fn unchanged(&mut self) {
        self.changed = false;
    }
}

impl<T> Deref for Edit<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.data
    }
}

impl<T> DerefMut for Edit<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.data
    }
}

impl Default for SlotData {
    fn default() -> SlotData {
        SlotData {
            table: Table::default(),
            changed_epoch: 0,
            packed_bytes: 0,
            next_expiry_ms: u64::MAX,
            volatile: 0,
        }
    }
}

impl SlotData {
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            keys: self.table.len(),
            volatile: self.volatile as usize,
            bytes: self.packed_bytes + self.table.heap_bytes(),
            next_expiry_ms: self.next_expiry_ms,
        }
    }

    /// The key, its time over or not.
    pub(crate) fn get(&self, name: Hashed<'_>) -> Option<&Packed> {
        self.table.find(name.hash, name.key).ok().map(|bucket| self.table.at(bucket))
    }

    /// The key, if its time is not over.
    pub(crate) fn get_live(&self, name: Hashed<'_>, now_ms: u64) -> Option<&Packed> {
        self.get(name).filter(|packed| is_live(packed, now_ms))
    }

    /// Takes the key out.
    pub(crate) fn remove(&mut self, name: Hashed<'_>) -> Option<Packed> {
        let bucket = self.table.find(name.hash, name.key).ok()?;
        let packed = self.table.remove(bucket);
        self.discount(&packed);
        Some(packed)
    }

    /// Puts a whole entry in, replacing one of the same key, which is for the caller to drop.
    pub(crate) fn insert(&mut self, hash: u32, packed: Packed) -> Option<Packed> {
        self.count(&packed);
        match self.table.find(hash, packed.key()) {
            Ok(bucket) => {
                let before = self.table.replace(bucket, packed);
                self.discount(&before);
                Some(before)
            }
            Err(bucket) => {
                self.table.insert(bucket, hash, packed);
                None
            }
        }
    }

    /// Sets the key to a string; in place, without allocating, if it fits. What else it replaces is
    /// for the caller to drop.
    pub(crate) fn set(
        &mut self,
        name: Hashed<'_>,
        value: StringValue<'_>,
        ttl: Ttl,
        now_ms: u64,
    ) -> Option<Packed> {
        let Ok(bucket) = self.table.find(name.hash, name.key) else {
            let packed =
                Packed::new(name.key, fresh(value), ttl.of_new_key(), access_data::new(now_ms));
            return self.insert(name.hash, packed);
        };
        let before = self.table.at(bucket);
        let expires_at_ms = match ttl {
            Ttl::Keep => before.expires_at_ms().filter(|_| is_live(before, now_ms)),
            Ttl::Clear | Ttl::At(_) => ttl.of_new_key(),
        };
        let access = access_data::renewed(before.access(), now_ms);
        self.recount(bucket, |table| {
            let packed = table.at_mut(bucket);
            if packed.expires_at_ms().is_some() == expires_at_ms.is_some()
                && overwrite(packed, value)
            {
                packed.set_expiry(expires_at_ms);
                packed.access().store(access, Ordering::Relaxed);
                None
            } else {
                let packed = Packed::new(name.key, fresh(value), expires_at_ms, access);
                Some(table.replace(bucket, packed))
            }
        })
    }

    /// Sets the key to a string that is `raw` however short it is; says what was there.
    pub(crate) fn set_raw(
        &mut self,
        name: Hashed<'_>,
        bytes: Vec<u8>,
        ttl: Ttl,
        look: Look,
    ) -> Option<Packed> {
        let before = match bytes.len() {
            0..=EMBEDDED_BYTES_MAX => self.set(name, StringValue::Bytes(&bytes), ttl, look.now_ms),
            _ => self.put(name, Object::String(bytes), ttl, look),
        };
        let bucket = self.table.find(name.hash, name.key).expect("set just now");
        self.table.at_mut(bucket).set_raw(true);
        before
    }

    /// Sets or clears the expiry of a key that is there.
    pub(crate) fn set_expiry(&mut self, name: Hashed<'_>, expires_at_ms: Option<u64>) {
        let Ok(bucket) = self.table.find(name.hash, name.key) else { return };
        self.recount(bucket, |table| {
            if !table.at_mut(bucket).set_expiry(expires_at_ms) {
                table.replace_with(bucket, |packed| packed.repacked(name.key, expires_at_ms));
            }
        });
    }

    /// The string's bytes to change in place, at least `len_min` of them, padded with zero bytes;
    /// a key that is not there becomes an empty string first.
    pub(crate) fn string_mut(
        &mut self,
        name: Hashed<'_>,
        len_min: usize,
        now_ms: u64,
    ) -> Result<&mut [u8], WrongType> {
        if self.get(name).is_none() {
            self.set(name, StringValue::Bytes(b""), Ttl::Clear, now_ms);
        }
        let bucket = self.table.find(name.hash, name.key).expect("inserted just now if missing");
        let len = match string_of(self.table.at(bucket))? {
            StringValue::Bytes(bytes) => bytes.len().max(len_min),
            value @ StringValue::Int(_) => value.len().max(len_min),
        };
        self.recount(bucket, |table| {
            if !stretch(table.at_mut(bucket), len) {
                let before = table.at(bucket);
                let expires_at_ms = before.expires_at_ms();
                let access = access_data::renewed(before.access(), now_ms);
                let bytes = string_of(before).expect("seen above").to_bytes();
                let packed = stretched(name.key, &bytes, len, expires_at_ms, access);
                table.replace(bucket, packed);
            }
            table.at_mut(bucket).set_raw(true);
        });
        let packed = self.table.at_mut(bucket);
        if packed.embedded_mut(len).is_some() {
            // Asked again, since the borrow checker does not let a borrow be returned from one
            // arm and taken anew in the other.
            return Ok(packed.embedded_mut(len).expect("there was room just now"));
        }
        let Some(Object::String(bytes)) = packed.object_mut() else {
            unreachable!("a stretched string is embedded or an object");
        };
        Ok(bytes)
    }

    /// Changes the collection at a key whose time is not over; `None` if there is none, else the
    /// result and whether something changed.
    pub(crate) fn edit<T: Data, R>(
        &mut self,
        name: Hashed<'_>,
        look: Look,
        edit: impl FnOnce(&mut Edit<'_, T>) -> R,
    ) -> Result<Option<(R, bool)>, WrongType> {
        let Ok(bucket) = self.table.find(name.hash, name.key) else { return Ok(None) };
        if !is_live(self.table.at(bucket), look.now_ms) {
            return Ok(None);
        }
        self.edit_at(bucket, name, look, edit).map(Some)
    }

    /// Changes the collection at a key, an empty one if there is no such key; always `Some`.
    pub(crate) fn edit_or_create<T: Data, R>(
        &mut self,
        name: Hashed<'_>,
        look: Look,
        edit: impl FnOnce(&mut Edit<'_, T>) -> R,
    ) -> Result<Option<(R, bool)>, WrongType> {
        if let Ok(bucket) = self.table.find(name.hash, name.key) {
            if is_live(self.table.at(bucket), look.now_ms) {
                return self.edit_at(bucket, name, look, edit).map(Some);
            }
            self.remove(name);
        }
        let mut data = T::default();
        let mut editing = Edit { data: &mut data, changed: true };
        let result = edit(&mut editing);
        let changed = editing.changed;
        if !data.is_empty() {
            self.put(name, data.into_object(), Ttl::Clear, look);
        }
        Ok(Some((result, changed)))
    }

    fn edit_at<T: Data, R>(
        &mut self,
        bucket: Bucket,
        name: Hashed<'_>,
        look: Look,
        edit: impl FnOnce(&mut Edit<'_, T>) -> R,
    ) -> Result<(R, bool), WrongType> {
        let packed = self.table.at_mut(bucket);
        access_data::touch(packed.access(), look.now_ms, look.lfu);
        let data = packed.object_mut().and_then(T::of_mut).ok_or(WrongType)?;
        let before = data.heap_bytes();
        let mut editing = Edit { data, changed: true };
        let result = edit(&mut editing);
        let changed = editing.changed;
        let (after, empty) = (data.heap_bytes(), data.is_empty());
        self.packed_bytes = self.packed_bytes + after - before;
        if empty {
            self.remove(name);
        }
        Ok((result, changed))
    }

    /// Sets the key to an object; what was there is for the caller to drop.
    pub(crate) fn put(
        &mut self,
        name: Hashed<'_>,
        object: Object,
        ttl: Ttl,
        look: Look,
    ) -> Option<Packed> {
        let before = self.get(name);
        let expires_at_ms = match (ttl, before) {
            (Ttl::Keep, Some(before)) => {
                before.expires_at_ms().filter(|_| is_live(before, look.now_ms))
            }
            _ => ttl.of_new_key(),
        };
        let access = match before {
            Some(before) => access_data::renewed(before.access(), look.now_ms),
            None => access_data::new(look.now_ms),
        };
        let packed = Packed::new(name.key, Fresh::Object(object), expires_at_ms, access);
        self.insert(name.hash, packed)
    }

    /// Makes the bound on the next expiry exact, by looking at every key.
    pub(crate) fn tighten_expiry(&mut self) {
        let times = self.table.iter().filter_map(Packed::expires_at_ms);
        self.next_expiry_ms = times.min().unwrap_or(u64::MAX);
    }

    /// The same keys under another hash seed.
    pub(crate) fn rehash(&mut self, hash_seed: u64) {
        for packed in self.clear().into_entries() {
            self.insert(table::short(hash(hash_seed, packed.key())), packed);
        }
    }

    /// Empties the slot; what it held is for the caller to drop.
    pub(crate) fn clear(&mut self) -> Table {
        self.take().table
    }

    /// Empties the slot; what it held.
    pub(crate) fn take(&mut self) -> SlotData {
        let empty = SlotData { changed_epoch: self.changed_epoch, ..SlotData::default() };
        std::mem::replace(self, empty)
    }

    /// Changes the entry in a bucket, keeping the counts right.
    fn recount<R>(&mut self, bucket: Bucket, change: impl FnOnce(&mut Table) -> R) -> R {
        let before = self.table.at(bucket);
        let (bytes, volatile) = (before.heap_bytes(), before.expires_at_ms().is_some());
        self.packed_bytes -= bytes;
        self.volatile -= u32::from(volatile);
        let result = change(&mut self.table);
        let after = self.table.at(bucket);
        let (bytes, expires_at_ms) = (after.heap_bytes(), after.expires_at_ms());
        self.add(bytes, expires_at_ms);
        result
    }

    fn count(&mut self, packed: &Packed) {
        self.add(packed.heap_bytes(), packed.expires_at_ms());
    }

    fn discount(&mut self, packed: &Packed) {
        self.packed_bytes -= packed.heap_bytes();
        self.volatile -= u32::from(packed.expires_at_ms().is_some());
        if self.volatile == 0 {
            self.next_expiry_ms = u64::MAX;
        }
    }

    fn add(&mut self, bytes: usize, expires_at_ms: Option<u64>) {
        self.packed_bytes += bytes;
        self.volatile += u32::from(expires_at_ms.is_some());
        if self.volatile == 0 {
            self.next_expiry_ms = u64::MAX;
        } else if let Some(time) = expires_at_ms {
            self.next_expiry_ms = self.next_expiry_ms.min(time);
        }
    }
}

/// Whether a key's time is not over: Redis too counts the millisecond itself as over only after it.
pub(crate) fn is_live(packed: &Packed, now_ms: u64) -> bool {
    packed.expires_at_ms().is_none_or(|time| now_ms <= time)
}

/// The string, if the value is one.
pub(crate) fn string_of(packed: &Packed) -> Result<StringValue<'_>, WrongType> {
    match packed.value() {
        Value::Int(number) => Ok(StringValue::Int(number)),
        Value::Bytes(bytes) => Ok(StringValue::Bytes(bytes)),
        Value::Object(Object::String(bytes)) => Ok(StringValue::Bytes(bytes)),
        Value::Object(_) => Err(WrongType),
    }
}

/// The collection, if the value is one of this type.
pub(crate) fn data_of<T: Data>(packed: &Packed) -> Result<&T, WrongType> {
    match packed.value() {
        Value::Object(object) => T::of(object).ok_or(WrongType),
        Value::Int(_) | Value::Bytes(_) => Err(WrongType),
    }
}

/// How a new string is stored.
pub(crate) fn fresh(value: StringValue<'_>) -> Fresh<'_> {
    match value {
        StringValue::Int(number) => Fresh::Int(number),
        StringValue::Bytes(bytes) if bytes.len() <= EMBEDDED_BYTES_MAX => Fresh::Bytes(bytes),
        StringValue::Bytes(bytes) => Fresh::Object(Object::String(bytes.to_vec())),
    }
}

/// Writes a new string over the value, if its place fits and does not waste more than half.
fn overwrite(packed: &mut Packed, value: StringValue<'_>) -> bool {
    let done = match value {
        StringValue::Int(number) => packed.set_integer(number),
        StringValue::Bytes(bytes) if bytes.len() <= EMBEDDED_BYTES_MAX => {
            if packed.room() / 2 > bytes.len().max(EMBEDDED_SLACK_BYTES) {
                return false;
            }
            packed.embedded_mut(bytes.len()).is_some_and(|place| {
                place.copy_from_slice(bytes);
                true
            })
        }
        StringValue::Bytes(bytes) => match packed.object_mut() {
            Some(Object::String(place))
                if (bytes.len()..=bytes.len() * 2).contains(&place.capacity()) =>
            {
                place.clear();
                place.extend_from_slice(bytes);
                true
            }
            _ => false,
        },
    };
    if done {
        packed.set_raw(false);
    }
    done
}

/// Makes the string `len` bytes long where it is, if it can be.
fn stretch(packed: &mut Packed, len: usize) -> bool {
    match packed.object_mut() {
        Some(Object::String(bytes)) => {
            bytes.resize(len, 0);
            true
        }
        Some(_) => unreachable!("looked at by the caller"),
        None => packed.embedded_mut(len).is_some(),
    }
}

/// A new entry for a string that outgrew its place.
fn stretched(
    key: &[u8],
    bytes: &[u8],
    len: usize,
    expires_at_ms: Option<u64>,
    access: u32,
) -> Packed {
    // A vector grows by doubling from here on, so appending is amortised; before, at most
    // EMBEDDED_BYTES_MAX are copied.
    let mut longer = Vec::with_capacity(len);
    longer.extend_from_slice(bytes);
    longer.resize(len, 0);
    if len <= EMBEDDED_BYTES_MAX {
        return Packed::new(key, Fresh::Bytes(&longer), expires_at_ms, access);
    }
    Packed::new(key, Fresh::Object(Object::String(longer)), expires_at_ms, access)
}
