//! The records of the store: their keys, and how each is checked.
//!
//! ```text
//! i                                  whose store this is
//! m group                            the manifest of the group's checkpoint
//! s group generation                 this generation may hold chunks that no manifest names
//! c group generation unit chunk      a chunk of a unit
//! ```
//! Numbers are big-endian, so that a generation's chunks lie together, in order. Every value
//! starts with a checksum that also covers its key: a record under a wrong key is as bad as a
//! damaged one.

use std::collections::BTreeMap;

use prost::Message;

use crate::types::{LogId, StoredMembership};
use crate::wire::{self, Malformed};
use crate::{GroupId, Trouble, UnitId, pb};

/// Raised whenever an older program could not read what this one writes, or the other way round.
const FORMAT_VERSION: u32 = 1;
/// Bytes of a chunk but a unit's last: sled wants 16-64 KiB, and few chunks are cheaper than many.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

/// A checkpoint: which entry it reaches to, and where each unit is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    /// The last entry it contains.
    pub(crate) last: Option<LogId>,
    /// The membership as of that entry.
    pub(crate) membership: StoredMembership,
    /// Where each non-empty unit is.
    pub(crate) units: BTreeMap<UnitId, Unit>,
    /// The highest generation any checkpoint of the group used; the next takes one more.
    pub(crate) generation: u64,
}

/// A unit as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    /// The generation its chunks are stored under.
    pub(crate) generation: u64,
    /// How many chunks.
    pub(crate) chunks: u32,
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// crc32c of all its bytes.
    pub(crate) checksum: u32,
}

impl Manifest {
    /// The message for disk or wire.
    pub(crate) fn encode(&self) -> pb::Manifest {
        let (membership_id, membership) = wire::stored_membership(&self.membership);
        let unit = |(id, unit): (&UnitId, &Unit)| pb::Unit {
            unit: *id,
            generation: unit.generation,
            chunks: unit.chunks,
            bytes: unit.bytes,
            checksum: unit.checksum,
        };
        pb::Manifest {
            last: self.last.as_ref().map(wire::log_id),
            membership_id,
            membership,
            units: self.units.iter().map(unit).collect(),
            generation: self.generation,
        }
    }

    /// The checked content of a message.
    pub(crate) fn decode(message: pb::Manifest) -> Result<Manifest, Malformed> {
        let mut units = BTreeMap::new();
        for unit in message.units {
            let chunks = unit.bytes.div_ceil(CHUNK_BYTES as u64);
            if unit.bytes == 0 || u64::from(unit.chunks) != chunks {
                return Err(Malformed("a unit whose size and chunks differ"));
            }
            if units.last_key_value().is_some_and(|(last, _)| *last >= unit.unit) {
                return Err(Malformed("units out of order"));
            }
            let stored = Unit {
                generation: unit.generation,
                chunks: unit.chunks,
                bytes: unit.bytes,
                checksum: unit.checksum,
            };
            units.insert(unit.unit, stored);
        }
        Ok(Manifest {
            last: message.last.map(wire::read_log_id),
            membership: wire::read_stored_membership(message.membership_id, message.membership)?,
            units,
            generation: message.generation,
        })
    }

    /// Whether a chunk belongs to this checkpoint.
    pub(super) fn names(&self, generation: u64, unit: UnitId, chunk: u32) -> bool {
        let found = self.units.get(&unit);
        found.is_some_and(|unit| unit.generation == generation && chunk < unit.chunks)
    }
}

pub(super) const IDENTITY_KEY: &[u8] = b"i";

pub(super) fn manifest_key(group: GroupId) -> Vec<u8> {
    let mut key = vec![b'm'];
    key.extend(group.to_be_bytes());
    key
}

/// The prefix of a group's marks.
pub(super) fn mark_prefix(group: GroupId) -> Vec<u8> {
    let mut key = vec![b's'];
    key.extend(group.to_be_bytes());
    key
}

pub(super) fn mark_key(group: GroupId, generation: u64) -> Vec<u8> {
    let mut key = mark_prefix(group);
    key.extend(generation.to_be_bytes());
    key
}

/// The generation of a mark's key.
pub(super) fn marked_generation(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(5..)?.try_into().ok()?))
}

/// The prefix of a generation's chunks.
pub(super) fn generation_prefix(group: GroupId, generation: u64) -> Vec<u8> {
    let mut key = vec![b'c'];
    key.extend(group.to_be_bytes());
    key.extend(generation.to_be_bytes());
    key
}

pub(super) fn chunk_key(group: GroupId, generation: u64, unit: UnitId, chunk: u32) -> Vec<u8> {
    let mut key = generation_prefix(group, generation);
    key.extend(unit.to_be_bytes());
    key.extend(chunk.to_be_bytes());
    key
}

/// Unit and number of a chunk's key.
pub(super) fn chunk_of(key: &[u8]) -> Option<(UnitId, u32)> {
    let unit = key.get(13..17)?.try_into().ok()?;
    let chunk = key.get(17..)?.try_into().ok()?;
    Some((u32::from_be_bytes(unit), u32::from_be_bytes(chunk)))
}

/// A value as stored: checksum, then the bytes.
pub(super) fn seal(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(4 + bytes.len());
    value.extend(crc32c::crc32c_append(crc32c::crc32c(key), bytes).to_be_bytes());
    value.extend_from_slice(bytes);
    value
}

/// The bytes of a stored value; `None`: damaged.
pub(super) fn unseal(key: &[u8], mut value: Vec<u8>) -> Option<Vec<u8>> {
    let checksum = u32::from_be_bytes(value.get(..4)?.try_into().ok()?);
    value.drain(..4);
    (crc32c::crc32c_append(crc32c::crc32c(key), &value) == checksum).then_some(value)
}

/// A manifest as stored: format version, then the message.
pub(super) fn seal_manifest(key: &[u8], manifest: &Manifest) -> Vec<u8> {
    let mut bytes = FORMAT_VERSION.to_be_bytes().to_vec();
    manifest.encode().encode(&mut bytes).expect("a vector grows as needed");
    seal(key, &bytes)
}

/// A stored manifest, checked.
pub(super) fn unseal_manifest(key: &[u8], value: Vec<u8>) -> Result<Manifest, Trouble> {
    let corrupt = |what: &str| Trouble::Corrupt(format!("the checkpoint's manifest {what}"));
    let bytes = unseal(key, value).ok_or_else(|| corrupt("fails its checksum"))?;
    let (version, message) = bytes.split_first_chunk().ok_or_else(|| corrupt("is cut off"))?;
    let version = u32::from_be_bytes(*version);
    if version != FORMAT_VERSION {
        let what = format!("has format {version}, this program reads {FORMAT_VERSION}");
        return Err(corrupt(&what));
    }
    let message = pb::Manifest::decode(message).map_err(|error| corrupt(&error.to_string()))?;
    Manifest::decode(message).map_err(|error| corrupt(&error.to_string()))
}
