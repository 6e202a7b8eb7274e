//! This shard's slots on this replica: which it owns, and the data of those that come and go.
//!
//! The group's own log decides (`cluster::migration`); here the steps are carried out: slots that
//! come are gathered in keyspaces aside (`staging`), slots that go are handed out by whoever
//! proposed it (`export`), and a command about a slot that is not owned is not run, on any replica.
//! While nothing moves, all of this costs a look at a flag for each write.
//!
//! Invariants: everything but exports is part of the replicated state, and of its checkpoints
//! (`units`); [`SlotStates`] changes only here, where entries are applied.
//!
//! Leaves out: who moves what (the driver), who is let in (`dispatch`, `batch`).

mod claim;
mod export;
mod staging;
#[cfg(test)]
mod tests;
mod units;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use cluster::migration::{
    Effect, GroupSlots, MoveId, Phase, Refused, SlotSet, SlotState, SlotStates, Standing, Step,
};
use keyspace::command::Flags;
use keyspace::slot::slot_of;
use keyspace::{Call, Clock, Keyspace, Observer};
use parking_lot::Mutex;
use resp::Reply;

pub use self::claim::claim;
pub use self::export::Export;
#[allow(unused_imports, reason = "only the driver of moves asks for the next chunk")]
pub use self::export::Next;
use self::staging::Staging;
pub use self::units::{PinnedSlots, Restoring, SLOTS_UNIT};
use crate::node::count;

/// What a client reads whose command reached the log behind a slot's freezing; it must never be.
const NOT_OWNED: Reply<'static> = Reply::error("TRYAGAIN the slot is moving to another shard");

/// See the module's documentation.
pub struct Slots {
    states: SlotStates,
    /// There is one group, and nothing is ever claimed or moved.
    alone: bool,
    /// Slots may have changed owners lately, so every write is looked at.
    moving: AtomicBool,
    inner: Mutex<Inner>,
    /// Those expected and those under way.
    exports: Mutex<Vec<Weak<Export>>>,
    /// Writes that were not run, since their slots were not owned.
    refused: AtomicU64,
}

/// The replicated part.
#[derive(Default)]
struct Inner {
    group: GroupSlots,
    staging: BTreeMap<MoveId, Staging>,
    /// Places in which a checkpoint may still have units.
    places: BTreeMap<u32, SlotSet>,
}

/// What a step calls for in those who wait for keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Nothing.
    Nothing,
    /// These slots are another's now.
    Gone(SlotSet),
}

impl Slots {
    /// The slots of a node without peers: all, for ever.
    pub fn standalone() -> Slots {
        Slots::of(SlotStates::standalone(), true)
    }

    /// Those of one shard among others: none before the first claim.
    pub fn clustered() -> Slots {
        Slots::of(SlotStates::foreign(), false)
    }

    fn of(states: SlotStates, alone: bool) -> Slots {
        Slots {
            states,
            alone,
            moving: AtomicBool::new(false),
            inner: Mutex::default(),
            exports: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// What each slot is to this replica.
    pub fn states(&self) -> &SlotStates {
        &self.states
    }

    /// Looks at the replicated state, as of the last applied entry. `look` must be quick.
    pub fn look<R>(&self, look: impl FnOnce(&GroupSlots) -> R) -> R {
        look(&self.inner.lock().group)
    }

    /// Where an attempt stands, as of the last applied entry.
    pub fn standing(&self, id: MoveId) -> Standing {
        self.look(|group| group.standing(id))
    }

    /// Bytes of slots that are coming and not yet served.
    pub fn staging_bytes(&self) -> usize {
        self.inner.lock().staging.values().map(Staging::bytes).sum()
    }

    /// Writes that reached the log although their slots were not owned.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Says that this process is about to propose `Export` of that id and will hand the slots out.
    /// Dropping the answer ends it.
    pub fn expect(&self, id: MoveId) -> Arc<Export> {
        let export = Arc::new(Export::new(id));
        let mut exports = self.exports.lock();
        exports.retain(|export| export.strong_count() > 0);
        exports.push(Arc::downgrade(&export));
        export
    }

    /// Applies a step of an entry of `term`. Called by apply.
    pub fn apply(&self, step: &Step, term: u64, keyspace: &Arc<Keyspace>) -> Applied {
        self.exports_of(term);
        let mut inner = self.inner.lock();
        let applied = self.apply_locked(&mut inner, step, term, keyspace);
        self.moving.store(inner.group.is_moving(), Ordering::Relaxed);
        drop(inner);
        applied.unwrap_or_else(|refused| {
            // The proposer looks where its move stands and goes on from there.
            tracing::info!("a step of a move was refused: {refused}");
            Applied::Nothing
        })
    }

    fn apply_locked(
        &self,
        inner: &mut Inner,
        step: &Step,
        term: u64,
        keyspace: &Arc<Keyspace>,
    ) -> Result<Applied, Refused> {
        if let Step::Import { id, chunk, body } = step
            && inner.group.standing(*id) == (Standing::Open { next_chunk: *chunk })
        {
            let staging = inner.staging.get_mut(id).expect("what is open has its place aside");
            if let Err(bad) = staging.import(body) {
                // The same everywhere, and nothing was taken in: the proposer will abort.
                tracing::error!("chunk {chunk} of move {id} is of no use: {bad}");
                return Ok(Applied::Nothing);
            }
        }
        match inner.group.apply(step)? {
            Effect::Nothing | Effect::Imported(_) => {}
            Effect::Claimed(slots) => self.states.set(&slots, SlotState::Owned),
            Effect::Exporting(id, slots) => {
                let list: Vec<u16> = slots.iter().collect();
                if let Some(export) = self.export(id) {
                    export.open(term, slots, keyspace.pin_slots(&list));
                }
            }
            Effect::Frozen(id, slots) => {
                self.states.set(&slots, SlotState::Frozen);
                if let Some(export) = self.export(id) {
                    export.freeze();
                }
            }
            Effect::Released(id, slots) => {
                self.end_export(id);
                self.states.set(&slots, SlotState::Foreign);
                keyspace.drop_slots(&slots.iter().collect::<Vec<u16>>());
                return Ok(Applied::Gone(slots));
            }
            Effect::Cancelled(id, slots) => {
                self.end_export(id);
                self.states.set(&slots, SlotState::Owned);
            }
            Effect::Opened(id, slots) => inner.open(id, slots, keyspace.databases()),
            Effect::Activated(id, slots) => {
                let staging = inner.staging.remove(&id).expect("what is open has its place aside");
                keyspace.adopt(&slots.iter().collect::<Vec<u16>>(), staging.keyspace());
                self.states.set(&slots, SlotState::Owned);
            }
            Effect::Aborted(id) => drop(inner.staging.remove(&id)),
        }
        Ok(Applied::Nothing)
    }

    /// Whether writes are to go through [`Slots::write`].
    #[inline]
    pub fn is_moving(&self) -> bool {
        self.moving.load(Ordering::Relaxed)
    }

    /// Runs a write of an entry of `term` while slots move: not at all if a slot of it is not
    /// owned, else recorded for those who get the slots. Whether it was run; each call is answered
    /// either way. Called by apply, alike on every replica.
    pub fn write(
        &self,
        keyspace: &Keyspace,
        term: u64,
        calls: &[Call<'_>],
        clock: Clock,
        observer: &mut dyn Observer,
        reply: &mut dyn FnMut(Reply<'_>),
    ) -> bool {
        if !calls.iter().all(|call| self.may_run(call)) {
            count(&self.refused, 1);
            calls.iter().for_each(|_| reply(NOT_OWNED));
            return false;
        }
        let exports = self.exports_of(term);
        let wanting: Vec<&Arc<Export>> =
            exports.iter().filter(|export| export.wants(&|slots| is_about(calls, slots))).collect();
        if wanting.is_empty() {
            keyspace.write(calls, clock, observer, reply);
            return true;
        }
        let mut record = Vec::new();
        keyspace.write_recorded(calls, clock, observer, reply, &mut record);
        wanting.iter().for_each(|export| export.capture(&record));
        true
    }

    /// Whether the group owns what a call may touch.
    fn may_run(&self, call: &Call<'_>) -> bool {
        if call.command.spec.flags.has(Flags::KEYLESS_DATA) && call.command.run.writes() {
            // It would empty what is the target's already.
            let frozen = |phase| phase == Phase::Frozen;
            return !self.look(|group| group.outgoing().values().any(|move_| frozen(move_.phase)));
        }
        let mut owned = true;
        // Malformed key arguments name no key, and the answer will be an error.
        let _ = call.command.spec.key_indexes(call.args, &mut |index| {
            owned &= self.states.is_owned(slot_of(call.args[index]));
        });
        owned
    }

    /// The exports under way, all of that term: what another leader wrote may not be all that was.
    fn exports_of(&self, term: u64) -> Vec<Arc<Export>> {
        let mut exports = self.exports.lock();
        if exports.is_empty() {
            return Vec::new();
        }
        exports.retain(|export| export.strong_count() > 0);
        let all: Vec<Arc<Export>> = exports.iter().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|export| export.seen(term));
        all
    }

    fn export(&self, id: MoveId) -> Option<Arc<Export>> {
        let exports = self.exports.lock();
        exports.iter().filter_map(Weak::upgrade).find(|export| export.id() == id)
    }

    fn end_export(&self, id: MoveId) {
        if let Some(export) = self.export(id) {
            export.lose();
        }
        self.exports.lock().retain(|export| export.upgrade().is_some_and(|e| e.id() != id));
    }
}

impl Inner {
    fn open(&mut self, id: MoveId, slots: SlotSet, databases: u8) {
        let taken = |place: &u32| self.staging.values().any(|staging| staging.place() == *place);
        let place = (0..).find(|place| !taken(place)).expect("there are fewer moves than numbers");
        self.places.entry(place).or_default().add(&slots);
        self.staging.insert(id, Staging::new(place, databases));
    }
}

/// Whether a write touches some of the slots, or may touch any.
fn is_about(calls: &[Call<'_>], slots: &SlotSet) -> bool {
    calls.iter().filter(|call| call.command.run.writes()).any(|call| {
        let (mut keys, mut inside) = (0, false);
        // Malformed key arguments name no key: then it is recorded in vain.
        let _ = call.command.spec.key_indexes(call.args, &mut |index| {
            keys += 1;
            inside |= slots.contains(slot_of(call.args[index]));
        });
        keys == 0 || inside
    })
}
