//! A pin is the state at its moment, whatever is written while it is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyspace::{Keyspace, Pin, UnitId};
use proptest::prelude::*;

use crate::world::{Step, World, step};

#[derive(Clone, Debug)]
enum Turn {
    Step(Step),
    /// Starts a pin: of everything, or of what changed since the last one that was finished.
    Pin {
        since: bool,
    },
    /// Takes some units from one of the pins.
    Read {
        pin: usize,
        units: usize,
    },
    Drop {
        pin: usize,
    },
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        12 => step().prop_map(Turn::Step),
        2 => any::<bool>().prop_map(|since| Turn::Pin { since }),
        4 => (0..3_usize, 1..4_usize).prop_map(|(pin, units)| Turn::Read { pin, units }),
        1 => (0..3_usize).prop_map(|pin| Turn::Drop { pin }),
    ]
}

/// What a checkpoint store holds.
type Store = BTreeMap<UnitId, Vec<u8>>;

/// A pin being read, and what it should turn out to be.
struct Reading {
    pin: Pin,
    store: Store,
    digests: Vec<u64>,
    /// How many turns there were before.
    turn: usize,
}

fn restored(store: &Store) -> World {
    let world = World::new(2);
    // Any order of units will do.
    for (unit, bytes) in store.iter().rev() {
        world.keyspace.load_unit(*unit, bytes).expect("a pin gave it");
    }
    world
}

/// Reads up to `units` units; whether the pin is at its end.
fn read(reading: &mut Reading, units: usize) -> bool {
    for _ in 0..units {
        match reading.pin.next_unit() {
            Some((unit, bytes)) => reading.store.insert(unit, bytes),
            None => return true,
        };
    }
    false
}

/// Loads what a pin gave, and replays the turns after it: the state must be the pin's, then today's.
fn check(reading: &Reading, turns: &[Turn], world: &World) {
    let mut copy = restored(&reading.store);
    assert_eq!(copy.digests(), reading.digests);
    copy.now_ms = crate::world::START_MS;
    for (index, turn) in turns.iter().enumerate() {
        match turn {
            Turn::Step(Step::Advance(ms)) => copy.now_ms += ms,
            Turn::Step(step) if index >= reading.turn => {
                copy.step(step);
            }
            _ => {}
        }
    }
    assert_eq!(copy.digests(), world.digests());
    for db in 0..2 {
        assert_eq!(copy.keyspace.len(db), world.keyspace.len(db));
        assert_eq!(copy.keyspace.volatile_len(db), world.keyspace.volatile_len(db));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_pin_is_the_state_at_its_moment(turns in prop::collection::vec(turn(), 1..80)) {
        let mut world = World::new(2);
        let mut readings: Vec<Reading> = Vec::new();
        // The newest whole checkpoint.
        let mut last: Option<(u64, Store)> = None;
        for (index, turn) in turns.iter().enumerate() {
            let so_far = &turns[..index];
            match turn {
                Turn::Step(step) => {
                    world.step(step);
                }
                Turn::Pin { since } => {
                    let base = last.as_ref().filter(|_| *since);
                    let pin = world.keyspace.pin(base.map(|(epoch, _)| *epoch));
                    let store = base.map(|(_, store)| store.clone()).unwrap_or_default();
                    let digests = world.digests();
                    readings.push(Reading { pin, store, digests, turn: index });
                }
                Turn::Read { pin, units } => {
                    let Some(reading) = readings.get_mut(*pin) else { continue };
                    if read(reading, *units) {
                        let reading = readings.remove(*pin);
                        check(&reading, so_far, &world);
                        last = Some((reading.pin.epoch(), reading.store));
                    }
                }
                Turn::Drop { pin } => {
                    if *pin < readings.len() {
                        readings.remove(*pin);
                    }
                }
            }
        }
        for mut reading in readings {
            prop_assert!(read(&mut reading, usize::MAX));
            check(&reading, &turns, &world);
        }
    }
}

#[test]
fn only_what_changed_since_the_last_pin_is_given() {
    let mut world = World::new(16);
    world.words("mset a 1 b 2 c 3");
    let mut pin = world.keyspace.pin(None);
    assert_eq!(std::iter::from_fn(|| pin.next_unit()).count(), 1 + 3);
    world.words("set b 4");
    world.words("del c");
    let mut next = world.keyspace.pin(Some(pin.epoch()));
    let units: Vec<_> = std::iter::from_fn(|| next.next_unit()).collect();
    assert_eq!(units.len(), 1 + 2);
    // A slot that became empty is said to be empty.
    assert_eq!(units.iter().filter(|(_, bytes)| bytes.is_empty()).count(), 1);
    let mut idle = world.keyspace.pin(Some(next.epoch()));
    assert_eq!(std::iter::from_fn(|| idle.next_unit()).count(), 1);
}

#[test]
fn a_restored_keyspace_goes_on_from_the_last_entrys_time() {
    let mut world = World::new(1);
    world.now_ms += 5_000;
    world.words("set a 1 px 100");
    let mut pin = world.keyspace.pin(None);
    let copy = Arc::new(Keyspace::new(1));
    while let Some((unit, bytes)) = pin.next_unit() {
        copy.load_unit(unit, &bytes).unwrap();
    }
    assert_eq!(copy.last_now_ms(), world.now_ms);
    let mut copy = World::over(copy);
    copy.now_ms = 0;
    assert_eq!(copy.words("pttl a"), resp::Reply::Integer(100));
    copy.keyspace.clear();
    assert_eq!(copy.keyspace.last_now_ms(), 0);
    assert!(copy.keyspace.is_empty(0));
}

#[test]
fn units_that_do_not_belong_are_refused_and_change_nothing() {
    let mut world = World::new(2);
    world.words("set a 1");
    let before = world.digests();
    let mut pin = world.keyspace.pin(None);
    let meta = pin.next_unit().unwrap();
    let (unit, bytes) = pin.next_unit().unwrap();
    let refused = |unit, bytes: &[u8]| world.keyspace.load_unit(unit, bytes).unwrap_err();
    assert!(refused(unit + 1, &bytes).to_string().contains("another slot"));
    assert!(refused(unit, &bytes[..bytes.len() - 1]).to_string().contains("cut short"));
    assert!(refused(unit, &[9]).to_string().contains("version"));
    assert!(refused(1 + 2 * 16_384, &bytes).to_string().contains("unknown database"));
    assert!(refused(u32::MAX, &bytes).to_string().contains("unknown database"));
    assert!(refused(0, &[]).to_string().contains("cut short"));
    assert!(Keyspace::new(1).load_unit(meta.0, &meta.1).is_err());
    assert_eq!(world.digests(), before);
}
