//! A segment: one file of the log, its header, and how its records are scanned.
//!
//! A segment is written aside, synced, and only then given its name, so a file with a segment's
//! name always has a whole header. The header says where the segment before ends: every segment
//! but the last is durable and checked up to exactly that byte, and only the last may have a torn
//! tail.
//!
//! ```text
//!  0 magic [u8; 8]    12 format u32       24 oldest u64   40 previous end u64
//!  8 checksum u32     16 sequence u64     32 salt u32     48 zero [u8; 16]
//! ```

use std::hash::{BuildHasher, Hasher};
use std::io;

use super::LogError;
use super::record::{self, ALIGNMENT, Record, u32_at, u64_at};
use crate::disk::Disk;

/// Bytes before the first record.
pub(super) const SEGMENT_HEADER_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"RINGFLOG";
/// Raised when an older build could misread what a newer one writes.
const FORMAT: u32 = 1;
const SUFFIX: &str = ".log";
/// A file that is being made a segment, or waits to become one.
const SPARE_PREFIX: &str = "spare-";

/// What a segment says about itself and its predecessors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) sequence: u64,
    /// No segment below this one was needed when this one was begun.
    pub(super) oldest: u64,
    pub(super) salt: u32,
    /// Where the valid records of the segment before end; 0 if there was none.
    pub(super) previous_end: u64,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[12..16].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.oldest.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.salt.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.previous_end.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The header of a file with this name, or what is wrong with it.
    pub(super) fn decode(data: &[u8], sequence: u64) -> Result<Self, &'static str> {
        if data.len() < SEGMENT_HEADER_BYTES {
            return Err("the file is shorter than a segment's header");
        }
        let data = &data[..SEGMENT_HEADER_BYTES];
        if &data[..8] != MAGIC {
            return Err("this is not a log segment");
        }
        if crc32c::crc32c(&data[12..]) != u32_at(data, 8) {
            return Err("the segment's header is damaged");
        }
        if u32_at(data, 12) != FORMAT {
            return Err("the segment was written by another version");
        }
        if u64_at(data, 16) != sequence {
            return Err("the segment's name and number differ");
        }
        Ok(Self {
            sequence,
            oldest: u64_at(data, 24),
            salt: u32_at(data, 32),
            previous_end: u64_at(data, 40),
        })
    }
}

/// A fresh salt. The standard library's hasher is seeded by the operating system and is all the
/// randomness this needs; nothing depends on the value.
pub(super) fn fresh_salt() -> u32 {
    std::collections::hash_map::RandomState::new().build_hasher().finish() as u32
}

pub(super) fn segment_name(sequence: u64) -> String {
    format!("{sequence:016x}{SUFFIX}")
}

pub(super) fn spare_name(sequence: u64) -> String {
    format!("{SPARE_PREFIX}{sequence:016x}")
}

pub(super) fn is_spare(name: &str) -> bool {
    name.starts_with(SPARE_PREFIX)
}

/// The number in a segment's name; `None` for any other file.
pub(super) fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// A segment read into memory.
pub(super) struct Scanned {
    pub(super) header: SegmentHeader,
    pub(super) data: Vec<u8>,
    /// Behind the last valid record.
    pub(super) end: usize,
    /// Something that was never known durable lies behind the end.
    pub(super) torn: bool,
}

/// Reads and checks a segment. `end` is where it must end, if a later segment says so; the last
/// one ends where its valid records do.
pub(super) fn scan(disk: &dyn Disk, sequence: u64, end: Option<u64>) -> Result<Scanned, LogError> {
    let name = segment_name(sequence);
    let corrupt = |offset: usize, what: &str| LogError::Corrupt {
        path: disk.path(&name),
        offset: offset as u64,
        what: what.to_owned(),
    };
    let data = read_all(disk, &name, end.is_none())
        .map_err(|source| LogError::Io { path: disk.path(&name), source })?;
    let header = SegmentHeader::decode(&data, sequence).map_err(|what| corrupt(0, what))?;
    let mut at = SEGMENT_HEADER_BYTES;
    while end != Some(at as u64) {
        let rest = data.get(at..).unwrap_or_default();
        if let Some(record) = record::decode(rest, sequence, header.salt) {
            at += record.bytes;
        } else if end.is_some() {
            return Err(corrupt(at, "a record is damaged in the middle of the log"));
        } else {
            break;
        }
    }
    let torn = end.is_none() && is_torn(&data, at, &header).map_err(|what| corrupt(at, what))?;
    Ok(Scanned { header, data, end: at, torn })
}

impl Scanned {
    /// The records with their offsets.
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, Record<'_>)> {
        let mut at = SEGMENT_HEADER_BYTES;
        std::iter::from_fn(move || {
            if at >= self.end {
                return None;
            }
            let record = record::decode(&self.data[at..], self.header.sequence, self.header.salt)
                .expect("the scan has verified every record up to the end");
            let offset = at;
            at += record.bytes;
            Some((offset, record))
        })
    }
}

/// Looks behind the first place without a record. A later record that says this place was durable
/// proves damage; one that does not is the rest of a write that a crash cut up.
fn is_torn(data: &[u8], end: usize, header: &SegmentHeader) -> Result<bool, &'static str> {
    let mut torn = record::claims_sequence(data.get(end..).unwrap_or_default(), header.sequence);
    let mut at = end + ALIGNMENT;
    while at + record::HEADER_BYTES <= data.len() {
        match record::decode(&data[at..], header.sequence, header.salt) {
            Some(record) if record.synced > end as u64 => {
                return Err("a record is damaged that was durable before later ones were written");
            }
            Some(record) => {
                torn = true;
                at += record.bytes;
            }
            None => at += ALIGNMENT,
        }
    }
    Ok(torn)
}

fn read_all(disk: &dyn Disk, name: &str, last: bool) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    if last {
        // What was found must be durable before anything is built on it: a process may have died
        // after writing and before syncing, and the machine may die after this one has answered.
        file.sync_data()?;
        file.uncache()?;
    }
    let mut data = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    file.read_at(&mut data, 0)?;
    Ok(data)
}
