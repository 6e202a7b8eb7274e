//! Slots that are going, handed out chunk by chunk by the process that proposed it: first their
//! state at one log index, then what was written since, in order.
//!
//! It is not replicated. When leadership changes, or too much is written for the target to keep
//! up, it is lost, and the attempt with it.

use std::collections::VecDeque;

use cluster::migration::{MoveId, SlotSet};
use keyspace::{Pin, UnitId};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::staging::{piece_body, records_body};

/// Bytes of captured writes that are kept for a target which does not take them. What is written
/// faster than it is taken must be throttled long before.
const CAPTURED_BYTES_MAX: usize = 256 << 20;

/// See the module's documentation.
pub struct Export {
    id: MoveId,
    /// The pinned state; locked while a slot is encoded, so apart from what apply locks.
    pinned: Mutex<Pinned>,
    captured: Mutex<Captured>,
    changed: Notify,
}

#[derive(Default)]
struct Pinned {
    pin: Option<Pin>,
    /// The unit being handed out, and how far.
    unit: Option<(UnitId, Vec<u8>, usize)>,
}

#[derive(Default)]
struct Captured {
    /// The term and the slots, once the export began.
    open: Option<(u64, SlotSet)>,
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    is_frozen: bool,
    is_lost: bool,
}

/// What there is to hand out.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The body of the next chunk.
    Chunk(Vec<u8>),
    /// Nothing now; nothing ever, if the slots were frozen before the question.
    Empty,
    /// Nothing of use: the attempt is to be aborted.
    Lost,
}

impl Export {
    pub(super) fn new(id: MoveId) -> Export {
        Export { id, pinned: Mutex::default(), captured: Mutex::default(), changed: Notify::new() }
    }

    /// The attempt.
    pub fn id(&self) -> MoveId {
        self.id
    }

    /// The next chunk, of about `bytes_max` bytes; a single write may be longer. Encodes a slot
    /// now and then, so it may take some milliseconds.
    pub fn next_chunk(&self, bytes_max: usize) -> Next {
        if self.is_lost() {
            return Next::Lost;
        }
        if let Some(chunk) = self.pinned.lock().next_chunk(bytes_max) {
            return Next::Chunk(chunk);
        }
        let mut captured = self.captured.lock();
        if captured.is_lost {
            return Next::Lost;
        }
        let mut records = Vec::new();
        while let Some(next) = captured.records.front()
            && (records.is_empty() || records.len() + next.len() <= bytes_max)
        {
            records.extend_from_slice(next);
            captured.bytes -= next.len();
            captured.records.pop_front();
        }
        if records.is_empty() { Next::Empty } else { Next::Chunk(records_body(&records)) }
    }

    /// Bytes of writes captured and not handed out.
    pub fn pending_bytes(&self) -> usize {
        self.captured.lock().bytes
    }

    /// Whether the pinned state was handed out, so that only writes are left.
    pub fn is_pin_done(&self) -> bool {
        let pinned = self.pinned.lock();
        let begun = self.captured.lock().open.is_some();
        begun && pinned.pin.is_none() && pinned.unit.is_none()
    }

    /// Whether `Freeze` was applied: nothing is captured any more.
    pub fn is_frozen(&self) -> bool {
        self.captured.lock().is_frozen
    }

    /// Whether the attempt is to be aborted.
    pub fn is_lost(&self) -> bool {
        self.captured.lock().is_lost
    }

    /// Waits until something was captured, frozen or lost since the last wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// `Export` was applied in `term`.
    pub(super) fn open(&self, term: u64, slots: SlotSet, pin: Pin) {
        self.pinned.lock().pin = Some(pin);
        self.captured.lock().open = Some((term, slots));
        self.changed.notify_one();
    }

    /// An entry of `term` is applied.
    pub(super) fn seen(&self, term: u64) {
        let other = |(open, _): &(u64, SlotSet)| *open != term;
        let lost = self.captured.lock().open.as_ref().is_some_and(other);
        if lost {
            self.lose();
        }
    }

    /// Whether it began, goes on, and has slots for which `is_about` holds.
    pub(super) fn wants(&self, is_about: &dyn Fn(&SlotSet) -> bool) -> bool {
        let captured = self.captured.lock();
        let about = captured.open.as_ref().is_some_and(|(_, slots)| is_about(slots));
        about && !captured.is_lost && !captured.is_frozen
    }

    /// A write was run.
    pub(super) fn capture(&self, record: &[u8]) {
        if record.is_empty() {
            return;
        }
        let mut captured = self.captured.lock();
        captured.bytes += record.len();
        captured.records.push_back(record.to_vec());
        let too_many = captured.bytes > CAPTURED_BYTES_MAX;
        drop(captured);
        if too_many {
            tracing::warn!("move {} is given up: its slots are written too fast", self.id);
            self.lose();
        }
        self.changed.notify_one();
    }

    pub(super) fn freeze(&self) {
        self.captured.lock().is_frozen = true;
        self.changed.notify_one();
    }

    pub(super) fn lose(&self) {
        let mut captured = self.captured.lock();
        captured.is_lost = true;
        captured.records = VecDeque::new();
        captured.bytes = 0;
        drop(captured);
        self.changed.notify_one();
    }
}

impl Pinned {
    fn next_chunk(&mut self, bytes_max: usize) -> Option<Vec<u8>> {
        if self.unit.is_none() {
            self.unit = self.pin.as_mut()?.next_unit().map(|(unit, bytes)| (unit, bytes, 0));
        }
        let Some((unit, bytes, from)) = &mut self.unit else {
            // Every slot was given: writes need make no more copies.
            self.pin = None;
            return None;
        };
        let to = bytes.len().min(*from + bytes_max.max(1));
        let is_last = to == bytes.len();
        let body = piece_body(*unit, is_last, &bytes[*from..to]);
        *from = to;
        if is_last {
            self.unit = None;
        }
        Some(body)
    }
}
