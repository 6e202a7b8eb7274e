//! Who waits for which key, in the order of arrival.

use std::collections::{BTreeSet, HashMap};

use keyspace::command::Group;
use keyspace::{Command, Kind};

/// What a command waits for a key to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A list: the pops.
    List,
    /// A sorted set: the pops.
    SortedSet,
    /// A stream: the reads, which look at every change of their keys.
    Stream,
}

impl Wanted {
    /// What `command` waits for.
    pub fn by(command: &Command) -> Wanted {
        match command.spec.group {
            Group::List => Wanted::List,
            Group::SortedSet => Wanted::SortedSet,
            _ => Wanted::Stream,
        }
    }

    /// Whether a key that holds `kind` now, or does not exist, may be what was waited for. Only
    /// streams' readers also want to know that their key is gone.
    pub fn may_want(self, kind: Option<Kind>) -> bool {
        match self {
            Wanted::List => kind == Some(Kind::List),
            Wanted::SortedSet => kind == Some(Kind::Zset),
            Wanted::Stream => true,
        }
    }
}

/// The keys that a command waits for, and the one that it may feed when it is served.
pub struct Keys<'a> {
    /// It waits for these.
    pub waited: Vec<&'a [u8]>,
    /// It pushes to this one.
    pub fed: Option<&'a [u8]>,
}

impl<'a> Keys<'a> {
    /// The keys of a command that may wait. Malformed ones are none: its attempt answers so.
    pub fn of(command: &Command, args: &[&'a [u8]]) -> Keys<'a> {
        let mut waited = Vec::new();
        let _ = command.spec.key_indexes(args, &mut |index| waited.push(args[index]));
        // The two that move an element name where it goes behind where it comes from.
        let moves = matches!(command.spec.name, "blmove" | "brpoplpush") && waited.len() == 2;
        let fed = if moves { waited.pop() } else { None };
        Keys { waited, fed }
    }
}

/// Those who wait for one key, by what they want of it.
#[derive(Default)]
pub struct Queue {
    lists: BTreeSet<u64>,
    sorted_sets: BTreeSet<u64>,
    streams: BTreeSet<u64>,
}

impl Queue {
    /// Those who want that, first come first.
    pub fn who_want(&self, wanted: Wanted) -> &BTreeSet<u64> {
        match wanted {
            Wanted::List => &self.lists,
            Wanted::SortedSet => &self.sorted_sets,
            Wanted::Stream => &self.streams,
        }
    }

    /// Those who may want a key that holds `kind` now: pops first, then readers.
    pub fn who_may_want(&self, kind: Option<Kind>) -> impl Iterator<Item = u64> {
        let all = [Wanted::List, Wanted::SortedSet, Wanted::Stream];
        let wanted = all.into_iter().filter(move |wanted| wanted.may_want(kind));
        wanted.flat_map(|wanted| self.who_want(wanted).iter().copied())
    }

    fn who_want_mut(&mut self, wanted: Wanted) -> &mut BTreeSet<u64> {
        match wanted {
            Wanted::List => &mut self.lists,
            Wanted::SortedSet => &mut self.sorted_sets,
            Wanted::Stream => &mut self.streams,
        }
    }

    fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.sorted_sets.is_empty() && self.streams.is_empty()
    }
}

/// All queues. Looked up without a copy of the key.
#[derive(Default)]
pub struct Queues {
    /// By database, then by key.
    databases: Vec<HashMap<Vec<u8>, Queue>>,
}

impl Queues {
    /// Who waits for a key.
    pub fn get(&self, db: u8, key: &[u8]) -> Option<&Queue> {
        self.databases.get(usize::from(db))?.get(key)
    }

    /// All databases that anybody ever waited in are below.
    pub fn databases(&self) -> u8 {
        u8::try_from(self.databases.len()).unwrap_or(u8::MAX)
    }

    /// Adds one who waits.
    pub fn add(&mut self, db: u8, key: &[u8], wanted: Wanted, waiter: u64) {
        let db = usize::from(db);
        if self.databases.len() <= db {
            self.databases.resize_with(db + 1, HashMap::new);
        }
        let queues = &mut self.databases[db];
        match queues.get_mut(key) {
            Some(queue) => queue.who_want_mut(wanted).insert(waiter),
            None => queues.entry(key.to_vec()).or_default().who_want_mut(wanted).insert(waiter),
        };
    }

    /// Takes one out who waited.
    pub fn remove(&mut self, db: u8, key: &[u8], wanted: Wanted, waiter: u64) {
        let Some(queues) = self.databases.get_mut(usize::from(db)) else { return };
        let Some(queue) = queues.get_mut(key) else { return };
        queue.who_want_mut(wanted).remove(&waiter);
        if queue.is_empty() {
            queues.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_stand_in_the_order_of_their_arrival() {
        let mut queues = Queues::default();
        for waiter in [3, 1, 2] {
            queues.add(0, b"k", Wanted::List, waiter);
        }
        queues.add(0, b"k", Wanted::Stream, 4);
        queues.add(1, b"k", Wanted::List, 5);
        let of = |kind| queues.get(0, b"k").unwrap().who_may_want(kind).collect::<Vec<_>>();
        assert_eq!(of(Some(Kind::List)), [1, 2, 3, 4]);
        assert_eq!(of(Some(Kind::Zset)), [4]);
        assert_eq!(of(None), [4]);
        assert!(queues.get(0, b"other").is_none());
        assert!(queues.get(7, b"k").is_none());
    }

    #[test]
    fn a_key_that_nobody_waits_for_takes_no_room() {
        let mut queues = Queues::default();
        queues.add(0, b"k", Wanted::SortedSet, 1);
        queues.add(0, b"k", Wanted::SortedSet, 1);
        queues.remove(0, b"k", Wanted::SortedSet, 1);
        queues.remove(0, b"k", Wanted::SortedSet, 1);
        assert!(queues.get(0, b"k").is_none());
        assert!(queues.databases[0].is_empty());
    }
}
