//! The machine without Raft: entries built as the proposer builds them, applied by hand.

use std::sync::Arc;

use bytes::Bytes;
use keyspace::entry::{EntryWriter, Origin};
use keyspace::{Clock, Keyspace};
use raft::{Committed, Machine};
use resp::Reply;

use super::*;
use crate::segment::{Op, OpKind, Segment};
use crate::settings::Settings;
use crate::watch::{Watch, WatchFlag};

const NOW_MS: u64 = 1_800_000_000_000;
const TERM: u64 = 3;

/// A machine that leads.
pub(crate) fn machine() -> ShardMachine {
    let blocked = Arc::new(Blocked::default());
    blocked.lead(Some(TERM));
    ShardMachine {
        keyspace: Arc::new(Keyspace::new(16)),
        batcher: Arc::new(Batcher::new(1, Arc::new(Settings::default()), blocked.clone())),
        watches: Arc::default(),
        blocked,
        slots: Arc::new(crate::slots::Slots::standalone()),
        stats: Arc::default(),
    }
}

fn payload(writes: &EntryWriter) -> Bytes {
    let mut writer = EntryWriter::default();
    writer.append(writes);
    // Another process' origin: nobody here waits for it.
    writer.finish(Origin { boot: 99, batch: 0 }, Clock { now_ms: NOW_MS, seed: 1 })
}

fn follow(machine: &ShardMachine, term: u64, writes: &EntryWriter) {
    machine.apply(Committed { index: 1, term, payload: &payload(writes) }).unwrap();
}

/// Applies a segment as the leader does, and returns its replies.
fn lead(machine: &ShardMachine, segment: &mut Segment) -> String {
    let payload = payload(&segment.writes);
    let reader = EntryReader::new(&payload).unwrap();
    let mut applying = Applying::new(machine, &reader, TERM, true);
    assert_eq!(applying.lead(segment), Ok(Then::Deliver));
    String::from_utf8(segment.out.to_vec()).unwrap()
}

fn get(machine: &ShardMachine, key: &[u8]) -> String {
    let mut segment = Segment::default();
    segment.read(0, &[b"get", key], false);
    run_reads(&machine.keyspace, &mut segment, NOW_MS).unwrap();
    String::from_utf8(segment.out.to_vec()).unwrap()
}

fn watched_transaction(machine: &ShardMachine, key: &[u8]) -> (Segment, Arc<WatchFlag>) {
    let mut watch = Watch { term: TERM, ..Watch::new(1, 0) };
    machine.watches.add(0, key, &watch.flag);
    watch.keys.push((0, key.to_vec()));
    let mut segment = Segment::default();
    let commands = [(0, vec![&b"set"[..], key, b"from-exec"])];
    segment.transaction(true, Some(&watch), &commands, false);
    (segment, watch.flag)
}

#[test]
fn replies_come_in_the_order_of_the_commands() {
    let machine = machine();
    let mut segment = Segment::default();
    segment.write(0, &[b"set", b"k", b"1"], false);
    segment.read(0, &[b"get", b"k"], false);
    segment.literal(&Reply::Status("PONG".into()), segment.protocol);
    segment.write(0, &[b"incr", b"k"], false);
    segment.write(0, &[b"incr", b"k"], true);
    segment.read(0, &[b"get", b"k"], false);
    assert_eq!(lead(&machine, &mut segment), "+OK\r\n$1\r\n1\r\n+PONG\r\n:2\r\n$1\r\n3\r\n");
}

#[test]
fn operations_of_one_kind_are_joined_and_literals_are_not() {
    let mut segment = Segment::default();
    segment.write(0, &[b"incr", b"k"], false);
    segment.write(0, &[b"incr", b"k"], false);
    segment.literal(&Reply::OK, segment.protocol);
    segment.literal(&Reply::OK, segment.protocol);
    let counts: Vec<u32> = segment.ops.iter().map(|op| op.count).collect();
    assert_eq!(counts, [2, 5, 5]);
    assert_eq!(segment.ops[0], Op { kind: OpKind::Write, count: 2, silent: false });
    segment.refuse(&Reply::error("ERR no"));
    assert_eq!(&segment.out[..], b"-ERR no\r\n-ERR no\r\n+OK\r\n+OK\r\n");
}

#[test]
fn a_follower_ends_where_the_leader_does() {
    let (leader, follower) = (machine(), machine());
    let mut segment = Segment::default();
    segment.write(0, &[b"set", b"a", b"1"], false);
    segment.write(0, &[b"append", b"a", b"2"], false);
    segment.write(5, &[b"set", b"b", b"x", b"px", b"5000"], false);
    follow(&follower, TERM, &segment.writes);
    lead(&leader, &mut segment);
    for db in [0, 5] {
        for slot in 0..keyspace::slot::SLOTS {
            let both = [&leader, &follower].map(|machine| machine.keyspace.digest(db, slot));
            assert_eq!(both[0], both[1]);
        }
    }
    assert_eq!(get(&follower, b"a"), "$2\r\n12\r\n");
}

#[test]
fn a_watched_transaction_runs_if_nothing_changed() {
    let machine = machine();
    let (mut segment, flag) = watched_transaction(&machine, b"k");
    assert!(!flag.is_set());
    assert_eq!(lead(&machine, &mut segment), "*1\r\n+OK\r\n");
    assert_eq!(get(&machine, b"k"), "$9\r\nfrom-exec\r\n");
}

#[test]
fn a_change_sets_the_flag_of_its_watchers() {
    let machine = machine();
    let (_, flag) = watched_transaction(&machine, b"k");
    let mut other = EntryWriter::default();
    other.command(0, &[b"set", b"other", b"1"]);
    follow(&machine, TERM, &other);
    assert!(!flag.is_set());
    other.clear();
    other.command(0, &[b"set", b"k", b"1"]);
    follow(&machine, TERM, &other);
    assert!(flag.is_set());
}

#[test]
fn a_watched_transaction_aborts_after_a_change_in_its_own_entry() {
    let machine = machine();
    let (exec, _) = watched_transaction(&machine, b"k");
    let mut writes = EntryWriter::default();
    writes.command(0, &[b"set", b"k", b"first"]);
    writes.append(&exec.writes);
    follow(&machine, TERM, &writes);
    assert_eq!(get(&machine, b"k"), "$5\r\nfirst\r\n");
}

#[test]
fn a_watched_transaction_aborts_in_another_term() {
    let machine = machine();
    let (exec, _) = watched_transaction(&machine, b"k");
    follow(&machine, TERM + 1, &exec.writes);
    assert_eq!(get(&machine, b"k"), "$-1\r\n");
}

#[test]
fn what_cannot_be_understood_stops_the_node() {
    let machine = machine();
    let apply = |payload: Bytes| machine.apply(Committed { index: 1, term: 1, payload: &payload });
    assert!(apply(Bytes::from_static(b"garbage")).is_err());
    let mut unknown = EntryWriter::default();
    unknown.command(0, &[b"no-such-command"]);
    assert!(apply(payload(&unknown)).is_err());
    let mut short = EntryWriter::default();
    short.command(0, &[b"set", b"k"]);
    assert!(apply(payload(&short)).is_err());
}

#[test]
fn a_restored_machine_has_the_pinned_state() {
    let (first, second) = (machine(), machine());
    let mut writes = EntryWriter::default();
    writes.command(0, &[b"set", b"a", b"1"]);
    follow(&first, TERM, &writes);
    let mut pin = first.pin(None);
    writes.clear();
    writes.command(0, &[b"set", b"a", b"2"]);
    follow(&first, TERM, &writes);
    let mut units = std::iter::from_fn(|| pin.next_unit()).map(Ok);
    second.restore(&mut units).unwrap();
    assert_eq!(get(&second, b"a"), "$1\r\n1\r\n");
}
