//! A unit's bytes: how a slot, and what the keyspace knows besides its slots, are stored.
//!
//! A slot: version, then per key: form, access data, expiry if the form says so, key, value. The
//! order of keys means nothing. The meta unit: version, then the fields of [`Meta`] in their order.
//! Empty bytes are an empty slot. Checksums are the store's; lengths are checked here.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use crate::hashing::hash;
use crate::limits::Limits;
use crate::object::Object;
use crate::packed::{Fresh, Packed, Value};
use crate::slot::slot_of;
use crate::slot_data::{SlotData, fresh, string_of};
use crate::table;
use crate::value::{Kind, StringValue};
use crate::wire::{Fault, WireReader, put_string, put_varint};

/// The slots' layout; readers refuse any other.
const SLOT_VERSION: u8 = 1;

/// The meta unit's layout; readers refuse any other.
const META_VERSION: u8 = 2;

/// A form is a kind of value and flags.
const KIND_MASK: u8 = 0x0F;
const KIND_INTEGER: u8 = 0;
const KIND_STRING: u8 = 1;
/// The collections' kinds, by their bytes.
const COLLECTIONS: [(u8, Kind); 5] =
    [(2, Kind::List), (3, Kind::Set), (4, Kind::Hash), (5, Kind::Zset), (6, Kind::Stream)];
const FLAG_EXPIRES: u8 = 0x10;
const FLAG_RAW: u8 = 0x20;

/// Seeds of the digest's hashes: any will do, but they are part of what replicas compare.
const DIGEST_SEED: u64 = 0x5269_6E67_666F_7274;

/// What the keyspace knows besides its slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The last entry's time.
    pub(crate) last_now_ms: u64,
    /// The key of the tables' hashes; 0 before the first entry.
    pub(crate) hash_seed: u64,
    /// The last entry's seed.
    pub(crate) entry_seed: u64,
    /// Where the random numbers of that entry have got to.
    pub(crate) random: u64,
    /// For each database where it is stored (SWAPDB exchanges two).
    pub(crate) map: Vec<u8>,
    /// The sizes at which collections change their encodings.
    pub(crate) limits: Limits,
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![META_VERSION];
        for number in [self.last_now_ms, self.hash_seed, self.entry_seed, self.random] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        put_string(&mut out, &self.map);
        for limit in self.limits.values() {
            out.extend_from_slice(&limit.to_le_bytes());
        }
        out
    }

    /// Reads the meta unit of a keyspace with `databases` databases.
    pub(crate) fn decode(bytes: &[u8], databases: usize) -> Result<Meta, Fault> {
        let mut reader = WireReader::new(bytes);
        if reader.byte()? != META_VERSION {
            return Err("of a version that this program does not know");
        }
        let mut number = || reader.u64();
        let (last_now_ms, hash_seed) = (number()?, number()?);
        let (entry_seed, random) = (number()?, number()?);
        let map = reader.string()?.to_vec();
        let mut limits = *Limits::default().values();
        for limit in &mut limits {
            *limit = reader.u64()? as i64;
        }
        let limits = Limits::from_values(&limits).ok_or("with a limit out of its range")?;
        if !reader.is_done() {
            return Err("longer than its contents");
        }
        let mut sorted = map.clone();
        sorted.sort_unstable();
        if !sorted.iter().map(|db| usize::from(*db)).eq(0..databases) {
            return Err("with another set of databases");
        }
        Ok(Meta { last_now_ms, hash_seed, entry_seed, random, map, limits })
    }
}

/// The bytes of a slot; none if it is empty.
pub(crate) fn encode_slot(data: &SlotData) -> Vec<u8> {
    if data.table().len() == 0 {
        return Vec::new();
    }
    let mut out = Vec::with_capacity(data.counts().bytes);
    out.push(SLOT_VERSION);
    for packed in data.table().iter() {
        encode_key(packed, &mut out);
    }
    out
}

fn encode_key(packed: &Packed, out: &mut Vec<u8>) {
    let expires_at_ms = packed.expires_at_ms();
    let mut form = match packed.value() {
        Value::Int(_) => KIND_INTEGER,
        Value::Bytes(_) | Value::Object(Object::String(_)) => KIND_STRING,
        Value::Object(object) => collection_byte(object.kind()),
    };
    if expires_at_ms.is_some() {
        form |= FLAG_EXPIRES;
    }
    if packed.is_raw() {
        form |= FLAG_RAW;
    }
    out.push(form);
    out.extend_from_slice(&packed.access().load(Ordering::Relaxed).to_le_bytes());
    if let Some(time) = expires_at_ms {
        put_varint(out, time);
    }
    put_string(out, packed.key());
    match packed.value() {
        Value::Int(number) => out.extend_from_slice(&number.to_le_bytes()),
        Value::Bytes(bytes) => put_string(out, bytes),
        Value::Object(object) => object.encode(out),
    }
}

fn collection_byte(kind: Kind) -> u8 {
    let found = COLLECTIONS.into_iter().find(|(_, known)| *known == kind);
    found.expect("a string is none").0
}

/// The slot's data from its bytes; its keys belong to `slot`, and are hashed with `hash_seed`.
pub(crate) fn decode_slot(bytes: &[u8], slot: u16, hash_seed: u64) -> Result<SlotData, Fault> {
    let mut data = SlotData::default();
    if bytes.is_empty() {
        return Ok(data);
    }
    let mut reader = WireReader::new(bytes);
    if reader.byte()? != SLOT_VERSION {
        return Err("of a version that this program does not know");
    }
    let mut keys = 0;
    while !reader.is_done() {
        let packed = decode_key(&mut reader)?;
        if slot_of(packed.key()) != slot {
            return Err("with a key of another slot");
        }
        data.insert(table::short(hash(hash_seed, packed.key())), packed);
        keys += 1;
    }
    if data.table().len() != keys {
        return Err("with a key twice");
    }
    Ok(data)
}

fn decode_key(reader: &mut WireReader<'_>) -> Result<Packed, Fault> {
    let form = reader.byte()?;
    if form & !(KIND_MASK | FLAG_EXPIRES | FLAG_RAW) != 0 {
        return Err("with a key of an unknown form");
    }
    let access = reader.u32()?;
    let expires_at_ms = if form & FLAG_EXPIRES != 0 { Some(reader.varint()?) } else { None };
    let key = reader.string()?;
    if u32::try_from(key.len()).is_err() {
        return Err("with a key of more than 4 GiB");
    }
    let value = match form & KIND_MASK {
        KIND_INTEGER => fresh(StringValue::Int(reader.u64()? as i64)),
        KIND_STRING => fresh(StringValue::Bytes(reader.string()?)),
        byte => {
            let (_, kind) = COLLECTIONS
                .into_iter()
                .find(|(known, _)| *known == byte)
                .ok_or("with a value of an unknown kind")?;
            Fresh::Object(Object::decode(kind, reader)?)
        }
    };
    let mut packed = Packed::new(key, value, expires_at_ms, access);
    packed.set_raw(form & FLAG_RAW != 0);
    Ok(packed)
}

/// A digest that does not depend on the keys' order: the sum of each key's. A sum and not an
/// exclusive or, in which a pair of equal terms would vanish.
pub(crate) fn digest_slot(data: &SlotData) -> u64 {
    data.table().iter().map(digest_key).fold(0, u64::wrapping_add)
}

fn digest_key(packed: &Packed) -> u64 {
    let value = match (string_of(packed), packed.value()) {
        (Ok(value), _) => value.to_bytes(),
        (Err(_), Value::Object(object)) => {
            let mut bytes = object.encoding().as_bytes().to_vec();
            object.encode(&mut bytes);
            Cow::Owned(bytes)
        }
        (Err(_), _) => unreachable!("what is no object is a string"),
    };
    // An integer and its text differ: replicas must agree on encodings too.
    let encoding = match packed.value() {
        Value::Int(_) => 2,
        Value::Bytes(_) | Value::Object(Object::String(_)) => u8::from(packed.is_raw()),
        Value::Object(object) => collection_byte(object.kind()) << 1,
    };
    let expiry = packed.expires_at_ms().map_or([0; 9], |time| {
        let mut bytes = [1; 9];
        bytes[1..].copy_from_slice(&time.to_le_bytes());
        bytes
    });
    let seed = hash(hash(DIGEST_SEED, packed.key()), &expiry);
    hash(seed ^ u64::from(encoding), &value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: u64 = 77;

    fn key(n: u8) -> Vec<u8> {
        format!("{{tag}}{n}").into_bytes()
    }

    fn filled(keys: &[(u8, Vec<u8>, Option<u64>, bool)]) -> SlotData {
        let mut data = SlotData::default();
        for (n, value, expiry, raw) in keys {
            let value = StringValue::encode(value);
            let mut packed = Packed::new(&key(*n), fresh(value), *expiry, u32::from(*n));
            packed.set_raw(*raw);
            data.insert(table::short(hash(SEED, &key(*n))), packed);
        }
        data
    }

    fn keys() -> impl Strategy<Value = Vec<(u8, Vec<u8>, Option<u64>, bool)>> {
        let value = prop_oneof![
            any::<i64>().prop_map(|number| number.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..60),
            prop::collection::vec(any::<u8>(), 500..600),
        ];
        prop::collection::vec((any::<u8>(), value, any::<Option<u64>>(), any::<bool>()), 0..20)
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(keys in keys(), other_seed: u64) {
            let data = filled(&keys);
            let bytes = encode_slot(&data);
            let copy = decode_slot(&bytes, slot_of(b"tag"), SEED).unwrap();
            prop_assert_eq!(encode_slot(&copy), &bytes[..]);
            prop_assert_eq!(digest_slot(&copy), digest_slot(&data));
            let mut reseeded = decode_slot(&bytes, slot_of(b"tag"), other_seed).unwrap();
            prop_assert_eq!(digest_slot(&reseeded), digest_slot(&data));
            reseeded.rehash(SEED);
            prop_assert_eq!(encode_slot(&reseeded), bytes);
        }

        #[test]
        fn bytes_that_are_off_are_refused_or_read_but_never_panic(
            keys in keys(),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            len: prop::sample::Index,
        ) {
            let mut bytes = encode_slot(&filled(&keys));
            if !bytes.is_empty() {
                for (place, byte) in cuts {
                    let place = place.index(bytes.len());
                    bytes[place] = byte;
                }
                bytes.truncate(len.index(bytes.len()) + 1);
            }
            let _ = decode_slot(&bytes, slot_of(b"tag"), SEED);
            let _ = Meta::decode(&bytes, 16);
        }
    }

    #[test]
    fn the_digest_sees_key_value_expiry_and_encoding() {
        let digest = |key: &[u8], value, expiry, raw| {
            let mut packed = Packed::new(key, fresh(value), expiry, 0);
            packed.set_raw(raw);
            digest_key(&packed)
        };
        let bytes = StringValue::Bytes(b"1");
        let first = digest(b"a", bytes, None, false);
        assert_ne!(first, digest(b"b", bytes, None, false));
        assert_ne!(first, digest(b"a", StringValue::Bytes(b"2"), None, false));
        assert_ne!(first, digest(b"a", StringValue::Int(1), None, false));
        assert_ne!(first, digest(b"a", bytes, Some(0), false));
        assert_ne!(first, digest(b"a", bytes, None, true));
    }

    #[test]
    fn a_key_of_another_slot_is_refused() {
        let bytes = encode_slot(&filled(&[(1, b"x".to_vec(), None, false)]));
        assert!(decode_slot(&bytes, slot_of(b"tag") + 1, SEED).is_err());
    }

    #[test]
    fn the_meta_unit_round_trips() {
        let meta = Meta {
            last_now_ms: 1,
            hash_seed: 2,
            entry_seed: 3,
            random: 4,
            map: vec![1, 0, 2],
            limits: Limits::default(),
        };
        assert_eq!(Meta::decode(&meta.encode(), 3), Ok(meta.clone()));
        assert!(Meta::decode(&meta.encode(), 4).is_err());
        let twice = Meta { map: vec![1, 1, 2], ..meta };
        assert!(Meta::decode(&twice.encode(), 3).is_err());
    }
}
