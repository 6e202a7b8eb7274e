//! Those who wait, on a leader and a follower without Raft between them: entries are closed as the
//! proposer closes them, and applied by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keyspace::{Keyspace, Run};
use proptest::prelude::*;
use raft::{Committed, Machine, ProposeError};
use tokio::sync::oneshot;

use super::*;
use crate::batch::Batcher;
use crate::exchange::Waiter;
use crate::machine::ShardMachine;
use crate::settings::Settings;

const NOW_MS: u64 = 1_800_000_000_000;
const TERM: u64 = 3;

/// Another process' batches are of another boot.
fn machine(boot: u64) -> ShardMachine {
    let blocked = Arc::new(Blocked::default());
    ShardMachine {
        keyspace: Arc::new(Keyspace::new(4)),
        batcher: Arc::new(Batcher::new(boot, Arc::new(Settings::default()), blocked.clone())),
        watches: Arc::default(),
        blocked,
        slots: Arc::new(crate::slots::Slots::standalone()),
        stats: Arc::default(),
    }
}

struct Stage {
    leader: ShardMachine,
    follower: ShardMachine,
    batch: u64,
}

/// A command's client.
struct Client {
    segment: oneshot::Receiver<Box<Segment>>,
    ticket: Option<Arc<Ticket>>,
    answer: Option<(Outcome, String)>,
}

impl Client {
    /// What it was answered, if it was.
    fn answer(&mut self) -> Option<(Outcome, String)> {
        if let Ok(segment) = self.segment.try_recv() {
            let text = String::from_utf8(segment.out.to_vec()).unwrap();
            self.answer = Some((segment.outcome, text.replace("\r\n", " ").trim().to_owned()));
        }
        self.answer.clone()
    }

    fn text(&mut self) -> String {
        match self.answer() {
            Some((Outcome::Done, text)) => text,
            Some((outcome, _)) => format!("{outcome:?}"),
            None => "waits".into(),
        }
    }
}

/// A client's segment: one command, or several joined by `;` as a transaction; `db|command` in
/// another database.
fn segment(blocked: &Blocked, line: &str) -> (Box<Segment>, Client) {
    let (db, line) =
        line.split_once('|').map_or((0, line), |(db, rest)| (db.parse().unwrap(), rest));
    let split = |line: &'_ str| -> Vec<Vec<u8>> {
        line.split(' ').filter(|word| !word.is_empty()).map(|word| word.into()).collect()
    };
    let mut segment = Box::<Segment>::default();
    let commands: Vec<Vec<Vec<u8>>> = line.split(';').map(split).collect();
    let commands: Vec<(u8, Vec<&[u8]>)> = commands
        .iter()
        .map(|args| (db, args.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>()))
        .collect();
    let mut ticket = None;
    if let [(db, args)] = &commands[..] {
        segment.write(*db, args, false);
        let command = keyspace::lookup(args).unwrap();
        if let Run::Block(block) = command.run {
            let timeout_ms = (block.timeout_ms)(args).unwrap();
            ticket = Some(blocked.ticket());
            segment.blocking = Some(Blocking::new(ticket.clone().unwrap(), block, timeout_ms));
        }
    } else {
        segment.transaction(true, None, &commands, false);
    }
    let (sender, receiver) = oneshot::channel();
    segment.waiter = Some(Waiter::Task(sender));
    (segment, Client { segment: receiver, ticket, answer: None })
}

impl Stage {
    fn new() -> Stage {
        let stage = Stage { leader: machine(1), follower: machine(2), batch: 0 };
        stage.leader.blocked.lead(Some(TERM));
        stage
    }

    /// Closes a batch of these commands, each of a client of its own.
    fn close(&mut self, lines: &[&str]) -> (Option<(u64, Bytes)>, Vec<Client>) {
        let made = lines.iter().map(|line| segment(&self.leader.blocked, line));
        let (segments, clients): (Vec<_>, Vec<_>) = made.unzip();
        self.batch += 1;
        let payload = self.leader.batcher.close(self.batch, segments, NOW_MS);
        (payload.map(|payload| (self.batch, payload)), clients)
    }

    fn apply(&mut self, (index, payload): (u64, Bytes)) {
        for machine in [&self.leader, &self.follower] {
            machine.apply(Committed { index, term: TERM, payload: &payload }).unwrap();
        }
    }

    /// One batch, applied; its clients.
    fn run(&mut self, lines: &[&str]) -> Vec<Client> {
        let (entry, clients) = self.close(lines);
        self.apply(entry.expect("there are commands"));
        clients
    }

    fn run_one(&mut self, line: &str) -> Client {
        self.run(&[line]).remove(0)
    }

    /// Closes and applies batches without commands until there is nothing to do; how many.
    fn settle(&mut self) -> usize {
        for count in 0..1000 {
            let (entry, _) = self.close(&[]);
            match entry {
                Some(entry) => self.apply(entry),
                None => return count,
            }
        }
        panic!("entries without end");
    }

    fn expect_alike(&self) {
        let both = [&self.leader, &self.follower];
        for db in 0..4 {
            if both.iter().all(|machine| machine.keyspace.is_empty(db)) {
                continue;
            }
            for slot in 0..keyspace::slot::SLOTS {
                let [one, other] = both.map(|machine| machine.keyspace.digest(db, slot));
                assert_eq!(one, other, "the replicas differ in slot {slot} of database {db}");
            }
        }
    }
}

fn texts(clients: &mut [Client]) -> Vec<String> {
    clients.iter_mut().map(Client::text).collect()
}

#[test]
fn one_who_waits_is_served_behind_the_push_and_before_the_next_command() {
    let mut stage = Stage::new();
    let mut waits = stage.run_one("blpop k 0");
    assert_eq!(waits.text(), "waits");
    let mut others = stage.run(&["rpush k a", "lpop k", "llen k"]);
    assert_eq!(waits.text(), "*2 $1 k $1 a");
    assert_eq!(texts(&mut others), [":1", "$-1", ":0"]);
    assert_eq!(stage.settle(), 0);
    assert!(!stage.leader.blocked.any());
    stage.expect_alike();
}

#[test]
fn first_come_first_served() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop k 0", "brpop other k 0", "blpop k 0", "blpop k 0"]);
    stage.run(&["rpush k a b", "get x", "rpush k c"]);
    assert_eq!(texts(&mut waiting), ["*2 $1 k $1 a", "*2 $1 k $1 b", "*2 $1 k $1 c", "waits"]);
    assert_eq!(stage.settle(), 0);
    stage.expect_alike();
}

#[test]
fn a_push_in_the_batch_of_the_pop_is_found_by_the_next_entry() {
    let mut stage = Stage::new();
    let mut clients = stage.run(&["blpop k 0", "rpush k a"]);
    assert_eq!(texts(&mut clients), ["waits", ":1"]);
    assert_eq!(stage.settle(), 1);
    assert_eq!(clients[0].text(), "*2 $1 k $1 a");
    stage.expect_alike();
}

#[test]
fn what_is_there_is_taken_at_once() {
    let mut stage = Stage::new();
    let mut clients = stage.run(&["rpush k a", "blpop k 0", "blmpop 0 1 k left"]);
    assert_eq!(texts(&mut clients), [":1", "*2 $1 k $1 a", "waits"]);
    assert_eq!(stage.settle(), 0);
}

#[test]
fn a_transaction_is_over_before_anybody_is_served() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop a 0", "blpop b 0"]);
    let mut exec = stage.run_one("rpush a 1;del a;rpush b 2;llen b");
    assert_eq!(exec.text(), "*4 :1 :1 :1 :1");
    assert_eq!(texts(&mut waiting), ["waits", "*2 $1 b $1 2"]);
    assert_eq!(stage.settle(), 0);
    stage.expect_alike();
}

#[test]
fn a_chain_of_moves_is_served_to_its_end_within_one_entry() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&[
        "blmove a b left right 0",
        "brpoplpush b c 0",
        "blpop c 0",
        "blmove x x left left 0",
    ]);
    let mut others = stage.run(&["rpush a 1", "exists a b c"]);
    assert_eq!(texts(&mut waiting), ["$1 1", "$1 1", "*2 $1 c $1 1", "waits"]);
    assert_eq!(texts(&mut others), [":1", ":0"]);
    assert_eq!(stage.settle(), 0);
    stage.run(&["rpush x 1"]);
    assert_eq!(waiting[3].text(), "$1 1");
    stage.expect_alike();
}

#[test]
fn a_move_feeds_whoever_waits_for_its_destination() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop b 0", "rpush a 1"]);
    let mut moves = stage.run(&["blmove a b left left 0", "llen b"]);
    assert_eq!(texts(&mut moves), ["$1 1", ":0"]);
    assert_eq!(waiting[0].text(), "*2 $1 b $1 1");
    assert_eq!(stage.settle(), 0);
}

#[test]
fn more_than_one_entry_may_name_are_served_by_the_next() {
    let mut stage = Stage::new();
    let lines = vec!["blpop k 0"; 3000];
    let mut waiting = stage.run(&lines);
    let elements: Vec<String> = (0..2500).map(|n| n.to_string()).collect();
    stage.run(&[&format!("rpush k {}", elements.join(" "))]);
    assert!(stage.settle() > 1);
    for (n, client) in waiting.iter_mut().enumerate() {
        let n = n.to_string();
        let wanted = match n.parse::<usize>() {
            Ok(..2500) => format!("*2 $1 k ${} {n}", n.len()),
            _ => "waits".into(),
        };
        assert_eq!(client.text(), wanted);
    }
    stage.expect_alike();
}

#[test]
fn a_key_may_arrive_whole() {
    for line in ["rename from k", "copy from k", "1|move k 0", "swapdb 0 1"] {
        let mut stage = Stage::new();
        let mut waiting = stage.run(&["blpop k 0", "blpop k 0", "blpop k 0"]);
        stage.run(&["rpush from a b", "1|rpush k a b"]);
        assert_eq!(stage.settle(), 0);
        let mut later = stage.run(&[line, "lpop k"]);
        assert_eq!(texts(&mut waiting), ["*2 $1 k $1 a", "*2 $1 k $1 b", "waits"], "{line}");
        assert_eq!(later[1].text(), "$-1", "{line}");
        assert_eq!(stage.settle(), 0, "{line}");
        stage.expect_alike();
    }
}

#[test]
fn keys_of_another_type_are_waited_out() {
    let mut stage = Stage::new();
    let mut waiting = stage.run_one("blpop k 0");
    stage.run(&["set k v", "append k v"]);
    assert_eq!(stage.settle(), 0);
    assert_eq!(waiting.text(), "waits");
    stage.run(&["del k", "rpush k a"]);
    assert_eq!(waiting.text(), "*2 $1 k $1 a");
    let mut at_once = stage.run(&["set k v", "blpop k 0"]);
    assert!(at_once[1].text().starts_with("-WRONGTYPE"));
}

#[test]
fn a_destination_of_another_type_is_an_answer() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blmove k to left left 0", "set to v"]);
    stage.run(&["rpush k a"]);
    assert!(waiting[0].text().starts_with("-WRONGTYPE"), "{}", waiting[0].text());
    assert_eq!(stage.run_one("llen k").text(), ":1");
    stage.expect_alike();
}

#[test]
fn an_expired_wait_is_answered_with_nothing() {
    let mut stage = Stage::new();
    let begun = Instant::now();
    let mut waiting =
        stage.run(&["blpop k 10", "blmove k to left left 5", "blpop k 0", "blpop k 10"]);
    let after = |seconds| begun + Duration::from_secs(seconds);
    stage.leader.blocked.expire(after(4));
    assert_eq!(texts(&mut waiting), ["waits", "waits", "waits", "waits"]);
    stage.leader.blocked.expire(after(6));
    assert_eq!(texts(&mut waiting), ["waits", "*-1", "waits", "waits"]);
    stage.run(&["rpush k a"]);
    stage.leader.blocked.expire(after(11));
    assert_eq!(texts(&mut waiting), ["*2 $1 k $1 a", "*-1", "waits", "*-1"]);
}

#[test]
fn nobody_is_given_up_who_may_be_served_by_an_entry_under_way() {
    let mut stage = Stage::new();
    let begun = Instant::now();
    let mut waiting = stage.run(&["blpop k 1", "blpop k 1", "blpop k 0", "blpop k 0", "blpop k 0"]);
    let (entry, _) = stage.close(&["rpush k a b c d", "lpop k"]);
    let late = begun + Duration::from_secs(2);
    stage.leader.blocked.expire(late);
    for client in &waiting[2..4] {
        stage.leader.blocked.end(client.ticket.as_ref().unwrap(), Ending::Unblocked);
    }
    stage.leader.blocked.lead(None);
    assert_eq!(texts(&mut waiting), ["waits", "waits", "waits", "waits", "NotLeader"]);
    stage.apply(entry.unwrap());
    let served = ["a", "b", "c", "d"].map(|element| format!("*2 $1 k $1 {element}"));
    assert_eq!(texts(&mut waiting[..4]), served);
}

#[test]
fn those_named_in_vain_end_when_their_entry_is_back() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop k 1", "blpop k 0", "blpop k 0", "blpop k 0", "blpop k 0"]);
    let (entry, _) = stage.close(&["rpush k a b c d e;del k"]);
    stage.leader.blocked.expire(Instant::now() + Duration::from_secs(2));
    for (client, ending) in
        waiting[1..].iter().zip([Ending::Gone, Ending::TimedOut, Ending::Unblocked])
    {
        stage.leader.blocked.end(client.ticket.as_ref().unwrap(), ending);
    }
    stage.apply(entry.unwrap());
    let unblocked = "-UNBLOCKED client unblocked via CLIENT UNBLOCK";
    assert_eq!(texts(&mut waiting), ["*-1", "", "*-1", unblocked, "waits"]);
    assert!(waiting[4].ticket.as_ref().unwrap().is_parked());
    assert!(!waiting[3].ticket.as_ref().unwrap().is_parked());
}

#[test]
fn one_whose_client_is_gone_takes_nothing() {
    let mut stage = Stage::new();
    let mut gone = stage.run_one("blpop k 0");
    stage.leader.blocked.end(gone.ticket.as_ref().unwrap(), Ending::Gone);
    assert_eq!(gone.answer(), Some((Outcome::Done, String::new())));
    stage.run(&["rpush k a"]);
    assert_eq!(stage.settle(), 0);
    assert_eq!(stage.run_one("llen k").text(), ":1");
}

#[test]
fn an_ending_before_the_wait_begins_is_heeded() {
    let mut stage = Stage::new();
    let (entry, mut clients) = stage.close(&["blpop k 0"]);
    stage.leader.blocked.end(clients[0].ticket.as_ref().unwrap(), Ending::Gone);
    stage.apply(entry.unwrap());
    // Its sender, the router, knows the ending and answers it.
    assert_eq!(clients[0].text(), "NotLeader");
    assert!(!stage.leader.blocked.any());
}

#[test]
fn lost_leadership_sends_the_parked_on_and_parks_no_more() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop k 0", "blpop j 5"]);
    let (entry, mut late) = stage.close(&["blpop k 0"]);
    stage.leader.blocked.lead(Some(TERM + 1));
    assert_eq!(texts(&mut waiting), ["NotLeader", "NotLeader"]);
    stage.apply(entry.unwrap());
    assert_eq!(late[0].text(), "NotLeader");
    assert!(!stage.leader.blocked.any());
}

#[test]
fn an_entry_that_was_not_executed_leaves_its_waiters_and_ready_keys() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop k 0", "blpop j 0", "rpush k a"]);
    let (entry, mut pushes) = stage.close(&["rpush j b"]);
    let not_leader = Err(ProposeError::NotLeader { leader: None });
    stage.leader.batcher.landed(entry.unwrap().0, not_leader);
    assert_eq!(texts(&mut pushes), ["NotLeader"]);
    assert_eq!(texts(&mut waiting[..2]), ["waits", "waits"]);
    assert_eq!(stage.settle(), 1);
    assert_eq!(texts(&mut waiting[..2]), ["*2 $1 k $1 a", "waits"]);
}

#[test]
fn an_entry_with_an_unknown_outcome_ends_the_waits_that_it_names() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop k 0", "blpop j 0"]);
    let (entry, mut pushes) = stage.close(&["rpush j b"]);
    let entry = entry.unwrap();
    stage.leader.batcher.landed(entry.0, Err(ProposeError::Unknown));
    assert_eq!(texts(&mut pushes), ["Unknown"]);
    assert_eq!(texts(&mut waiting), ["waits", "Unknown"]);
    // It comes after all: everywhere the element is popped for the one who was told so.
    stage.apply(entry);
    assert_eq!(stage.run_one("llen j").text(), ":0");
    stage.expect_alike();
}

#[test]
fn a_waiter_is_named_by_one_entry_at_a_time() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop k 0", "blpop k 0"]);
    let (first, _) = stage.close(&["rpush k a"]);
    let (second, _) = stage.close(&["rpush k b"]);
    let (third, _) = stage.close(&["rpush k c"]);
    stage.apply(first.unwrap());
    assert_eq!(texts(&mut waiting), ["*2 $1 k $1 a", "waits"]);
    stage.apply(second.unwrap());
    stage.apply(third.unwrap());
    assert_eq!(texts(&mut waiting), ["*2 $1 k $1 a", "*2 $1 k $1 b"]);
    assert_eq!(stage.run_one("llen k").text(), ":1");
    stage.expect_alike();
}

#[test]
fn readers_of_a_stream_all_get_what_comes_after_them() {
    let mut stage = Stage::new();
    stage.run(&["xadd s 1-1 f old"]);
    let mut waiting = stage.run(&["xread block 0 streams s $", "xread block 0 streams s 1-1"]);
    assert_eq!(texts(&mut waiting), ["waits", "waits"]);
    stage.run(&["xadd s 2-1 f new", "xadd s 3-1 f late"]);
    for client in &mut waiting {
        let text = client.text();
        assert!(text.contains("2-1") && !text.contains("1-1") && !text.contains("3-1"), "{text}");
    }
    assert_eq!(stage.settle(), 0);
    stage.expect_alike();
}

#[test]
fn a_reader_takes_its_place_in_the_stream_along_to_the_next_leader() {
    let mut stage = Stage::new();
    stage.run(&["xadd s 1-1 f old"]);
    let mut waits = stage.run_one("xread block 0 streams s $");
    stage.leader.blocked.lead(None);
    let segment = waits.segment.try_recv().expect("it goes on");
    assert_eq!(segment.outcome, Outcome::NotLeader);
    let record = segment.writes.raw().to_vec();
    assert!(record.windows(3).any(|bytes| bytes == b"1-1"), "{}", record.escape_ascii());
}

#[test]
fn readers_of_a_group_share_what_comes() {
    let mut stage = Stage::new();
    stage.run(&["xgroup create s g $ mkstream", "xgroup create s h $"]);
    let of = |group: &str| format!("xreadgroup group {group} me block 0 streams s >");
    let (of_g, of_h) = (of("g"), of("h"));
    let mut waiting = stage.run(&[&of_g, &of_g, &of_h]);
    stage.run(&["xadd s 1-1 f v"]);
    let [first, second, other] = &mut waiting[..] else { panic!("three wait") };
    assert!(first.text().contains("1-1") && other.text().contains("1-1"));
    assert_eq!(second.text(), "waits");
    assert_eq!(stage.settle(), 0);
    stage.run(&["del s"]);
    stage.settle();
    assert!(second.text().starts_with('-'), "its group is gone: {}", second.text());
    stage.expect_alike();
}

#[test]
fn those_who_wait_for_sorted_sets_and_for_lists_do_not_mind_each_other() {
    let mut stage = Stage::new();
    let mut waiting = stage.run(&["blpop k 0", "bzpopmin k 0", "bzmpop 0 1 k max count 2"]);
    stage.run(&["zadd k 1 a 2 b 3 c", "zcard k"]);
    assert_eq!(waiting[0].text(), "waits");
    assert!(waiting[1].text().contains("$1 a"), "{}", waiting[1].text());
    assert!(waiting[2].text().contains("$1 c"), "{}", waiting[2].text());
    stage.run(&["rpush k x"]);
    assert_eq!(waiting[0].text(), "*2 $1 k $1 x");
    stage.expect_alike();
}

#[test]
fn a_stopping_node_parks_nobody() {
    let mut stage = Stage::new();
    stage.leader.blocked.stop();
    assert_eq!(stage.run_one("blpop k 0").text(), "NotLeader");
}

/// What clients do, on a handful of keys. Only some of it drops elements that nobody took.
fn commands(drops: bool) -> impl Strategy<Value = String> {
    let key = || prop::sample::select(vec!["a", "b", "c"]);
    let count = 1..4_usize;
    prop_oneof![
        3 => (key(), count).prop_map(|(key, count)| format!("rpush {key}{}", " #".repeat(count))),
        3 => (key(), key()).prop_map(|(one, two)| format!("blpop {one} {two} 0")),
        2 => (key(), key()).prop_map(|(from, to)| format!("blmove {from} {to} left right 0")),
        1 => key().prop_map(|key| format!("lpop {key}")),
        u32::from(drops) => (key(), key()).prop_map(|(from, to)| format!("rename {from} {to}")),
        u32::from(drops) => key().prop_map(|key| format!("set {key} string")),
        1 => (key(), key()).prop_map(|(one, two)| format!("rpush {one} #;rpush {two} #;lpop {one}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever clients do and however their batches overlap: replicas agree, no element is
    /// delivered twice or lost, nobody waits while there is something for them, and it comes to
    /// rest.
    #[test]
    fn no_element_is_delivered_twice_and_no_wake_up_is_lost(
        (drops, batches) in any::<bool>().prop_flat_map(|drops| {
            let batch = prop::collection::vec(commands(drops), 1..6);
            (Just(drops), prop::collection::vec(batch, 1..12))
        }),
        depth in 1..4_usize,
    ) {
        let mut stage = Stage::new();
        let mut number = 0;
        let mut clients: Vec<(String, Client)> = Vec::new();
        let mut under_way = std::collections::VecDeque::new();
        for batch in &batches {
            let mut lines = Vec::new();
            for line in batch {
                let mut line = line.clone();
                while line.contains('#') {
                    number += 1;
                    line = line.replacen('#', &format!("e{number}e"), 1);
                }
                lines.push(line);
            }
            let (entry, made) = stage.close(&lines.iter().map(String::as_str).collect::<Vec<_>>());
            under_way.push_back(entry.unwrap());
            clients.extend(lines.into_iter().zip(made));
            if under_way.len() >= depth {
                stage.apply(under_way.pop_front().unwrap());
            }
        }
        while let Some(entry) = under_way.pop_front() {
            stage.apply(entry);
        }
        stage.settle();
        stage.expect_alike();

        let popped: Vec<String> = clients
            .iter_mut()
            .filter(|(line, _)| line.contains("pop"))
            .flat_map(|(_, client)| {
                let text = client.text();
                text.split(' ').filter(|word| word.starts_with('e')).map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        let mut once = popped.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), popped.len(), "delivered twice: {:?}", popped);

        if !drops {
            let left: i64 = ["a", "b", "c"]
                .iter()
                .map(|key| stage.run_one(&format!("llen {key}")).text()[1..].parse::<i64>().unwrap())
                .sum();
            prop_assert_eq!(popped.len() as i64 + left, number, "popped for nobody");
        }

        let kind = |key: &str| stage.leader.keyspace.kind(0, key.as_bytes());
        for (line, client) in &mut clients {
            if client.text() == "waits" {
                let words: Vec<&str> = line.split(' ').collect();
                let keys = if words[0] == "blmove" { &words[1..2] } else { &words[1..3] };
                // One whose first key is of another type gets no further (see `Serving`).
                let first = kind(keys[0]);
                let blind = first.is_some() && first != Some(Kind::List);
                let list = keys.iter().any(|key| kind(key) == Some(Kind::List));
                prop_assert!(blind || !list, "{} still waits", line);
            }
        }
    }
}
