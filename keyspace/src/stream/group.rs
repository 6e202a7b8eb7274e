//! Consumer groups: how far each has read, and who has what pending.
//!
//! Invariants: what a group has pending is what its consumers have pending, each of it one
//! consumer's; groups and consumers are in the order of their names.
//!
//! They are few, and mostly created once: sorted vectors hold them, without a tree's slack.

use super::id::Id;
use super::log::Log;
use super::pending::IdMap;
use crate::wire::Fault;

/// The groups of a stream.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    sorted: Vec<Group>,
    /// What the groups have on the heap.
    bytes: usize,
}

/// A consumer group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Its name, once it is among the groups.
    name: Box<[u8]>,
    pub(super) progress: Progress,
    pending: IdMap<Pending>,
    /// The consumers' numbers, in the order of their names.
    sorted: Vec<Number>,
    /// The consumers by their numbers.
    consumers: Vec<Option<Consumer>>,
    /// Numbers that are free again: which one a consumer gets, nobody outside may learn.
    free: Vec<Number>,
    /// What the consumers have on the heap.
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

    fn heap_bytes(&self) -> usize {
        self.name.len() + self.pending.heap_bytes()
    }
}

/// Room for one more, and for few others: there may never be any.
fn make_room<T>(all: &mut Vec<T>) {
    if all.len() == all.capacity() {
        all.reserve_exact(all.len() / 8 + 1);
    }
}

impl Groups {
    /// Number of groups.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// By their names.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.sorted.iter().map(|group| (&*group.name, group))
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Group> {
        self.find(name).ok().map(|at| &self.sorted[at])
    }

    /// Adds a group; whether there was none of this name.
    pub(crate) fn insert(&mut self, name: &[u8], mut group: Group) -> bool {
        let Err(at) = self.find(name) else { return false };
        group.name = name.into();
        self.bytes += group.heap_bytes();
        make_room(&mut self.sorted);
        self.sorted.insert(at, group);
        true
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let Ok(at) = self.find(name) else { return false };
        self.bytes -= self.sorted.remove(at).heap_bytes();
        true
    }

    /// Changes a group, if it exists.
    pub(super) fn edit<R>(&mut self, name: &[u8], edit: impl FnOnce(&mut Group) -> R) -> Option<R> {
        let at = self.find(name).ok()?;
        let group = &mut self.sorted[at];
        let before = group.heap_bytes();
        let result = edit(group);
        self.bytes = self.bytes + group.heap_bytes() - before;
        Some(result)
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes + self.sorted.capacity() * size_of::<Group>()
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.sorted.binary_search_by(|group| (*group.name).cmp(name))
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
        self.sorted.iter().map(|number| self.consumer(*number))
    }

    pub(super) fn number(&self, name: &[u8]) -> Option<Number> {
        self.find(name).ok().map(|at| self.sorted[at])
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

    fn heap_bytes(&self) -> usize {
        self.name.len()
            + self.pending.heap_bytes()
            + self.sorted.capacity() * size_of::<Number>()
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.free.capacity() * size_of::<Number>()
            + self.consumer_bytes
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.sorted.binary_search_by(|number| self.consumer(*number).name().cmp(name))
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
        self.add(name, Times { seen_ms: now_ms, active_ms: None })
    }

    fn add(&mut self, name: &[u8], times: Times) -> Result<Number, Number> {
        let at = match self.find(name) {
            Ok(at) => return Err(self.sorted[at]),
            Err(at) => at,
        };
        let number = self.free.pop().unwrap_or_else(|| {
            make_room(&mut self.consumers);
            self.consumers.push(None);
            let index = u32::try_from(self.consumers.len() - 1);
            Number(index.expect("memory ends before four billion consumers"))
        });
        let consumer = Consumer { name: name.into(), times, pending: IdMap::default() };
        self.consumer_bytes += consumer.heap_bytes();
        self.consumers[number.index()] = Some(consumer);
        make_room(&mut self.sorted);
        self.sorted.insert(at, number);
        Ok(number)
    }

    /// Deletes a consumer with all it has pending; how many that were.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.sorted.remove(self.find(name).ok()?);
        let consumer = self.consumers[number.index()].take();
        let consumer = consumer.expect("a consumer keeps its number");
        self.consumer_bytes -= consumer.heap_bytes();
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
        let sorted = self.sorted.clone();
        let bytes = sorted.iter().map(Group::heap_bytes).sum();
        Groups { sorted, bytes }
    }
}

impl Clone for Group {
    fn clone(&self) -> Group {
        let consumers = self.consumers.clone();
        Group {
            name: self.name.clone(),
            progress: self.progress,
            pending: self.pending.clone(),
            sorted: self.sorted.clone(),
            consumer_bytes: consumers.iter().flatten().map(Consumer::heap_bytes).sum(),
            consumers,
            free: self.free.clone(),
        }
    }
}

/// Putting together what was stored apart, and believing none of it.
impl Group {
    /// Adds a consumer without anything pending.
    pub(crate) fn push_consumer(&mut self, name: &[u8], times: Times) -> Result<Number, Fault> {
        self.add(name, times).map_err(|_| "a group's consumer twice")
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::{Stream, codec};
    use super::*;
    use crate::wire::WireReader;

    /// What consumers have pending, and when they were heard of.
    #[derive(Default)]
    struct Model {
        consumers: BTreeMap<Vec<u8>, Times>,
        pending: BTreeMap<Id, (Vec<u8>, Delivery)>,
    }

    #[derive(Clone, Debug)]
    enum Step {
        See(u8),
        Create(u8),
        Remove(u8),
        Assign(u8, u64, u64),
        Redeliver(u64),
        Settle(u64, u64),
        StoreAndLoad,
        Copy,
    }

    fn step() -> impl Strategy<Value = Step> {
        let (name, id) = (|| 0..6_u8, || 0..300_u64);
        prop_oneof![
            2 => name().prop_map(Step::See),
            2 => name().prop_map(Step::Create),
            1 => name().prop_map(Step::Remove),
            8 => (name(), id(), 1..50_u64).prop_map(|(name, id, n)| Step::Assign(name, id, n)),
            2 => id().prop_map(Step::Redeliver),
            6 => (id(), 1..50_u64).prop_map(|(id, n)| Step::Settle(id, n)),
            1 => Just(Step::StoreAndLoad),
            1 => Just(Step::Copy),
        ]
    }

    fn id(number: u64) -> Id {
        Id { ms: number / 3, seq: number % 3 }
    }

    fn stored_and_loaded(stream: &Stream) -> Stream {
        let (mut bytes, mut again) = (Vec::new(), Vec::new());
        codec::encode(stream, &mut bytes);
        let loaded = codec::decode(&mut WireReader::new(&bytes)).unwrap();
        codec::encode(&loaded, &mut again);
        assert_eq!(bytes, again);
        loaded
    }

    impl Model {
        fn step(&mut self, stream: &mut Stream, step: &Step, now_ms: u64) {
            let edit = |group: &mut Group, _: &Log| self.step_group(group, step, now_ms);
            match step {
                Step::StoreAndLoad => *stream = stored_and_loaded(stream),
                Step::Copy => *stream = stream.clone(),
                _ => stream.edit_group(b"group", edit).unwrap(),
            }
        }

        fn step_group(&mut self, group: &mut Group, step: &Step, now_ms: u64) {
            let new = Times { seen_ms: now_ms, active_ms: None };
            match step {
                Step::See(name) => {
                    let number = group.see(&[*name], now_ms);
                    group.note_active(number, now_ms);
                    let times = Times { seen_ms: now_ms, active_ms: Some(now_ms) };
                    self.consumers.insert(vec![*name], times);
                }
                Step::Create(name) => {
                    let is_new = !self.consumers.contains_key(&vec![*name]);
                    assert_eq!(group.create(&[*name], now_ms).is_ok(), is_new);
                    self.consumers.entry(vec![*name]).or_insert(new);
                }
                Step::Remove(name) => {
                    let before = self.pending.len();
                    self.pending.retain(|_, (owner, _)| *owner != [*name]);
                    let settled = before - self.pending.len();
                    let was_there = self.consumers.remove(&vec![*name]).is_some();
                    assert_eq!(group.remove(&[*name]), was_there.then_some(settled));
                }
                Step::Assign(name, from, count) => {
                    let Some(number) = group.number(&[*name]) else { return };
                    for at in *from..from + count {
                        let delivery = Delivery { at_ms: now_ms, count: at };
                        group.assign(id(at), number, delivery);
                        self.pending.insert(id(at), (vec![*name], delivery));
                    }
                }
                Step::Redeliver(at) => {
                    group.redeliver(id(*at), now_ms);
                    if let Some((_, delivery)) = self.pending.get_mut(&id(*at)) {
                        *delivery = Delivery { at_ms: now_ms, count: delivery.count + 1 };
                    }
                }
                Step::Settle(from, count) => {
                    for at in *from..from + count {
                        let was_there = self.pending.remove(&id(at)).is_some();
                        assert_eq!(group.settle(id(at)), was_there);
                    }
                }
                Step::StoreAndLoad | Step::Copy => unreachable!("of the whole stream"),
            }
        }

        fn check(&self, groups: &Groups) {
            let group = groups.get(b"group").unwrap();
            let read = |(id, pending): (Id, &Pending)| {
                (id, (group.consumer(pending.consumer).name().to_vec(), pending.delivery))
            };
            let all: Vec<_> = group.pending_from(Id::MIN).map(read).collect();
            let expected: Vec<_> = self.pending.clone().into_iter().collect();
            assert_eq!(all, expected);
            assert_eq!(group.len(), expected.len());
            let ends = expected.first().map(|(id, _)| *id).zip(expected.last().map(|(id, _)| *id));
            assert_eq!(group.ends(), ends);
            let consumers = group.consumers().map(|one| (one.name().to_vec(), one.times()));
            assert!(consumers.eq(self.consumers.clone()));
            for consumer in group.consumers() {
                let own: Vec<_> = group.pending_of(consumer, Id::MIN).map(read).collect();
                let mut expected = expected.clone();
                expected.retain(|(_, (owner, _))| owner == consumer.name());
                assert_eq!(own, expected);
                assert_eq!(consumer.len(), expected.len());
            }
            let consumers = group.consumers.iter().flatten();
            let bytes: usize = consumers.map(Consumer::heap_bytes).sum();
            assert_eq!(group.consumer_bytes, bytes);
            let bytes: usize = groups.sorted.iter().map(Group::heap_bytes).sum();
            assert_eq!(groups.bytes, bytes);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_pending_is_one_consumers(steps in prop::collection::vec(step(), 0..100)) {
            let (mut stream, mut model) = (Stream::default(), Model::default());
            for name in [&b"other"[..], b"group", b"a"] {
                prop_assert!(stream.groups.insert(name, Group::new(Progress::default())));
                prop_assert!(!stream.groups.insert(name, Group::new(Progress::default())));
            }
            for (now_ms, step) in steps.iter().enumerate() {
                model.step(&mut stream, step, now_ms as u64);
                model.check(&stream.groups);
            }
            prop_assert!(stream.groups.remove(b"group"));
            prop_assert!(!stream.groups.remove(b"group"));
            prop_assert!(stream.groups.iter().map(|(name, _)| name).eq([&b"a"[..], b"other"]));
        }
    }
}
