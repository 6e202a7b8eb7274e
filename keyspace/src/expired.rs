//! The search for keys whose time is over, for the leader to delete by an entry.
//!
//! Each slot has a lower bound of the time when its next key is over, so slots without such a key
//! are passed over without their locks. A slot that is visited from start to end gets an exact
//! bound. One of more keys than a call may look at is visited in parts and keeps its bound, so it
//! is looked through again and again, at the bounded cost of a call.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::keyspace::Keyspace;
use crate::locks::Unit;
use crate::slot::SLOTS;
use crate::slot_data::is_live;

/// Keys that one call looks at: some milliseconds if none of them is in the CPU's cache, which is
/// as long as a slot may be locked and a thread be kept.
const LOOKS_MAX: usize = 20_000;

/// How far the visit of a large slot has got: its unit and the hash to go on from.
#[derive(Default)]
pub(crate) struct Visited(AtomicU64);

impl Visited {
    /// The hash to go on from in a unit.
    fn from(&self, unit: Unit) -> u32 {
        let visited = self.0.load(Ordering::Relaxed);
        if visited >> 32 == u64::from(unit.0) { visited as u32 } else { 0 }
    }

    fn set(&self, unit: Unit, hash: u32) {
        self.0.store(u64::from(unit.0) << 32 | u64::from(hash), Ordering::Relaxed);
    }
}

impl Keyspace {
    /// Up to `limit` keys whose time is over, for the leader's expiry cycle, from slot `cursor`
    /// on; returns where to go on, 0 at the end. Visits only slots that can have one, and stops
    /// early when it has looked at enough keys.
    pub fn expired(
        &self,
        now_ms: u64,
        cursor: u32,
        limit: usize,
        found: &mut dyn FnMut(u8, &[u8]),
    ) -> u32 {
        let now_ms = now_ms.max(self.last_now_ms());
        let (mut count, mut looks) = (0, 0);
        for db in 0..self.databases() {
            let Some(slots) = self.database(db).slots() else { continue };
            let units = (0..SLOTS).map(|slot| Unit::new(db, slot)).zip(slots);
            for (unit, slot) in units.filter(|(unit, _)| unit.0 >= cursor) {
                // A key lives through the millisecond it is given.
                if slot.next_expiry_ms() >= now_ms {
                    continue;
                }
                let mut data = slot.data.lock();
                let from = self.visited().from(unit);
                for (hash, packed) in data.table().iter_from(from) {
                    if count == limit || looks == LOOKS_MAX {
                        self.visited().set(unit, hash);
                        return unit.0;
                    }
                    looks += 1;
                    if !is_live(packed, now_ms) {
                        found(db, packed.key());
                        count += 1;
                    }
                }
                self.visited().set(unit, 0);
                if from == 0 {
                    data.tighten_expiry();
                    slot.set_next_expiry_ms(data.counts().next_expiry_ms);
                }
            }
        }
        0
    }
}
