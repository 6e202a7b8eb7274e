//! One record of the log: a header of fixed size and an opaque body.
//!
//! ```text
//!  0 checksum u32   crc32c of everything behind it, padding included, seeded with the salt
//!  4 body     u32   bytes of body, padding excluded
//!  8 sequence u64   the segment's number
//! 16 synced   u32   the segment was known durable up to here when this record was written
//! 20 group    u32
//! 24 kind     u8
//! 25 flags    u8
//! 26 zero     [u8; 6]
//! 32 term     u64   with index: a log id
//! 40 node     u64   with term: a vote
//! 48 index    u64
//! 56 body, then zeros up to a multiple of 8
//! ```
//!
//! The sequence keeps a recycled segment's old records from being taken for new ones. `synced` is
//! the evidence by which recovery tells a torn tail from damage: a record that can be read proves
//! that everything before its `synced` was on the disk once. The salt, chosen at random for each
//! segment and known to nobody outside, keeps a client from storing a value that looks like a
//! record.

use std::borrow::Cow;

use openraft::entry::RaftEntry;
use openraft::vote::RaftLeaderId;

use crate::GroupId;
use crate::types::{CommittedLeaderId, Entry, LogId, Payload, TypeConfig, Vote};

/// Bytes before the body.
pub(super) const HEADER_BYTES: usize = 56;
/// Records start at multiples of this, so that a search for them has fewer places to look.
pub(super) const ALIGNMENT: usize = 8;
/// The longest record; lengths and offsets are 32 bits wide on the disk, and twice this still fits.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 30;

/// The record's log id is absent: an empty log, nothing committed.
const FLAG_NONE: u8 = 1;
/// The vote was won, or is the leader's.
const FLAG_COMMITTED_VOTE: u8 = 2;
/// An entry that was copied here from an old segment, so that the old one could be freed.
const FLAG_MOVED: u8 = 4;

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// An entry without payload.
    Blank = 1,
    /// An entry with a payload.
    Normal = 2,
    /// An entry that changes the membership; the body is JSON.
    Membership = 3,
    /// The group's vote.
    Vote = 4,
    /// The group's last committed entry.
    Committed = 5,
    /// Entries behind this log id are gone.
    Truncate = 6,
    /// Entries up to this log id are gone.
    Purge = 7,
    /// A group's state where a segment begins; the body is JSON.
    State = 8,
    /// Segments below this index are no longer needed.
    Release = 9,
    /// Nothing; written for its `synced`.
    Mark = 10,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        use Kind::*;
        [Blank, Normal, Membership, Vote, Committed, Truncate, Purge, State, Release, Mark]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Where and when a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) sequence: u64,
    pub(super) salt: u32,
    pub(super) synced: u64,
}

/// A record's header without what the checksum covers mechanically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) group: GroupId,
    pub(super) kind: Kind,
    flags: u8,
    pub(super) term: u64,
    node: u64,
    pub(super) index: u64,
}

impl Header {
    pub(super) fn plain(group: GroupId, kind: Kind, index: u64) -> Self {
        Self { group, kind, flags: 0, term: 0, node: 0, index }
    }

    pub(super) fn of_log_id(group: GroupId, kind: Kind, id: Option<&LogId>) -> Self {
        match id {
            Some(id) => Self { term: id.leader_id.term, ..Self::plain(group, kind, id.index) },
            None => Self { flags: FLAG_NONE, ..Self::plain(group, kind, 0) },
        }
    }

    pub(super) fn of_vote(group: GroupId, vote: &Vote) -> Self {
        let flags = if vote.committed { FLAG_COMMITTED_VOTE } else { 0 };
        let term = vote.leader_id.term;
        let node = *vote.leader_id.node_id();
        Self { group, kind: Kind::Vote, flags, term, node, index: 0 }
    }

    pub(super) fn moved(self) -> Self {
        Self { flags: self.flags | FLAG_MOVED, ..self }
    }

    pub(super) fn is_moved(&self) -> bool {
        self.flags & FLAG_MOVED != 0
    }

    pub(super) fn log_id(&self) -> Option<LogId> {
        (self.flags & FLAG_NONE == 0)
            .then(|| LogId { leader_id: CommittedLeaderId::new(self.term), index: self.index })
    }

    pub(super) fn vote(&self) -> Vote {
        let leader_id = RaftLeaderId::new(self.term, self.node);
        Vote { leader_id, committed: self.flags & FLAG_COMMITTED_VOTE != 0 }
    }
}

/// A record that was read and verified.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) header: Header,
    pub(super) synced: u64,
    pub(super) body: &'a [u8],
    /// With header and padding.
    pub(super) bytes: usize,
}

/// The length on disk of a record with this body.
pub(super) fn record_bytes(body_bytes: usize) -> usize {
    HEADER_BYTES + body_bytes.next_multiple_of(ALIGNMENT)
}

/// Appends a record and returns its length.
pub(super) fn encode(out: &mut Vec<u8>, stamp: &Stamp, header: &Header, body: &[u8]) -> usize {
    let start = out.len();
    let bytes = record_bytes(body.len());
    assert!(bytes <= RECORD_BYTES_MAX, "the caller refuses longer records");
    let synced = u32::try_from(stamp.synced).expect("segments are shorter than 4 GiB");
    let mut fixed = [0; HEADER_BYTES];
    fixed[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    fixed[8..16].copy_from_slice(&stamp.sequence.to_le_bytes());
    fixed[16..20].copy_from_slice(&synced.to_le_bytes());
    fixed[20..24].copy_from_slice(&header.group.to_le_bytes());
    fixed[24] = header.kind as u8;
    fixed[25] = header.flags;
    fixed[32..40].copy_from_slice(&header.term.to_le_bytes());
    fixed[40..48].copy_from_slice(&header.node.to_le_bytes());
    fixed[48..56].copy_from_slice(&header.index.to_le_bytes());
    out.extend_from_slice(&fixed);
    out.extend_from_slice(body);
    out.resize(start + bytes, 0);
    let checksum = crc32c::crc32c_append(stamp.salt, &out[start + 4..]);
    out[start..start + 4].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The record at the beginning of `data`, if there is one of this segment and it is whole.
pub(super) fn decode(data: &[u8], sequence: u64, salt: u32) -> Option<Record<'_>> {
    if !claims_sequence(data, sequence) {
        return None;
    }
    let body_bytes = u32_at(data, 4) as usize;
    let bytes = record_bytes(body_bytes);
    let whole = data.get(..bytes)?;
    if crc32c::crc32c_append(salt, &whole[4..]) != u32_at(data, 0) {
        return None;
    }
    let header = Header {
        group: u32_at(data, 20),
        kind: Kind::from_byte(data[24])?,
        flags: data[25],
        term: u64_at(data, 32),
        node: u64_at(data, 40),
        index: u64_at(data, 48),
    };
    let body = &whole[HEADER_BYTES..HEADER_BYTES + body_bytes];
    Some(Record { header, synced: u64::from(u32_at(data, 16)), body, bytes })
}

/// Whether there is a header here that says it belongs to this segment, whole or not.
pub(super) fn claims_sequence(data: &[u8], sequence: u64) -> bool {
    data.len() >= HEADER_BYTES && u64_at(data, 8) == sequence
}

pub(super) fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(data[at..at + 4].try_into().expect("four bytes"))
}

pub(super) fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(data[at..at + 8].try_into().expect("eight bytes"))
}

/// How an entry is stored: its kind and its body; a payload's bytes are not copied.
pub(super) fn entry_body(entry: &Entry) -> (Kind, Cow<'_, [u8]>) {
    use openraft::EntryPayload::{Blank, Membership, Normal};
    match &entry.payload {
        Blank => (Kind::Blank, Cow::Borrowed(&[])),
        Normal(payload) => (Kind::Normal, Cow::Borrowed(&payload.0)),
        Membership(membership) => {
            let json = serde_json::to_vec(membership).expect("a membership is plain data");
            (Kind::Membership, Cow::Owned(json))
        }
    }
}

/// The opposite of [`entry_body`].
pub(super) fn entry_from(id: LogId, kind: Kind, body: bytes::Bytes) -> Option<Entry> {
    type Stored = openraft::alias::EntryPayloadOf<TypeConfig>;
    let payload = match kind {
        Kind::Blank if body.is_empty() => Stored::Blank,
        Kind::Normal => Stored::Normal(Payload(body)),
        Kind::Membership => Stored::Membership(serde_json::from_slice(&body).ok()?),
        _ => return None,
    };
    Some(Entry::new(id, payload))
}
