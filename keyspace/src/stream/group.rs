//! Consumer groups: how far each has read, and who has what pending.
//!
//! Invariant: what a group has pending is what its consumers have pending, each of it one
//! consumer's.

use std::collections::BTreeMap;

use super::id::Id;
use super::log::Log;
use super::pending::IdMap;
use super::tree_bytes;
use crate::wire::Fault;

/// The groups of a stream.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_name: BTreeMap<Box<[u8]>, Box<Group>>,
    /// The names' and the groups' own bytes.
    bytes: usize,
}

/// A consumer group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(super) progress: Progress,
    pending: IdMap<Pending>,
    /// The consumers' numbers, by their names.
    numbers: BTreeMap<Box<[u8]>, Number>,
    /// The consumers by their numbers.
    consumers: Vec<Option<Consumer>>,
    /// Numbers that are free again: which one a consumer gets, nobody outside may learn.
    free: Vec<Number>,
    /// The consumers' names, twice each, and what they have pending.
    consumer_bytes: usize,
}

/// How far a group has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last entry's that was delivered.
    pub(crate) last_id: Id,
    /// How many of all entries ever added that is, if it is known.
    pub(crate) entries_read: Option<u64>,
}

/// Who has an entry pending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(super) delivery: Delivery,
    pub(super) consumer: Number,
}

/// When an entry was delivered last, and how often it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Unix time in milliseconds.
    pub(crate) at_ms: u64,
    /// How often; clients may say what they like.
    pub(crate) count: u64,
}

/// A consumer's place in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u32);

impl Number {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A consumer.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    name: Box<[u8]>,
    pub(super) times: Times,
    pending: IdMap<()>,
}

/// When a consumer was heard of, in Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// When it last asked for entries, or was created.
    pub(crate) seen_ms: u64,
    /// When it last got some, if it ever did.
    pub(crate) active_ms: Option<u64>,
}

impl Consumer {
    /// Its name.
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// When it was heard of.
    pub(crate) fn times(&self) -> Times {
        self.times
    }

    /// How many entries it has pending.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The entries it has pending.
    pub(crate) fn pending(&self) -> impl Iterator<Item = Id> {
        self.pending.iter_from(Id::MIN).map(|(id, ())| id)
    }
}

impl Groups {
    /// Number of groups.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// By their names.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.by_name.iter().map(|(name, group)| (&**name, &**group))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Group> {
        self.by_name.get(name).map(|group| &**group)
    }

    /// Adds a group; whether there was none of this name.
    pub(crate) fn insert(&mut self, name: &[u8], group: Group) -> bool {
        if self.by_name.contains_key(name) {
            return false;
        }
        self.bytes += name.len() + group.own_bytes();
        self.by_name.insert(name.into(), Box::new(group));
        true
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let removed = self.by_name.remove(name);
        if let Some(group) = &removed {
            self.bytes -= name.len() + group.own_bytes();
        }
        removed.is_some()
    }

    /// Changes a group, if it exists.
    pub(super) fn edit<R>(&mut self, name: &[u8], edit: impl FnOnce(&mut Group) -> R) -> Option<R> {
        let group = self.by_name.get_mut(name)?;
        let before = group.own_bytes();
        let result = edit(group);
        self.bytes = self.bytes + group.own_bytes() - before;
        Some(result)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes + tree_bytes::<Box<[u8]>, Box<Group>>(self.by_name.len())
    }
}

/// Reading.
impl Group {
    /// Of a group that was never read from.
    pub(crate) fn new(progress: Progress) -> Group {
        Group { progress, ..Group::default() }
    }

    /// How far it has read.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// How many entries are pending.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The first and the last pending entry.
    pub(super) fn ends(&self) -> Option<(Id, Id)> {
        self.pending.first().zip(self.pending.last())
    }

    pub(super) fn pending(&self, id: Id) -> Option<&Pending> {
        self.pending.get(id)
    }

    /// What is pending from an entry on.
    pub(super) fn pending_from(&self, start: Id) -> impl Iterator<Item = (Id, &Pending)> {
        self.pending.iter_from(start)
    }

    /// The same of one consumer.
    pub(super) fn pending_of<'g>(
        &'g self,
        consumer: &'g Consumer,
        start: Id,
    ) -> impl Iterator<Item = (Id, &'g Pending)> {
        consumer.pending.iter_from(start).map(|(id, ())| {
            (id, self.pending.get(id).expect("what a consumer has pending its group has"))
        })
    }

    /// When and how often each pending entry was delivered.
    pub(crate) fn deliveries(&self) -> impl Iterator<Item = (Id, Delivery)> {
        self.pending_from(Id::MIN).map(|(id, pending)| (id, pending.delivery))
    }

    /// The consumers by their names.
    pub(crate) fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.numbers.values().map(|number| self.consumer(*number))
    }

    pub(super) fn number(&self, name: &[u8]) -> Option<Number> {
        self.numbers.get(name).copied()
    }

    pub(super) fn consumer(&self, number: Number) -> &Consumer {
        self.consumers[number.index()].as_ref().expect("a consumer keeps its number")
    }

    /// How many entries are yet to be delivered, if that can be told without counting.
    pub(super) fn lag(&self, log: &Log) -> Option<i64> {
        let added = log.counters().entries_added;
        let Progress { last_id, entries_read } = self.progress;
        let read = match entries_read {
            _ if added == 0 => 0,
            Some(read) if !log.has_gap_from(last_id) => read,
            _ => log.added_through(last_id)?,
        };
        Some(added.wrapping_sub(read) as i64)
    }

    /// The group's size, and its bytes on the heap.
    fn own_bytes(&self) -> usize {
        size_of::<Group>()
            + self.pending.heap_bytes()
            + tree_bytes::<Box<[u8]>, Number>(self.numbers.len())
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.free.capacity() * size_of::<Number>()
            + self.consumer_bytes
    }
}

/// Changing.
impl Group {
    /// Goes on to an entry that is delivered, if it is behind the last.
    pub(super) fn advance(&mut self, id: Id, log: &Log) {
        let Progress { last_id, entries_read } = self.progress;
        if id <= last_id {
            return;
        }
        let entries_read = match entries_read {
            Some(read) if !log.has_gap_from(id) => Some(read.wrapping_add(1)),
            _ if log.counters().entries_added > 0 => log.added_through(id),
            unknown => unknown,
        };
        self.progress = Progress { last_id: id, entries_read };
    }

    /// The consumer of this name, who asks for entries; created if there is none.
    pub(super) fn see(&mut self, name: &[u8], now_ms: u64) -> Number {
        let number = self.create(name, now_ms).unwrap_or_else(|number| number);
        self.consumer_mut(number).times.seen_ms = now_ms;
        number
    }

    /// Notes that a consumer got entries.
    pub(super) fn note_active(&mut self, consumer: Number, now_ms: u64) {
        self.consumer_mut(consumer).times.active_ms = Some(now_ms);
    }

    /// Creates a consumer; `Err`: there is one of this name.
    pub(super) fn create(&mut self, name: &[u8], now_ms: u64) -> Result<Number, Number> {
        match self.number(name) {
            Some(number) => Err(number),
            None => Ok(self.add(name, Times { seen_ms: now_ms, active_ms: None })),
        }
    }

    fn add(&mut self, name: &[u8], times: Times) -> Number {
        let consumer = Consumer { name: name.into(), times, pending: IdMap::default() };
        let number = self.free.pop().unwrap_or_else(|| {
            self.consumers.push(None);
            let index = u32::try_from(self.consumers.len() - 1);
            Number(index.expect("memory ends before four billion consumers"))
        });
        self.consumers[number.index()] = Some(consumer);
        self.numbers.insert(name.into(), number);
        self.consumer_bytes += 2 * name.len();
        number
    }

    /// Deletes a consumer with all it has pending; how many that were.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.numbers.remove(name)?;
        let consumer = self.consumers[number.index()].take();
        let consumer = consumer.expect("a consumer keeps its number");
        self.consumer_bytes -= 2 * name.len() + consumer.pending.heap_bytes();
        for (id, ()) in consumer.pending.iter_from(Id::MIN) {
            self.pending.remove(id);
        }
        self.free.push(number);
        Some(consumer.pending.len())
    }

    /// Makes an entry pending for a consumer, whoever had it before.
    pub(super) fn assign(&mut self, id: Id, consumer: Number, delivery: Delivery) {
        let before = self.pending.insert(id, Pending { delivery, consumer });
        let before = before.map(|pending| pending.consumer);
        if before == Some(consumer) {
            return;
        }
        if let Some(before) = before {
            self.edit_pending(before, |pending| pending.remove(id));
        }
        self.edit_pending(consumer, |pending| pending.insert(id, ()));
    }

    /// Notes that a pending entry was delivered again.
    pub(super) fn redeliver(&mut self, id: Id, now_ms: u64) {
        if let Some(Pending { delivery, .. }) = self.pending.get_mut(id) {
            *delivery = Delivery { at_ms: now_ms, count: delivery.count.wrapping_add(1) };
        }
    }

    /// Takes an entry out of what is pending; whether it was.
    pub(super) fn settle(&mut self, id: Id) -> bool {
        let Some(pending) = self.pending.remove(id) else { return false };
        self.edit_pending(pending.consumer, |pending| pending.remove(id));
        true
    }

    fn consumer_mut(&mut self, number: Number) -> &mut Consumer {
        self.consumers[number.index()].as_mut().expect("a consumer keeps its number")
    }

    fn edit_pending<R>(&mut self, number: Number, edit: impl FnOnce(&mut IdMap<()>) -> R) {
        let pending = &mut self.consumer_mut(number).pending;
        let before = pending.heap_bytes();
        edit(pending);
        let after = pending.heap_bytes();
        self.consumer_bytes = self.consumer_bytes + after - before;
    }
}

// Copies have no more room than they need, so their bytes are counted anew.

impl Clone for Groups {
    fn clone(&self) -> Groups {
        let by_name = self.by_name.clone();
        let bytes = by_name.iter().map(|(name, group)| name.len() + group.own_bytes()).sum();
        Groups { by_name, bytes }
    }
}

impl Clone for Group {
    fn clone(&self) -> Group {
        let (numbers, consumers) = (self.numbers.clone(), self.consumers.clone());
        let bytes = |consumer: &Consumer| 2 * consumer.name.len() + consumer.pending.heap_bytes();
        let consumer_bytes = consumers.iter().flatten().map(bytes).sum();
        let (pending, free) = (self.pending.clone(), self.free.clone());
        Group { progress: self.progress, pending, numbers, consumers, free, consumer_bytes }
    }
}

/// Putting together what was stored apart, and believing none of it.
impl Group {
    /// Adds a consumer without anything pending.
    pub(crate) fn push_consumer(&mut self, name: &[u8], times: Times) -> Result<Number, Fault> {
        if self.numbers.contains_key(name) {
            return Err("a group's consumer twice");
        }
        Ok(self.add(name, times))
    }

    /// Makes an entry pending that is not.
    pub(crate) fn push_pending(
        &mut self,
        id: Id,
        consumer: Number,
        delivery: Delivery,
    ) -> Result<(), Fault> {
        if self.pending.get(id).is_some() {
            return Err("a group's pending entry twice");
        }
        self.assign(id, consumer, delivery);
        Ok(())
    }
}
