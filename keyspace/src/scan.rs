//! Walking a database: SCAN, KEYS, RANDOMKEY.
//!
//! The order is by slot, then by hash within the slot; it depends on the keys alone. SCAN's cursor
//! is a position in it, `slot << 32 | hash`, so that a key which is there from the first step to
//! the last is visited exactly when the cursor passes it. A step costs what it visits, plus at most
//! 128 locks per stretch of slots that has keys. Keys with equal 32-bit hashes are visited in one
//! step: of n keys in a slot, n^2 / 2^33 pairs.

use crate::access::{Found, View};
use crate::database::STRETCH_SLOTS;
use crate::locks::{Locks, Unit};
use crate::slot::SLOTS;
use crate::slot_data::{SlotData, is_live};

/// Draws of RANDOMKEY that may meet keys whose time is over before it looks at every key.
const RANDOM_DRAWS_MAX: usize = 100;

/// RANDOMKEY draws among the keys in a window of hashes that holds about this many: enough that
/// each key is nearly as likely, and a walk of a microsecond in a slot of millions.
const RANDOM_WINDOW_KEYS: u64 = 64;

impl View<'_> {
    /// One step of SCAN over the command's database: visits about `count` keys from `cursor` on
    /// and returns the cursor to go on with, 0 at the end. Every key that is there from the first
    /// step to the last is visited, whatever grows or shrinks in between; 0 starts.
    pub fn scan(&self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], Found<'_>)) -> u64 {
        let Ok(mut slot) = usize::try_from(cursor >> 32) else { return 0 };
        let mut from = cursor as u32;
        let mut visited = 0;
        while let Some(next) = self.next_slot(slot) {
            if next != slot {
                (slot, from) = (next, 0);
            }
            let rest = self.with_slot(slot, |data| {
                let mut last = None;
                for (hash, packed) in data.table().iter_from(from) {
                    if visited >= count && last.is_some_and(|last| last != hash) {
                        return Some(hash);
                    }
                    if is_live(packed, self.now_ms()) {
                        visit(packed.key(), self.found(packed));
                    }
                    visited += 1;
                    last = Some(hash);
                }
                None
            });
            match rest {
                Some(hash) => return (slot as u64) << 32 | u64::from(hash),
                None => (slot, from) = (slot + 1, 0),
            }
            if visited >= count && slot < usize::from(SLOTS) {
                return (slot as u64) << 32;
            }
        }
        0
    }

    /// Visits every key of the command's database (KEYS), in the order of [`View::scan`].
    pub fn for_each(&self, visit: &mut dyn FnMut(&[u8], Found<'_>)) {
        self.scan(0, usize::MAX, visit);
    }

    /// Any key of the command's database, each about as likely; `None` if it has none.
    pub fn random_key(&self) -> Option<Vec<u8>> {
        for _ in 0..RANDOM_DRAWS_MAX {
            let total = self.len();
            if total == 0 {
                return None;
            }
            let drawn = self.draw(self.random_below(total as u64) as usize);
            if let Some(key) = drawn {
                return Some(key);
            }
        }
        // Nearly all are over, so the first that is not will do.
        let mut first = None;
        self.for_each(&mut |key, _| {
            first.get_or_insert_with(|| key.to_vec());
        });
        first
    }

    /// A key from the slot that holds the database's key number `rank`; `None` if it is over.
    fn draw(&self, mut rank: usize) -> Option<Vec<u8>> {
        let database = self.keyspace.database(self.db());
        let mut stretch = 0;
        while rank >= database.stretch_len(stretch) {
            rank -= database.stretch_len(stretch);
            stretch += 1;
            if stretch * STRETCH_SLOTS >= usize::from(SLOTS) {
                // A write came in between.
                return None;
            }
        }
        let first = stretch * STRETCH_SLOTS;
        for slot in first..first + STRETCH_SLOTS {
            let len = self.with_slot(slot, |data| data.table().len());
            if rank < len {
                return self.draw_in(slot);
            }
            rank -= len;
        }
        None
    }

    fn draw_in(&self, slot: usize) -> Option<Vec<u8>> {
        let (start, choice) = (self.random() as u32, self.random());
        self.with_slot(slot, |data| {
            let len = data.table().len() as u64;
            // A window on the circle of hashes, or all of it.
            let window = (RANDOM_WINDOW_KEYS << 32).checked_div(len)?.min(1 << 32);
            let start = if window == 1 << 32 { 0 } else { start };
            let end = u64::from(start) + window;
            let wrapped = end.saturating_sub(1 << 32);
            let below = |end: u64, from| {
                data.table().iter_from(from).take_while(move |(hash, _)| u64::from(*hash) < end)
            };
            let in_window = || below(end, start).chain(below(wrapped, 0));
            let count = in_window().count() as u64;
            let chosen = ((u128::from(choice) * u128::from(count)) >> 64) as usize;
            let (_, packed) = in_window().nth(chosen)?;
            is_live(packed, self.now_ms()).then(|| packed.key().to_vec())
        })
    }

    /// The first slot from `slot` on whose stretch has keys.
    fn next_slot(&self, mut slot: usize) -> Option<usize> {
        let database = self.keyspace.database(self.db());
        while slot < usize::from(SLOTS) {
            let stretch = slot / STRETCH_SLOTS;
            if database.stretch_len(stretch) > 0 {
                return Some(slot);
            }
            slot = (stretch + 1) * STRETCH_SLOTS;
        }
        None
    }

    /// Looks at a slot: the locked one, or one locked for as long as `look` takes.
    fn with_slot<R: Default>(&self, slot: usize, look: impl FnOnce(&SlotData) -> R) -> R {
        let stored = self.keyspace.stored_at(self.db());
        match &self.locks {
            Locks::InTurn => match self.keyspace.stored(stored).slots() {
                Some(slots) => look(&slots[slot].data.lock()),
                None => R::default(),
            },
            locks => match locks.get_unit(Unit::new(stored, slot as u16)) {
                Some(held) => look(&held.data),
                None => R::default(),
            },
        }
    }
}
