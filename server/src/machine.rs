//! The shard's state machine: committed entries into the keyspace, replies to who waits.
//!
//! Invariants: every replica runs the same records in the same order with the same clock; only
//! replies and leader-only reads differ, and they change nothing. An entry that cannot be
//! understood stops the node, since skipping it would make this replica differ from the others.

use std::sync::Arc;

use cluster::migration::Step;
use keyspace::entry::EntryReader;
use keyspace::slot::slot_of;
use keyspace::{Call, Clock, Keyspace, Observer};
use raft::{Committed, Machine, Pinned, UnitId};
use resp::Reply;

use self::applying::{Applying, Then};
use crate::batch::{Batcher, Flight};
use crate::blocked::{Blocked, Boarded};
use crate::exchange::Deliveries;
use crate::node::{Stats, count};
use crate::segment::Outcome;
use crate::slots::{Applied, PinnedSlots, Restoring, SLOTS_UNIT, Slots};
use crate::watch::Watches;

mod applying;
mod serving;

pub use applying::run_reads;

/// See the module's documentation.
pub struct ShardMachine {
    /// The data.
    pub keyspace: Arc<Keyspace>,
    /// Who waits for what.
    pub batcher: Arc<Batcher>,
    /// Who watches what.
    pub watches: Arc<Watches>,
    /// Who is parked until a key is fed.
    pub blocked: Arc<Blocked>,
    /// Which slots are owned, and those that come and go.
    pub slots: Arc<Slots>,
    /// Counters.
    pub stats: Arc<Stats>,
}

impl Machine for ShardMachine {
    fn apply(&self, entry: Committed<'_>) -> Result<(), String> {
        if Step::is_step(entry.payload) {
            return self.apply_step(&entry);
        }
        let reader = EntryReader::new(entry.payload).map_err(|bad| bad.to_string())?;
        let origin = reader.origin();
        let flight = self.batcher.take(origin);
        count(&self.stats.entries, 1);
        let mut applying = Applying::new(self, &reader, entry.term, flight.is_some());
        let named = match flight {
            None => {
                applying.follow()?;
                None
            }
            Some(Flight { segments, boarded }) => {
                applying.opening()?;
                for mut segment in segments {
                    let then = applying.lead(&mut segment)?;
                    segment.index = entry.index;
                    segment.outcome = Outcome::Done;
                    let parked = match then {
                        Then::Deliver => Err(segment),
                        Then::Park { is_other } => self.blocked.park(segment, is_other, entry.term),
                    };
                    if let Err(segment) = parked {
                        applying.deliveries.deliver(segment);
                    }
                }
                Some((origin.batch, boarded))
            }
        };
        let (applied, mut deliveries) = applying.end()?;
        count(&self.stats.writes, applied.commands);
        self.settle(applied.fed, named, &mut deliveries);
        deliveries.flush();
        Ok(())
    }

    fn pin(&self, since: Option<u64>) -> Box<dyn Pinned> {
        Box::new(PinnedShard { keyspace: self.keyspace.pin(since), slots: self.slots.pin() })
    }

    fn restore(
        &self,
        units: &mut dyn Iterator<Item = Result<(UnitId, Vec<u8>), String>>,
    ) -> Result<(), String> {
        self.watches.break_all();
        self.keyspace.clear();
        let mut restoring = Restoring::default();
        for unit in units {
            let (unit, bytes) = unit?;
            if unit >= SLOTS_UNIT {
                let databases = self.keyspace.databases();
                self.slots.restore_unit(&mut restoring, unit, bytes, databases)?;
                continue;
            }
            self.keyspace.load_unit(unit, &bytes).map_err(|corrupt| corrupt.to_string())?;
        }
        self.slots.restored(restoring)
    }
}

impl ShardMachine {
    /// Applies a change to the shard's slots. Those who wait for keys of slots that are another's
    /// now go on to that one.
    fn apply_step(&self, entry: &Committed<'_>) -> Result<(), String> {
        let step = Step::decode(entry.payload).map_err(|bad| format!("a step {bad}"))?;
        count(&self.stats.entries, 1);
        if let Applied::Gone(slots) = self.slots.apply(&step, entry.term, &self.keyspace) {
            let is_gone = |key: &[u8]| slots.contains(slot_of(key));
            self.watches.break_those(is_gone);
            let mut deliveries = Deliveries::default();
            self.blocked.send_on(is_gone, &mut deliveries);
            deliveries.flush();
        }
        Ok(())
    }

    /// Runs a write of an entry of `term`; not if it is about a slot that is not owned, and then
    /// every call is answered with an error. Whether it ran.
    fn write(
        &self,
        term: u64,
        calls: &[Call<'_>],
        clock: Clock,
        observer: &mut dyn Observer,
        reply: &mut dyn FnMut(Reply<'_>),
    ) -> bool {
        if self.slots.is_moving() {
            return self.slots.write(&self.keyspace, term, calls, clock, observer, reply);
        }
        self.keyspace.write(calls, clock, observer, reply);
        true
    }

    /// Looks who waits for keys that the entry fed and was not named by it, and lets those wait on
    /// whom it named, with its batch, in vain.
    fn settle(
        &self,
        mut fed: Vec<(u8, Vec<u8>)>,
        named: Option<(u64, Boarded)>,
        deliveries: &mut Deliveries,
    ) {
        fed.sort_unstable();
        fed.dedup();
        let batch = named.as_ref().map(|(batch, _)| *batch);
        let look = |(db, key): &(u8, Vec<u8>), touched| {
            let kind = self.keyspace.kind(*db, key);
            self.blocked.settle((*db, key), kind, batch, touched);
        };
        fed.iter().for_each(|place| look(place, true));
        if let Some((_, boarded)) = &named {
            boarded.ready.iter().for_each(|place| look(place, false));
            self.blocked.release(boarded, deliveries);
        }
        if self.blocked.is_due() {
            self.batcher.wake();
        }
    }
}

struct PinnedShard {
    keyspace: keyspace::Pin,
    slots: PinnedSlots,
}

impl Pinned for PinnedShard {
    fn epoch(&self) -> u64 {
        self.keyspace.epoch()
    }

    fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
        self.keyspace.next_unit().or_else(|| self.slots.next_unit())
    }
}

#[cfg(test)]
mod tests;
