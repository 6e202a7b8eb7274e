//! Pins: the whole state at one moment, read slot by slot while writes go on.
//!
//! Copy-on-write per slot. Each pin starts an epoch, and each slot remembers the epoch in which it
//! was last changed. Before a slot's first change in an epoch its bytes are kept for every pin that
//! has yet to give it out; all other changes cost one comparison. Under the slot's lock, a pin
//! takes either the kept bytes or the slot as it is.
//!
//! Any number of pins may be open. Kept bytes are freed as they are given out, and are the price
//! of a slow reader: at worst those of every slot. A collection of many megabytes is copied whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::keyspace::{Keyspace, UnitId};
use crate::locks::{Held, Unit};
use crate::slot::SLOTS;
use crate::slot_data::SlotData;
use crate::unit::encode_slot;

/// The whole state at one log index, read unit by unit while writes go on (copy-on-write).
/// Dropping it ends the copying.
pub struct Pin {
    keyspace: Arc<Keyspace>,
    state: Arc<PinState>,
    meta: Option<(UnitId, Vec<u8>)>,
}

/// What a pin shares with the writer.
pub(crate) struct PinState {
    epoch: u32,
    /// Only slots changed after this epoch are given out.
    since: u32,
    /// Only these slots are given out; `None`: all.
    only: Option<Box<[bool]>>,
    /// The next unit to give out; moves on under that unit's lock.
    next: AtomicU32,
    /// Units that were changed since the pin, as they were.
    kept: Mutex<BTreeMap<u32, Vec<u8>>>,
}

/// The open pins, as the writer knows them.
pub(crate) struct Pins {
    /// Counts pins: 32 bits do for a pin a second for a century, and keep a slot within a cache
    /// line. Slots changed now are marked with it; above every pin's epoch.
    epoch: u32,
    open: Vec<Arc<PinState>>,
}

impl Pins {
    pub(crate) fn new() -> Pins {
        // 0 marks slots that were never changed.
        Pins { epoch: 1, open: Vec::new() }
    }

    /// Starts a pin.
    pub(crate) fn start(&mut self, since: Option<u64>, only: Option<&[u16]>) -> Arc<PinState> {
        let only = only.map(|slots| {
            let mut only = vec![false; SLOTS.into()].into_boxed_slice();
            for slot in slots {
                only[usize::from(*slot)] = true;
            }
            only
        });
        let state = Arc::new(PinState {
            epoch: self.epoch,
            // No pin was ever given an epoch past 32 bits: then everything is due.
            since: since.and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or(0),
            only,
            next: AtomicU32::new(0),
            kept: Mutex::new(BTreeMap::new()),
        });
        self.epoch += 1;
        self.open.push(state.clone());
        state
    }

    /// Keeps a slot for the open pins; comes before every change of it.
    pub(crate) fn keep(&self, held: &mut Held<'_>) {
        if held.data.changed_epoch != self.epoch {
            self.keep_now(held);
        }
    }

    #[cold]
    fn keep_now(&self, held: &mut Held<'_>) {
        for pin in &self.open {
            if pin.wants(held.unit, &held.data) {
                pin.kept.lock().insert(held.unit.0, encode_slot(&held.data));
            }
        }
        held.data.changed_epoch = self.epoch;
    }
}

impl PinState {
    /// Whether the slot as it is now belongs to the pin and is still to be given out.
    fn wants(&self, unit: Unit, data: &SlotData) -> bool {
        let changed = data.changed_epoch;
        unit.0 >= self.next.load(Ordering::Relaxed)
            && self.since < changed
            && changed <= self.epoch
            && self.is_about(unit.slot())
    }

    /// Whether the slot is among those that the pin is for.
    fn is_about(&self, slot: u16) -> bool {
        self.only.as_ref().is_none_or(|only| only[usize::from(slot)])
    }
}

impl Pin {
    pub(crate) fn new(
        keyspace: Arc<Keyspace>,
        state: Arc<PinState>,
        meta: (UnitId, Vec<u8>),
    ) -> Pin {
        Pin { keyspace, state, meta: Some(meta) }
    }

    /// Identifies the pinned moment; passed to [`Keyspace::pin`] once its units are stored.
    pub fn epoch(&self) -> u64 {
        self.state.epoch.into()
    }

    /// The next unit's bytes (versioned; the store adds checksums); empty bytes: the unit is
    /// empty. `None`: all were given. Takes one slot's lock at a time, for that slot only.
    pub fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
        if let Some(meta) = self.meta.take() {
            return Some(meta);
        }
        loop {
            let unit = Unit(self.state.next.load(Ordering::Relaxed));
            if unit.0 >= Unit::count(self.keyspace.databases()) {
                return None;
            }
            let Some(slots) = self.keyspace.stored(unit.stored()).slots() else {
                // Not written before the pin. Should it be now, its slots are not wanted.
                let next = Unit::new(unit.stored(), 0).0 + u32::from(SLOTS);
                self.state.next.store(next, Ordering::Relaxed);
                continue;
            };
            if !self.state.is_about(unit.slot()) {
                self.state.next.store(unit.0 + 1, Ordering::Relaxed);
                continue;
            }
            let data = slots[usize::from(unit.slot())].data.lock();
            let kept = self.state.kept.lock().remove(&unit.0);
            let bytes = kept.or_else(|| self.state.wants(unit, &data).then(|| encode_slot(&data)));
            self.state.next.store(unit.0 + 1, Ordering::Relaxed);
            if let Some(bytes) = bytes {
                // Unit 0 is the keyspace's own.
                return Some((unit.0 + 1, bytes));
            }
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.keyspace.writer().pins.open.retain(|pin| !Arc::ptr_eq(pin, &self.state));
    }
}
