//! A machine simple enough to know what it must hold: payloads are `key=value`.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use raft::{Committed, Machine, Pinned, UnitId};

const UNITS: usize = 16;
/// A payload that no machine can apply.
pub(crate) const POISON: &[u8] = b"poison";

#[derive(Default)]
pub(crate) struct KvMachine {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    units: [BTreeMap<String, String>; UNITS],
    /// The epoch each unit was last changed in.
    changed: [u64; UNITS],
    epoch: u64,
    applied: u64,
    restores: u64,
    pins: Vec<Option<u64>>,
}

fn unit_of(key: &str) -> usize {
    key.bytes().map(usize::from).sum::<usize>() % UNITS
}

impl KvMachine {
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.state.lock().units[unit_of(key)].get(key).cloned()
    }

    pub(crate) fn all(&self) -> BTreeMap<String, String> {
        self.state.lock().units.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    pub(crate) fn restores(&self) -> u64 {
        self.state.lock().restores
    }

    /// The argument of every pin so far.
    pub(crate) fn pins(&self) -> Vec<Option<u64>> {
        self.state.lock().pins.clone()
    }
}

impl Machine for KvMachine {
    fn apply(&self, entry: Committed<'_>) -> Result<(), String> {
        let text = std::str::from_utf8(entry.payload).map_err(|error| error.to_string())?;
        let (key, value) = text.split_once('=').ok_or("no equals sign")?;
        let mut state = self.state.lock();
        assert!(entry.index > state.applied, "entries come in order, each once");
        state.applied = entry.index;
        let unit = unit_of(key);
        state.changed[unit] = state.epoch;
        if value.is_empty() {
            state.units[unit].remove(key);
        } else {
            state.units[unit].insert(key.to_string(), value.to_string());
        }
        Ok(())
    }

    fn pin(&self, since: Option<u64>) -> Box<dyn Pinned> {
        let mut state = self.state.lock();
        let epoch = state.epoch;
        state.epoch += 1;
        state.pins.push(since);
        let changed = (0..UNITS).filter(|unit| since.is_none_or(|s| state.changed[*unit] > s));
        let units: Vec<_> = changed
            .map(|unit| {
                let id = UnitId::try_from(unit).unwrap();
                let lines = state.units[unit].iter().map(|(k, v)| format!("{k}={v}\n"));
                (id, lines.collect::<String>().into_bytes())
            })
            .collect();
        Box::new(Pin { epoch, units: units.into_iter() })
    }

    fn restore(
        &self,
        units: &mut dyn Iterator<Item = Result<(UnitId, Vec<u8>), String>>,
    ) -> Result<(), String> {
        let mut state = self.state.lock();
        *state = State { restores: state.restores + 1, ..State::default() };
        for unit in units {
            let (id, bytes) = unit?;
            for line in String::from_utf8(bytes).unwrap().lines() {
                let (key, value) = line.split_once('=').ok_or("a line without equals sign")?;
                state.units[id as usize].insert(key.to_string(), value.to_string());
            }
        }
        Ok(())
    }
}

struct Pin {
    epoch: u64,
    units: std::vec::IntoIter<(UnitId, Vec<u8>)>,
}

impl Pinned for Pin {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
        self.units.next()
    }
}
