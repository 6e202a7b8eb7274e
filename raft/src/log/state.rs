//! What is known of one group: its vote, its marks, and where its entries are.
//!
//! Two orders live here. *Submitted* is what openraft has asked for, and what readers see.
//! *Placed* is what has been written, in the order of the disk; it follows. The newest entries are
//! in memory; an entry leaves memory only when it has a place.
//!
//! Invariants: readable entries are `first()..next`. The tail is `tail_first()..next`, without
//! holes. Everything below `tail_first()` has a place. `truncate` is awaited before anything is
//! appended, so for entries below `next` a place and the tail never disagree.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::GroupId;
use crate::types::{Entry, LogId, Vote};

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) sequence: u64,
    pub(super) offset: u32,
    /// With header and padding.
    pub(super) bytes: u32,
}

/// One group's state, shared by its handles and the writer.
#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) id: GroupId,
    pub(super) inner: Mutex<Inner>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) purged: Option<LogId>,
    pub(super) committed: Option<LogId>,
    pub(super) last: Option<LogId>,
    /// The index behind the last entry.
    pub(super) next: u64,
    tail: VecDeque<Entry>,
    tail_bytes: usize,
    pub(super) placed: Placed,
}

/// The state in the order of the disk.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    /// The index of the first place.
    pub(super) first: u64,
    pub(super) places: VecDeque<Place>,
}

/// What a segment says of a group where it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    pub(super) purged: Option<LogId>,
    pub(super) last: Option<LogId>,
    pub(super) first: u64,
    pub(super) next: u64,
}

/// Where to find an entry.
pub(super) enum Found {
    Memory(Entry),
    Disk(u64, Place),
}

impl Inner {
    /// A group as recovery found it.
    pub(super) fn recovered(placed: Placed) -> Self {
        Self {
            purged: placed.purged,
            committed: placed.committed,
            last: placed.last,
            next: placed.next(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            placed,
        }
    }

    /// The first readable index.
    pub(super) fn first(&self) -> u64 {
        match &self.purged {
            Some(id) => id.index + 1,
            None if self.placed.places.is_empty() => self.tail_first(),
            None => self.placed.first,
        }
    }

    /// Whether an entry of this index may come next. The very first one may have any index.
    pub(super) fn accepts(&self, index: u64) -> bool {
        index == self.next || self.last.is_none()
    }

    /// Takes an entry that [`Inner::accepts`].
    pub(super) fn push(&mut self, entry: Entry) {
        self.next = entry.log_id.index + 1;
        self.last = Some(entry.log_id);
        self.tail_bytes += memory_bytes(&entry);
        self.tail.push_back(entry);
    }

    pub(super) fn truncate(&mut self, last: Option<LogId>) {
        let last = last.max(self.purged);
        let next = last.map_or(0, |id| id.index + 1);
        if next >= self.next {
            return;
        }
        (self.last, self.next) = (last, next);
        while self.tail.back().is_some_and(|entry| entry.log_id.index >= self.next) {
            let entry = self.tail.pop_back().expect("there is a last one");
            self.tail_bytes -= memory_bytes(&entry);
        }
    }

    pub(super) fn purge(&mut self, upto: LogId) {
        self.purged = Some(upto);
        while self.tail.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
            self.pop_front();
        }
        if self.next <= upto.index {
            self.next = upto.index + 1;
            self.last = Some(upto);
        }
    }

    /// Lets go of the oldest entries in memory that can be read back from the disk.
    pub(super) fn evict(&mut self, tail_bytes_max: usize) {
        while self.tail_bytes > tail_bytes_max && self.tail_first() < self.placed.next() {
            self.pop_front();
        }
    }

    /// Where to find the entries of a range, cut to those that exist; at least one if there is
    /// one, and no more than `bytes_max` in all.
    pub(super) fn find(&self, from: u64, to: u64, bytes_max: usize) -> Vec<Found> {
        let (from, to) = (from.max(self.first()), to.min(self.next));
        let tail_first = self.tail_first();
        let mut found = Vec::with_capacity((to.saturating_sub(from) as usize).min(1024));
        let mut bytes = 0;
        for index in from..to {
            let (entry, entry_bytes) = if index >= tail_first {
                let entry = &self.tail[(index - tail_first) as usize];
                (Found::Memory(entry.clone()), memory_bytes(entry))
            } else {
                let place = self.placed.places[(index - self.placed.first) as usize];
                (Found::Disk(index, place), place.bytes as usize)
            };
            bytes += entry_bytes;
            if bytes > bytes_max && !found.is_empty() {
                break;
            }
            found.push(entry);
        }
        found
    }

    fn tail_first(&self) -> u64 {
        self.tail.front().map_or(self.next, |entry| entry.log_id.index)
    }

    fn pop_front(&mut self) {
        if let Some(entry) = self.tail.pop_front() {
            self.tail_bytes -= memory_bytes(&entry);
        }
    }
}

impl Placed {
    /// The index behind the last place.
    pub(super) fn next(&self) -> u64 {
        self.first + self.places.len() as u64
    }

    pub(super) fn push(&mut self, id: LogId, place: Place) {
        if self.places.is_empty() {
            self.first = id.index;
        }
        assert_eq!(id.index, self.next(), "entries reach the disk without holes");
        self.places.push_back(place);
        self.last = Some(id);
    }

    /// Forgets places behind `last`, and returns them.
    pub(super) fn truncate(&mut self, last: Option<LogId>) -> VecDeque<Place> {
        let last = last.max(self.purged);
        let next = last.map_or(0, |id| id.index + 1);
        if next >= self.next() {
            return VecDeque::new();
        }
        self.last = last;
        let kept = next.saturating_sub(self.first) as usize;
        let dropped = self.places.split_off(kept.min(self.places.len()));
        if self.places.is_empty() {
            self.first = next;
        }
        dropped
    }

    /// Forgets places up to `upto`, and returns them.
    pub(super) fn purge(&mut self, upto: LogId) -> VecDeque<Place> {
        self.purged = Some(upto);
        let dropped = (upto.index + 1).saturating_sub(self.first) as usize;
        let kept = self.places.split_off(dropped.min(self.places.len()));
        let dropped = std::mem::replace(&mut self.places, kept);
        if self.places.is_empty() {
            self.first = upto.index + 1;
            if self.last.is_none_or(|last| last.index <= upto.index) {
                self.last = Some(upto);
            }
        } else {
            self.first += dropped.len() as u64;
        }
        dropped
    }

    /// Gives an entry another place, and returns the old one.
    pub(super) fn replace(&mut self, index: u64, place: Place) -> Place {
        let at = (index - self.first) as usize;
        std::mem::replace(&mut self.places[at], place)
    }

    /// The entries whose place is in this segment.
    pub(super) fn in_segment(&self, sequence: u64) -> Vec<(u64, Place)> {
        let indexed = (self.first..).zip(self.places.iter().copied());
        indexed.filter(|(_, place)| place.sequence == sequence).collect()
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            vote: self.vote,
            committed: self.committed,
            purged: self.purged,
            last: self.last,
            first: self.first,
            next: self.next(),
        }
    }
}

/// What an entry counts for in memory and on the wire: its payload, and a rounded share for the
/// rest, so that a flood of empty entries is limited too.
pub(super) fn memory_bytes(entry: &Entry) -> usize {
    const OVERHEAD_BYTES: usize = 128;
    OVERHEAD_BYTES
        + match &entry.payload {
            openraft::EntryPayload::Normal(payload) => payload.0.len(),
            openraft::EntryPayload::Blank | openraft::EntryPayload::Membership(_) => 0,
        }
}
