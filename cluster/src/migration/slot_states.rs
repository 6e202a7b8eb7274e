//! What each slot is to this replica, for everybody who is about to use one.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::{GroupSlots, Phase, SlotSet};
use crate::ring::SLOTS;

/// What a slot is to the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Another's, or nobody's yet.
    Foreign,
    /// Its own: it serves it.
    Owned,
    /// Its own, but about to be another's: it is not served until that is settled.
    Frozen,
}

/// Each slot's state. Written only where entries are applied; read without locks.
///
/// A reader on another thread looks before and after it reads data: what was [`SlotState::Owned`]
/// both times with the same generation was owned all the time between.
pub struct SlotStates {
    states: Box<[AtomicU8]>,
    generation: AtomicU64,
}

const FOREIGN: u8 = 0;
const OWNED: u8 = 1;
const FROZEN: u8 = 2;

impl SlotStates {
    /// Every slot is foreign, as before the first claim.
    pub fn foreign() -> SlotStates {
        SlotStates::filled(FOREIGN)
    }

    /// Every slot is owned for ever: there is one group.
    pub fn standalone() -> SlotStates {
        SlotStates::filled(OWNED)
    }

    fn filled(state: u8) -> SlotStates {
        let states = (0..SLOTS).map(|_| AtomicU8::new(state)).collect();
        SlotStates { states, generation: AtomicU64::new(0) }
    }

    /// A slot's state. Slots past the last are foreign.
    pub fn get(&self, slot: u16) -> SlotState {
        match self.states.get(usize::from(slot)).map(|state| state.load(Ordering::SeqCst)) {
            Some(OWNED) => SlotState::Owned,
            Some(FROZEN) => SlotState::Frozen,
            _ => SlotState::Foreign,
        }
    }

    /// Whether the slot is served.
    pub fn is_owned(&self, slot: u16) -> bool {
        self.get(slot) == SlotState::Owned
    }

    /// Counts the changes.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Says what some slots are now.
    pub fn set(&self, slots: &SlotSet, state: SlotState) {
        let byte = match state {
            SlotState::Foreign => FOREIGN,
            SlotState::Owned => OWNED,
            SlotState::Frozen => FROZEN,
        };
        for slot in slots.iter() {
            self.states[usize::from(slot)].store(byte, Ordering::SeqCst);
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Says what every slot is, after a restore.
    pub fn set_all(&self, group: &GroupSlots) {
        let mut foreign = SlotSet::all();
        foreign.remove(group.owned());
        self.set(&foreign, SlotState::Foreign);
        self.set(group.owned(), SlotState::Owned);
        for outgoing in group.outgoing().values() {
            if outgoing.phase == Phase::Frozen {
                self.set(&outgoing.slots, SlotState::Frozen);
            }
        }
    }
}

impl std::fmt::Debug for SlotStates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotStates").field("generation", &self.generation()).finish_non_exhaustive()
    }
}
