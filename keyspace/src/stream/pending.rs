//! Values in the order of their ids: what a group, or one consumer of it, has pending.
//!
//! Runs of at most [`RUN_MAX`] neighbours lie together, in order, and so do the runs: an entry
//! takes little more than its own bytes (a B-tree of the standard library would take 1.7 times as
//! many, and half a kilobyte for one entry). Ids are mostly added at the end and removed near the
//! front, which both ends of a deque make cheap.
//!
//! Invariants: no run is empty; ids ascend within and across runs.

use std::collections::VecDeque;

use super::id::Id;

/// A step within a run moves at most 2.5 KiB of a group's entries.
const RUN_MAX: usize = 64;

/// Neighbours that have shrunk to so many together become one.
const MERGED_MAX: usize = RUN_MAX / 2;

type Run<V> = Vec<(Id, V)>;

/// An ordered map from ids.
#[derive(Debug)]
pub(crate) struct IdMap<V> {
    runs: VecDeque<Run<V>>,
    len: usize,
    /// The runs' capacities, in entries.
    room: usize,
}

/// Where an id is, or where it would be inserted.
struct Place {
    run: usize,
    index: usize,
}

impl<V> IdMap<V> {
    /// Number of ids.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.room * size_of::<(Id, V)>() + self.runs.capacity() * size_of::<Run<V>>()
    }

    /// The value of an id.
    pub(super) fn get(&self, id: Id) -> Option<&V> {
        let Place { run, index } = self.find(id).ok()?;
        Some(&self.runs[run][index].1)
    }

    /// The same, to change.
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut V> {
        let Place { run, index } = self.find(id).ok()?;
        Some(&mut self.runs[run][index].1)
    }

    /// The least id.
    pub(super) fn first(&self) -> Option<Id> {
        self.runs.front().and_then(|run| run.first()).map(|(id, _)| *id)
    }

    /// The greatest id.
    pub(super) fn last(&self) -> Option<Id> {
        self.runs.back().and_then(|run| run.last()).map(|(id, _)| *id)
    }

    /// All from `start` on.
    pub(crate) fn iter_from(&self, start: Id) -> impl Iterator<Item = (Id, &V)> + use<'_, V> {
        let (Ok(place) | Err(place)) = self.find(start);
        let runs = self.runs.range(place.run.min(self.runs.len())..);
        runs.flatten().skip(place.index).map(|(id, value)| (*id, value))
    }

    /// Adds an id, or replaces its value; the value before.
    pub(super) fn insert(&mut self, id: Id, value: V) -> Option<V> {
        let Place { run, index } = match self.find(id) {
            Ok(Place { run, index }) => {
                return Some(std::mem::replace(&mut self.runs[run][index].1, value));
            }
            Err(place) => self.make_room(place),
        };
        let run = &mut self.runs[run];
        let before = run.capacity();
        if run.len() == before {
            // By doubling, but from one on: most consumers have few pending.
            run.reserve_exact(before.max(1).min(RUN_MAX - before));
        }
        self.room += run.capacity() - before;
        run.insert(index, (id, value));
        self.len += 1;
        None
    }

    /// Takes an id out; its value.
    pub(super) fn remove(&mut self, id: Id) -> Option<V> {
        let Place { run: at, index } = self.find(id).ok()?;
        let run = &mut self.runs[at];
        let (_, value) = run.remove(index);
        self.len -= 1;
        if run.is_empty() {
            self.drop_run(at);
        } else if run.len() <= MERGED_MAX / 2 {
            self.merge(at);
        }
        Some(value)
    }

    /// Where the id is; `Err`: where it would be, which may be behind a run's last or, with no run
    /// at all, in a run that is not there.
    fn find(&self, id: Id) -> Result<Place, Place> {
        let behind = self.runs.partition_point(|run| run[0].0 <= id);
        let run = behind.saturating_sub(1);
        let Some(entries) = self.runs.get(run) else { return Err(Place { run, index: 0 }) };
        match entries.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(index) => Ok(Place { run, index }),
            Err(index) => Err(Place { run, index }),
        }
    }

    /// Sees to it that the run has room for one more; where that goes then.
    fn make_room(&mut self, Place { run, index }: Place) -> Place {
        match self.runs.get_mut(run) {
            None => self.insert_run(run, Vec::new()),
            Some(full) if full.len() == RUN_MAX => {
                if index == RUN_MAX {
                    // Behind a full run: most often behind all, where the next ones will go too.
                    if self.runs.get(run + 1).is_none_or(|next| next.len() == RUN_MAX) {
                        self.insert_run(run + 1, Vec::new());
                    }
                    return Place { run: run + 1, index: 0 };
                }
                let half = full.split_off(RUN_MAX / 2);
                self.refit(run);
                self.insert_run(run + 1, half);
                if index > RUN_MAX / 2 {
                    return Place { run: run + 1, index: index - RUN_MAX / 2 };
                }
            }
            Some(_) => {}
        }
        Place { run, index }
    }

    fn insert_run(&mut self, at: usize, run: Run<V>) {
        let runs = self.runs.len();
        if runs == self.runs.capacity() {
            self.runs.reserve_exact((runs / 2).max(1));
        }
        self.room += run.capacity();
        self.runs.insert(at, run);
    }

    fn drop_run(&mut self, at: usize) {
        self.room -= self.runs.remove(at).map_or(0, |run| run.capacity());
        if self.runs.len() < self.runs.capacity() / 4 {
            self.runs.shrink_to(self.runs.len() * 2);
        }
    }

    /// Brings a run that has become short together with a neighbour, if that is short too.
    fn merge(&mut self, at: usize) {
        let short = |at: usize| self.runs[at].len() + self.runs[at + 1].len() <= MERGED_MAX;
        let pairs = [at.checked_sub(1), Some(at).filter(|at| at + 1 < self.runs.len())];
        let Some(first) = pairs.into_iter().flatten().find(|at| short(*at)) else {
            return self.refit(at);
        };
        let second = std::mem::take(&mut self.runs[first + 1]);
        self.room -= second.capacity();
        let run = &mut self.runs[first];
        let before = run.capacity();
        run.extend(second);
        self.room = self.room + run.capacity() - before;
        self.drop_run(first + 1);
        self.refit(first);
    }

    /// Gives memory back if a run needs less than half of its own.
    fn refit(&mut self, at: usize) {
        let run = &mut self.runs[at];
        let before = run.capacity();
        if run.len() <= before / 2 {
            run.shrink_to_fit();
            self.room -= before - run.capacity();
        }
    }
}

impl<V> Default for IdMap<V> {
    fn default() -> IdMap<V> {
        IdMap { runs: VecDeque::new(), len: 0, room: 0 }
    }
}

impl<V: Clone> Clone for IdMap<V> {
    fn clone(&self) -> IdMap<V> {
        let runs = self.runs.clone();
        // A copy of a run has no more room than it needs.
        let room = runs.iter().map(Vec::capacity).sum();
        IdMap { runs, len: self.len, room }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn check(map: &IdMap<u32>, model: &BTreeMap<Id, u32>) {
        let listed: Vec<(Id, u32)> = map.iter_from(Id::MIN).map(|(id, v)| (id, *v)).collect();
        assert_eq!(listed, model.iter().map(|(id, v)| (*id, *v)).collect::<Vec<_>>());
        assert_eq!(map.len(), model.len());
        assert_eq!(map.first(), model.keys().next().copied());
        assert_eq!(map.last(), model.keys().next_back().copied());
        assert!(map.runs.iter().all(|run| (1..=RUN_MAX).contains(&run.len())));
        assert_eq!(map.room, map.runs.iter().map(Vec::capacity).sum::<usize>());
        let short = map.runs.iter().zip(map.runs.iter().skip(1));
        let short = short.filter(|(left, right)| left.len() + right.len() <= MERGED_MAX / 2);
        assert_eq!(short.count(), 0, "runs that should be one");
    }

    fn step() -> impl Strategy<Value = (u8, u64, u64)> {
        (0..10_u8, 0..300_u64, 1..40_u64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn it_is_an_ordered_map(steps in proptest::collection::vec(step(), 0..120)) {
            let (mut map, mut model) = (IdMap::default(), BTreeMap::new());
            for (at, (kind, from, count)) in steps.into_iter().enumerate() {
                for number in from..from + count {
                    let id = Id { ms: number / 7, seq: number % 7 };
                    match kind {
                        0..5 => {
                            let value = at as u32;
                            assert_eq!(map.insert(id, value), model.insert(id, value));
                        }
                        5..8 => assert_eq!(map.remove(id), model.remove(&id)),
                        8 => assert_eq!(map.get_mut(id), model.get_mut(&id)),
                        _ => {
                            let listed = map.iter_from(id).map(|(id, _)| id).take(70);
                            let expected = model.range(id..).map(|(id, _)| *id).take(70);
                            assert!(listed.eq(expected));
                            assert_eq!(map.get(id), model.get(&id));
                        }
                    }
                }
                check(&map, &model);
            }
            check(&map.clone(), &model);
        }
    }

    #[test]
    fn what_is_added_in_order_takes_little_more_than_itself() {
        let mut map = IdMap::default();
        for seq in 0..10_000 {
            map.insert(Id { ms: 1, seq }, ());
        }
        let own_bytes = 10_000 * size_of::<Id>();
        assert!(map.heap_bytes() < own_bytes * 11 / 10, "{} bytes", map.heap_bytes());
        for seq in 1..10_000 {
            map.remove(Id { ms: 1, seq });
        }
        assert!(map.heap_bytes() < 500, "{} bytes for one", map.heap_bytes());
    }
}
