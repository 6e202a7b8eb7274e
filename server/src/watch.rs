//! WATCH: who is to be told when a key changes.
//!
//! A watch lives on the leader, as a flag that apply sets. EXEC's decision must be the same on
//! every replica, so it is made before the entry exists: the proposer closes a batch that holds a
//! watched EXEC only when nothing else is in flight, drops the EXEC if its flag is set, and inside
//! the entry `apply` compares with the keys that the entry's earlier records changed. A change of
//! leader or term breaks every watch, which aborts the transaction: always safe.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use raft::NodeId;

use crate::node::Node;

/// Set once a watched key changed, or could have.
#[derive(Debug, Default)]
pub struct WatchFlag(AtomicBool);

impl WatchFlag {
    /// A watched key changed.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether one did.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Where a watch is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In this node's table: it led when the keys were watched.
    Here,
    /// At the leader, which knows the keys under the connection's id.
    At(NodeId),
}

/// A client's watched keys.
#[derive(Debug)]
pub struct Watch {
    /// Shared with this node's table, if the watch is kept there.
    pub flag: Arc<WatchFlag>,
    /// The leader's term when the first key was watched; in another term the watch is broken.
    pub term: u64,
    /// The connection's id.
    pub session: u64,
    /// The shard of the keys.
    pub shard: u32,
    /// Where the watch is kept.
    pub home: Home,
    /// Database and key.
    pub keys: Vec<(u8, Vec<u8>)>,
}

impl Watch {
    /// A watch of no keys yet.
    pub fn new(session: u64, shard: u32) -> Watch {
        let flag = Arc::default();
        Watch { flag, term: 0, session, shard, home: Home::Here, keys: Vec::new() }
    }

    /// Whether EXEC must be aborted, as far as can be told here.
    pub fn is_broken(&self, node: &Node) -> bool {
        let elsewhere = self.home == Home::Here && self.term != node.group.term();
        elsewhere || self.flag.is_set()
    }
}

/// Database and key.
type WatchedKey = (u8, Vec<u8>);

/// The watched keys of this node while it leads.
#[derive(Default)]
pub struct Watches {
    /// Watched keys, so that `apply` skips the lock while there are none.
    count: AtomicUsize,
    by_key: Mutex<HashMap<WatchedKey, Vec<Arc<WatchFlag>>>>,
}

impl Watches {
    /// Starts to watch one key for `flag`.
    pub fn add(&self, db: u8, key: &[u8], flag: &Arc<WatchFlag>) {
        let mut by_key = self.by_key.lock();
        by_key.entry((db, key.to_vec())).or_default().push(flag.clone());
        self.count.store(by_key.len(), Ordering::Release);
    }

    /// Forgets a watch (UNWATCH, EXEC, the end of a connection).
    pub fn remove(&self, watch: &Watch) {
        let mut by_key = self.by_key.lock();
        for key in &watch.keys {
            if let Some(flags) = by_key.get_mut(key) {
                flags.retain(|flag| !Arc::ptr_eq(flag, &watch.flag));
                if flags.is_empty() {
                    by_key.remove(key);
                }
            }
        }
        self.count.store(by_key.len(), Ordering::Release);
    }

    /// A key changed: everyone who watches it is told. Called by apply.
    pub fn touched(&self, db: u8, key: &[u8]) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        if let Some(flags) = self.by_key.lock().get(&(db, key.to_vec())) {
            flags.iter().for_each(|flag| flag.set());
        }
    }

    /// Breaks the watches of some keys, whose slots are another shard's now.
    pub fn break_those(&self, is_one: impl Fn(&[u8]) -> bool) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        // The order does not matter: each flag is only set.
        #[allow(clippy::iter_over_hash_type)]
        for ((_, key), flags) in self.by_key.lock().iter() {
            if is_one(key) {
                flags.iter().for_each(|flag| flag.set());
            }
        }
    }

    /// Breaks every watch: the state was replaced, or leadership was lost.
    pub fn break_all(&self) {
        let mut by_key = self.by_key.lock();
        // The order does not matter: each flag is only set.
        #[allow(clippy::iter_over_hash_type)]
        for flags in by_key.values() {
            flags.iter().for_each(|flag| flag.set());
        }
        by_key.clear();
        self.count.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_sets_the_flags_of_that_key_only() {
        let watches = Watches::default();
        let (a, b) = (Arc::new(WatchFlag::default()), Arc::new(WatchFlag::default()));
        watches.add(0, b"a", &a);
        watches.add(0, b"b", &b);
        watches.touched(1, b"a");
        watches.touched(0, b"c");
        assert!(!a.is_set() && !b.is_set());
        watches.touched(0, b"a");
        assert!(a.is_set() && !b.is_set());
    }

    #[test]
    fn a_removed_watch_is_not_told() {
        let watches = Watches::default();
        let flag = Arc::new(WatchFlag::default());
        watches.add(0, b"a", &flag);
        let keys = vec![(0, b"a".to_vec())];
        let watch =
            Watch { flag: flag.clone(), term: 1, session: 1, shard: 0, home: Home::Here, keys };
        watches.remove(&watch);
        watches.touched(0, b"a");
        assert!(!flag.is_set());
    }
}
