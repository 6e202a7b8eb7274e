//! Two shards' machines without Raft: steps and entries as the proposers build them, by hand.

use bytes::Bytes;
use keyspace::entry::{EntryWriter, Origin};
use raft::{Committed, Machine, UnitId};

use super::*;
use crate::batch::Batcher;
use crate::blocked::Blocked;
use crate::machine::ShardMachine;
use crate::settings::Settings;
use crate::watch::WatchFlag;

const NOW_MS: u64 = 1_800_000_000_000;
const TERM: u64 = 3;
const ID: MoveId = MoveId { migration: 1, number: 0, attempt: 1 };

fn shard(owned: SlotSet) -> ShardMachine {
    let blocked = Arc::new(Blocked::default());
    let machine = ShardMachine {
        keyspace: Arc::new(Keyspace::new(1)),
        batcher: Arc::new(Batcher::new(1, Arc::new(Settings::default()), blocked.clone())),
        watches: Arc::default(),
        blocked,
        slots: Arc::new(Slots::clustered()),
        stats: Arc::default(),
    };
    step(&machine, Step::Claim { slots: owned });
    machine
}

fn apply(machine: &ShardMachine, term: u64, payload: Vec<u8>) {
    machine.apply(Committed { index: 1, term, payload: &Bytes::from(payload) }).unwrap();
}

fn step(machine: &ShardMachine, step: Step) {
    apply(machine, TERM, step.encode());
}

fn write(machine: &ShardMachine, term: u64, line: &str) {
    let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
    let mut writer = EntryWriter::default();
    writer.command(0, &args);
    let clock = Clock { now_ms: NOW_MS, seed: line.len() as u64 };
    apply(machine, term, writer.finish(Origin { boot: 9, batch: 0 }, clock).to_vec());
}

fn slots(tags: &[&str]) -> SlotSet {
    tags.iter().map(|tag| slot_of(tag.as_bytes())).collect()
}

fn digest(machine: &ShardMachine, tag: &str) -> u64 {
    machine.keyspace.digest(0, slot_of(tag.as_bytes()))
}

/// The same machine on a replica that starts from a checkpoint.
fn restored(machine: &ShardMachine) -> ShardMachine {
    let mut pin = machine.pin(None);
    let mut units: Vec<(UnitId, Vec<u8>)> = std::iter::from_fn(|| pin.next_unit()).collect();
    units.retain(|(_, bytes)| !bytes.is_empty());
    let copy = shard(SlotSet::new());
    copy.restore(&mut units.into_iter().map(Ok)).unwrap();
    copy
}

/// Hands over what there is.
fn stream(export: &Export, target: &ShardMachine, chunk: &mut u64) {
    while let Next::Chunk(body) = export.next_chunk(40) {
        step(target, Step::Import { id: ID, chunk: *chunk, body });
        *chunk += 1;
    }
}

fn begin(source: &ShardMachine, target: &ShardMachine) -> Arc<Export> {
    let export = source.slots.expect(ID);
    assert!(!export.is_pin_done());
    step(source, Step::Export { id: ID, slots: slots(&["a"]), to: 1 });
    step(target, Step::Open { id: ID, slots: slots(&["a"]), from: 0 });
    export
}

fn pair() -> (ShardMachine, ShardMachine) {
    let source = shard(slots(&["a", "b"]));
    for line in ["rpush {a}l 1 2 3", "set {a}s value-of-some-length-0123456789", "set {b}s 1"] {
        write(&source, TERM, line);
    }
    let target = shard(SlotSet::new());
    write(&target, TERM, "set c 1");
    (source, target)
}

#[test]
fn slots_move_while_they_are_written_and_checkpoints_are_taken() {
    let (source, mut target) = pair();
    let export = begin(&source, &target);
    write(&source, TERM, "sadd {a}set a b c d e f g");
    let mut chunk = 0;
    if let Next::Chunk(body) = export.next_chunk(40) {
        step(&target, Step::Import { id: ID, chunk, body });
        chunk += 1;
    }
    // A piece of a unit has come, and not its last.
    target = restored(&target);
    for line in ["spop {a}set 3", "del {b}s", "rpush {a}l 4", "pexpire {a}s 100000"] {
        write(&source, TERM, line);
    }
    stream(&export, &target, &mut chunk);
    assert!(export.is_pin_done());
    assert!(target.slots.staging_bytes() > 0);
    target = restored(&target);
    assert_eq!(digest(&target, "a"), 0);
    write(&source, TERM, "spop {a}set 2");
    step(&source, Step::Freeze { id: ID });
    assert!(export.is_frozen());
    assert_eq!(source.slots.states().get(slot_of(b"a")), SlotState::Frozen);
    stream(&export, &target, &mut chunk);
    step(&target, Step::Activate { id: ID, chunks: chunk - 1 });
    assert!(!target.slots.states().is_owned(slot_of(b"a")));
    step(&target, Step::Activate { id: ID, chunks: chunk });
    assert!(target.slots.states().is_owned(slot_of(b"a")));
    assert_eq!(digest(&target, "a"), digest(&source, "a"));
    assert_ne!(digest(&target, "a"), 0);
    step(&source, Step::Release { id: ID });
    assert_eq!(digest(&source, "a"), 0);
    assert_eq!(source.slots.states().get(slot_of(b"a")), SlotState::Foreign);
    assert!(source.slots.states().is_owned(slot_of(b"b")));
    assert_eq!(export.next_chunk(40), Next::Lost);
    let copy = restored(&target);
    assert_eq!(digest(&copy, "a"), digest(&target, "a"));
    assert!(copy.slots.states().is_owned(slot_of(b"a")));
    assert_eq!(copy.slots.look(GroupSlots::clone), target.slots.look(GroupSlots::clone));
}

#[test]
fn nothing_is_written_that_is_not_owned() {
    let (source, target) = pair();
    let _export = begin(&source, &target);
    step(&source, Step::Freeze { id: ID });
    let before = digest(&source, "a");
    for line in ["set {a}s 2", "flushall", "del {a}l"] {
        write(&source, TERM, line);
    }
    assert_eq!(digest(&source, "a"), before);
    assert_eq!(source.slots.refused(), 3);
    write(&source, TERM, "set {b}s 2");
    write(&target, TERM, "set {a}s 2");
    assert_eq!(digest(&target, "a"), 0);
    step(&target, Step::Abort { id: ID });
    step(&source, Step::Cancel { id: ID });
    write(&source, TERM, "flushall");
    assert_eq!(digest(&source, "a"), 0);
    assert_eq!(source.slots.refused(), 3);
}

#[test]
fn what_empties_everything_empties_what_is_coming() {
    let (source, target) = pair();
    let export = begin(&source, &target);
    write(&source, TERM, "flushall");
    write(&source, TERM, "set {a}new 1");
    let mut chunk = 0;
    stream(&export, &target, &mut chunk);
    step(&source, Step::Freeze { id: ID });
    step(&target, Step::Activate { id: ID, chunks: chunk });
    assert_eq!(target.keyspace.slot_len(slot_of(b"a")), 1);
    assert_eq!(digest(&target, "a"), digest(&source, "a"));
    assert_eq!(target.keyspace.len(0), 2);
}

#[test]
fn another_term_loses_the_export() {
    let (source, target) = pair();
    let export = begin(&source, &target);
    write(&source, TERM + 1, "set {a}s 2");
    assert_eq!(export.next_chunk(40), Next::Lost);
    assert!(export.is_lost());
    // Who did not propose it pins nothing.
    let (source, _) = pair();
    let other = source.slots.expect(MoveId { number: 7, ..ID });
    step(&source, Step::Export { id: ID, slots: slots(&["a"]), to: 1 });
    assert_eq!(other.next_chunk(40), Next::Empty);
}

#[test]
fn a_chunk_that_is_of_no_use_is_not_taken() {
    let (source, target) = pair();
    let _export = begin(&source, &target);
    for body in [vec![], vec![9], vec![1, 0, 0, 0, 0, 1, 77], vec![2, 1]] {
        step(&target, Step::Import { id: ID, chunk: 0, body });
        assert_eq!(target.slots.standing(ID), Standing::Open { next_chunk: 0 });
    }
    step(&target, Step::Abort { id: ID });
    assert_eq!(target.slots.staging_bytes(), 0);
    // Places that are free again have no units in the next checkpoint.
    let copy = restored(&target);
    assert_eq!(copy.slots.look(GroupSlots::clone), target.slots.look(GroupSlots::clone));
}

#[test]
fn watches_on_slots_that_left_are_broken() {
    let (source, target) = pair();
    let (gone, kept) = (Arc::new(WatchFlag::default()), Arc::new(WatchFlag::default()));
    source.watches.add(0, b"{a}none", &gone);
    source.watches.add(0, b"{b}none", &kept);
    let _export = begin(&source, &target);
    step(&source, Step::Freeze { id: ID });
    assert!(!gone.is_set());
    step(&source, Step::Release { id: ID });
    assert!(gone.is_set() && !kept.is_set());
}

#[test]
fn units_that_do_not_belong_are_refused() {
    let target = pair().1;
    let restore = |unit: UnitId, bytes: &[u8]| {
        let copy = shard(SlotSet::new());
        copy.restore(&mut std::iter::once(Ok((unit, bytes.to_vec()))))
    };
    assert!(restore(SLOTS_UNIT, &[9]).is_err());
    assert!(restore(SLOTS_UNIT + 1, &[1]).is_err());
    let mut pin = target.pin(None);
    let group = std::iter::from_fn(|| pin.next_unit()).find(|(unit, _)| *unit == SLOTS_UNIT);
    let (_, bytes) = group.unwrap();
    restore(SLOTS_UNIT, &bytes).unwrap();
    for cut in 0..bytes.len() {
        assert!(restore(SLOTS_UNIT, &bytes[..cut]).is_err() || cut == 0);
    }
}
