//! A model of the store with crash behaviour, for tests and simulation.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::store::{Batch, CheckpointStore};
use crate::Trouble;

/// A store in memory: flushed writes survive a [`MemoryStore::crash`], others vanish.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    unflushed: Vec<Batch>,
    durable: BTreeMap<Vec<u8>, Vec<u8>>,
    fail_flush: bool,
}

impl MemoryStore {
    /// What a process started after a crash finds, if of the writes not yet flushed the first
    /// `kept` had reached the disk.
    pub fn crash(&self, kept: usize) -> MemoryStore {
        let state = self.state.lock();
        let mut durable = state.durable.clone();
        for batch in state.unflushed.iter().take(kept) {
            apply(&mut durable, batch);
        }
        let map = durable.clone();
        MemoryStore { state: Mutex::new(State { map, durable, ..State::default() }) }
    }

    /// How many writes were not flushed yet.
    pub fn unflushed(&self) -> usize {
        self.state.lock().unflushed.len()
    }

    /// Lets every later flush fail, as on a broken disk.
    pub fn break_disk(&self) {
        self.state.lock().fail_flush = true;
    }

    /// Flips one bit of a value; returns whether the key exists.
    pub fn flip(&self, key: &[u8], bit: usize) -> bool {
        let mut state = self.state.lock();
        let Some(value) = state.map.get_mut(key) else { return false };
        let byte = (bit / 8) % value.len();
        value[byte] ^= 1 << (bit % 8);
        true
    }
}

fn apply(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, batch: &Batch) {
    for (key, value) in &batch.changes {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}

impl CheckpointStore for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        Ok(self.state.lock().map.get(key).cloned())
    }

    fn write(&self, batch: Batch) -> Result<(), Trouble> {
        let mut state = self.state.lock();
        apply(&mut state.map, &batch);
        state.unflushed.push(batch);
        Ok(())
    }

    fn flush(&self) -> Result<(), Trouble> {
        let mut state = self.state.lock();
        if state.fail_flush {
            let error = std::io::Error::other("the disk is broken");
            return Err(Trouble::Io { what: "flush", path: "memory".into(), error });
        }
        for batch in std::mem::take(&mut state.unflushed) {
            apply(&mut state.durable, &batch);
        }
        Ok(())
    }

    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
        let state = self.state.lock();
        let from_prefix = state.map.range(prefix.to_vec()..).map(|(key, _)| key);
        Ok(from_prefix.take_while(|key| key.starts_with(prefix)).cloned().collect())
    }
}
