//! One database: 16,384 slots, each with its table behind its own lock, and counts that can be
//! read without any lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::slot::SLOTS;
use crate::slot_data::{Counts, SlotData};

/// Slots whose keys are counted together, so that SCAN and RANDOMKEY step over empty stretches
/// without locking: 128 counts to look at, then at most 128 slots to lock.
pub(crate) const STRETCH_SLOTS: usize = 128;

const STRETCHES: usize = SLOTS as usize / STRETCH_SLOTS;

/// One slot, on a cache line of its own. A `parking_lot` mutex, not a read-write lock: it is one byte, and one atomic
/// operation to take where readers of the same slot seldom meet.
#[repr(align(64))]
pub(crate) struct Slot {
    pub(crate) data: Mutex<SlotData>,
    /// No key's time is over before this; a copy of the locked value, for the expiry cycle.
    next_expiry_ms: AtomicU64,
}

/// One database. Its slots take 1 MiB, so they are made when it is first written.
pub(crate) struct Database {
    slots: OnceLock<Box<[Slot]>>,
    stretch_keys: [AtomicUsize; STRETCHES],
    keys: AtomicUsize,
    volatile: AtomicUsize,
    bytes: AtomicUsize,
}

impl Database {
    /// An empty database without slots.
    pub(crate) fn new() -> Database {
        Database {
            slots: OnceLock::new(),
            stretch_keys: std::array::from_fn(|_| AtomicUsize::new(0)),
            keys: AtomicUsize::new(0),
            volatile: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Its slots, if they were made.
    pub(crate) fn slots(&self) -> Option<&[Slot]> {
        self.slots.get().map(|slots| &slots[..])
    }

    /// Its slots, made if they were not.
    pub(crate) fn slots_or_make(&self) -> &[Slot] {
        self.slots.get_or_init(|| {
            let slot = || Slot {
                data: Mutex::new(SlotData::default()),
                next_expiry_ms: AtomicU64::new(u64::MAX),
            };
            std::iter::repeat_with(slot).take(usize::from(SLOTS)).collect()
        })
    }

    /// Takes a changed slot's counts over. Only the one writer does, so nothing is lost between
    /// load and store.
    pub(crate) fn settle(&self, slot: u16, before: Counts, after: Counts) {
        let add = |total: &AtomicUsize, before: usize, after: usize| {
            if before != after {
                let sum = total.load(Ordering::Relaxed).wrapping_add(after).wrapping_sub(before);
                total.store(sum, Ordering::Relaxed);
            }
        };
        add(&self.stretch_keys[usize::from(slot) / STRETCH_SLOTS], before.keys, after.keys);
        add(&self.keys, before.keys, after.keys);
        add(&self.volatile, before.volatile, after.volatile);
        add(&self.bytes, before.bytes, after.bytes);
        if before.next_expiry_ms != after.next_expiry_ms {
            let slots = self.slots().expect("a slot of it was changed");
            slots[usize::from(slot)].set_next_expiry_ms(after.next_expiry_ms);
        }
    }

    /// Keys in a stretch of [`STRETCH_SLOTS`] slots.
    pub(crate) fn stretch_len(&self, stretch: usize) -> usize {
        self.stretch_keys[stretch].load(Ordering::Relaxed)
    }

    /// Keys.
    pub(crate) fn len(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    /// Keys with an expiry.
    pub(crate) fn volatile_len(&self) -> usize {
        self.volatile.load(Ordering::Relaxed)
    }

    /// Bytes of its keys, values and tables.
    pub(crate) fn bytes(&self) -> usize {
        let slots = self.slots().map_or(0, size_of_val);
        slots + self.bytes.load(Ordering::Relaxed)
    }
}

impl Slot {
    /// No key's time is over before this.
    pub(crate) fn next_expiry_ms(&self) -> u64 {
        self.next_expiry_ms.load(Ordering::Relaxed)
    }

    /// Publishes the locked value.
    pub(crate) fn set_next_expiry_ms(&self, next_expiry_ms: u64) {
        self.next_expiry_ms.store(next_expiry_ms, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_a_cache_line() {
        assert_eq!(size_of::<Slot>(), 64);
    }
}
