//! Who goes along with an entry: those who wait for a key that the entry's commands may feed, and
//! for the keys that are due.
//!
//! A guess that may be wrong both ways. One who goes along in vain costs its bytes; one who was
//! left behind is found when the entry has been applied (`Blocked::settle`), and served by the
//! next. So only commands that can add anything are looked at, and of those who pop only as many
//! go along as elements may arrive.

use std::collections::{BTreeSet, HashMap, VecDeque};

use keyspace::command::{Flags, Group};
use keyspace::entry::{EntryWriter, Record};
use keyspace::{Args, Command, Run};

use super::{Keys, Registry, Wanted};
use crate::segment::Segment;

/// Waiters that one entry names: each costs an attempt on every replica, a microsecond or two.
const WAITERS_MAX: usize = 1024;

/// Bytes of their commands, an entry's worth.
const WAITERS_BYTES_MAX: usize = 1024 * 1024;

/// Waiters of one due key that one entry names, since how much is there for them is not known.
const DUE_WAITERS_MAX: usize = 64;

/// What an entry names.
#[derive(Debug, Default)]
pub struct Boarded {
    /// Waiters, first come first.
    pub waiters: Vec<u64>,
    /// Due keys.
    pub ready: Vec<(u8, Vec<u8>)>,
}

impl Boarded {
    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.waiters.is_empty() && self.ready.is_empty()
    }
}

impl Registry {
    /// See [`Blocked::board`](super::Blocked::board).
    pub(super) fn board(
        &mut self,
        batch: u64,
        segments: &[Box<Segment>],
        writer: &mut EntryWriter,
    ) -> Boarded {
        let mut plan = Plan::of(self);
        let due = plan.due();
        for segment in segments {
            plan.segment(segment);
        }
        plan.choose();
        let waiters = plan.chosen.into_iter().collect();
        let mut boarded = Boarded { waiters, ready: Vec::new() };
        for Due { place, told, ready } in due {
            if ready {
                boarded.ready.push(place.clone());
            }
            match told {
                Some(told) => self.due.insert(place, told),
                None => self.due.remove(&place),
            };
        }
        for waiter in &boarded.waiters {
            let parked = self.parked.get_mut(waiter).expect("chosen among the parked");
            parked.boarded = Some(batch);
            writer.waiter(*waiter, &parked.segment.writes);
        }
        for (db, key) in &boarded.ready {
            writer.ready(*db, key);
        }
        boarded
    }
}

/// A due key.
struct Due {
    place: (u8, Vec<u8>),
    /// The last waiter that an entry was told of; `None`: all were, the key is due no longer.
    told: Option<u64>,
    /// Somebody goes along.
    ready: bool,
}

/// A key that may be fed.
#[derive(Default)]
struct Fed {
    /// With how many elements at most.
    elements: usize,
    /// It stands in the queue of keys to look at.
    queued: bool,
}

struct Plan<'a> {
    registry: &'a Registry,
    fed: HashMap<(u8, &'a [u8]), Fed>,
    /// Keys whose waiters are still to be chosen.
    queue: VecDeque<(u8, &'a [u8])>,
    chosen: BTreeSet<u64>,
    bytes: usize,
}

impl<'a> Plan<'a> {
    fn of(registry: &'a Registry) -> Plan<'a> {
        Plan {
            registry,
            fed: HashMap::new(),
            queue: VecDeque::new(),
            chosen: BTreeSet::new(),
            bytes: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.chosen.len() >= WAITERS_MAX || self.bytes >= WAITERS_BYTES_MAX
    }

    /// Chooses among those who wait for due keys; says what became of the keys.
    fn due(&mut self) -> Vec<Due> {
        let mut due = Vec::new();
        let registry = self.registry;
        for ((db, key), told) in &registry.due {
            if self.is_full() {
                break;
            }
            let mut those = Vec::new();
            if let Some(queue) = registry.queues.get(*db, key) {
                for wanted in [Wanted::List, Wanted::SortedSet, Wanted::Stream] {
                    let behind = queue.who_want(wanted).range(told + 1..);
                    those.extend(behind.take(DUE_WAITERS_MAX + 1));
                }
            }
            those.sort_unstable();
            let taken = those.iter().take(DUE_WAITERS_MAX);
            // Not past one whom another entry names: it is to be served first, if that did not.
            let taken: Vec<u64> = taken.copied().take_while(|waiter| self.take(*waiter)).collect();
            let all = taken.len() == those.len();
            let last = taken.last().copied();
            let told = (!all).then_some(last.unwrap_or(*told));
            due.push(Due { place: (*db, key.clone()), told, ready: last.is_some() });
        }
        due
    }

    /// Notes the keys that a segment may feed.
    fn segment(&mut self, segment: &'a Segment) {
        let mut records = segment.writes.reader();
        while let Ok(Some(record)) = records.next_record() {
            match record {
                Record::Command { db, args } => self.command(db, &args),
                Record::Transaction { commands, .. } => {
                    commands.iter().for_each(|(db, args)| self.command(*db, args));
                }
                Record::Waiter { .. } | Record::Ready { .. } => {}
            }
        }
    }

    fn command(&mut self, db: u8, args: &[&'a [u8]]) {
        let Some(command) = keyspace::lookup(args) else { return };
        if let Run::Block(_) = command.run {
            if let Some(key) = Keys::of(command, args).fed {
                self.note(db, key, 1);
            }
            return;
        }
        match feeds(command, args) {
            Feeds::Nothing => {}
            Feeds::Everything => {
                for waiter in self.registry.parked.keys().take(WAITERS_MAX) {
                    self.take(*waiter);
                }
            }
            Feeds::Keys(elements) => {
                let elsewhere = command.spec.flags.has(Flags::OTHER_DB);
                let databases = match elsewhere {
                    true => 0..self.registry.queues.databases(),
                    false => db..db.saturating_add(1),
                };
                let _ = command.spec.key_indexes(args, &mut |index| {
                    for db in databases.clone() {
                        self.note(db, args[index], elements);
                    }
                });
            }
        }
    }

    /// A key may be fed with some elements more.
    fn note(&mut self, db: u8, key: &'a [u8], elements: usize) {
        if self.registry.queues.get(db, key).is_none() {
            return;
        }
        let fed = self.fed.entry((db, key)).or_default();
        fed.elements = fed.elements.saturating_add(elements);
        if !std::mem::replace(&mut fed.queued, true) {
            self.queue.push_back((db, key));
        }
    }

    /// Chooses among those who wait for the noted keys, and for the keys that those may feed.
    fn choose(&mut self) {
        let registry = self.registry;
        while let Some((db, key)) = self.queue.pop_front() {
            let fed = self.fed.get_mut(&(db, key)).expect("noted before");
            fed.queued = false;
            let elements = fed.elements;
            let queue = registry.queues.get(db, key).expect("looked at before");
            for wanted in [Wanted::List, Wanted::SortedSet, Wanted::Stream] {
                // Reading takes nothing from others who read.
                let mut left = if wanted == Wanted::Stream { usize::MAX } else { elements };
                for waiter in queue.who_want(wanted) {
                    if left == 0 || self.is_full() {
                        break;
                    }
                    left -= usize::from(self.take(*waiter));
                }
            }
        }
    }

    /// Takes one along; `false`: another entry under way names it.
    fn take(&mut self, waiter: u64) -> bool {
        let registry = self.registry;
        let parked = &registry.parked[&waiter];
        if parked.boarded.is_some() {
            return false;
        }
        if self.chosen.insert(waiter) {
            self.bytes += parked.segment.writes.bytes();
            if let Some(fed) = &parked.fed {
                self.note(parked.db, fed, 1);
            }
        }
        true
    }
}

/// What a command may add to.
#[derive(Debug, PartialEq, Eq)]
enum Feeds {
    Nothing,
    /// To each of its keys at most that many elements.
    Keys(usize),
    /// It names no keys.
    Everything,
}

/// What takes no memory adds nothing, but for the commands that only move a key.
fn feeds(command: &Command, args: Args<'_>) -> Feeds {
    let spec = &command.spec;
    if !command.run.writes() {
        return Feeds::Nothing;
    }
    if spec.flags.has(Flags::KEYLESS_DATA) {
        return Feeds::Everything;
    }
    let moves_key = matches!(spec.name, "rename" | "renamenx" | "move");
    if !spec.flags.has(Flags::DENYOOM) && !moves_key {
        return Feeds::Nothing;
    }
    let mut keys: usize = 0;
    let _ = spec.key_indexes(args, &mut |_| keys += 1);
    match (keys, spec.group) {
        // Pushes and adds: an argument is at most an element.
        (1, _) if !moves_key => Feeds::Keys(args.len().saturating_sub(2).max(1)),
        // LMOVE and RPOPLPUSH.
        (_, Group::List) => Feeds::Keys(1),
        // A whole collection may arrive.
        _ => Feeds::Keys(WAITERS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Feeds {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        feeds(keyspace::lookup(&args).expect("a command"), &args)
    }

    #[test]
    fn only_what_can_add_feeds() {
        assert_eq!(of("del k"), Feeds::Nothing);
        assert_eq!(of("get k"), Feeds::Nothing);
        assert_eq!(of("expire k 1"), Feeds::Nothing);
        assert_eq!(of("flushall"), Feeds::Everything);
        assert_eq!(of("swapdb 0 1"), Feeds::Everything);
        assert_eq!(of("rename a b"), Feeds::Keys(WAITERS_MAX));
        assert_eq!(of("move a 1"), Feeds::Keys(WAITERS_MAX));
        assert_eq!(of("copy a b"), Feeds::Keys(WAITERS_MAX));
    }
}
