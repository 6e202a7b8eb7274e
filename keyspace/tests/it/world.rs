//! A keyspace with a clock that only tests move, and a note of every key that was touched.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyspace::{Call, Clock, Keyspace, Observer, Run, lookup};
use proptest::prelude::*;
use resp::Reply;

/// When every test begins: 2023-11-14, so that no time is near zero.
pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// One replica.
pub(crate) struct World {
    pub(crate) keyspace: Arc<Keyspace>,
    pub(crate) now_ms: u64,
    pub(crate) db: u8,
    /// What the last write touched, in order.
    pub(crate) touched: Touched,
    pub(crate) entries: u64,
}

/// Databases and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched(pub(crate) Vec<(u8, Vec<u8>)>);

impl Observer for Touched {
    fn touched(&mut self, db: u8, slot: u16, key: &[u8]) {
        assert_eq!(slot, keyspace::slot::slot_of(key));
        self.0.push((db, key.to_vec()));
    }
}

impl World {
    pub(crate) fn new(databases: u8) -> World {
        World::over(Arc::new(Keyspace::new(databases)))
    }

    pub(crate) fn over(keyspace: Arc<Keyspace>) -> World {
        World { keyspace, now_ms: START_MS, db: 0, touched: Touched::default(), entries: 0 }
    }

    /// Another replica, which comes back from a checkpoint of this one.
    pub(crate) fn restored(&self) -> World {
        let world = World::new(self.keyspace.databases());
        let mut pin = self.keyspace.pin(None);
        while let Some((unit, bytes)) = pin.next_unit() {
            world.keyspace.load_unit(unit, &bytes).expect("a pin gave it");
        }
        World { now_ms: self.now_ms, entries: self.entries, db: self.db, ..world }
    }

    /// Runs one request as the server would: reads beside the log, writes as an entry.
    pub(crate) fn run(&mut self, args: &[&[u8]]) -> Reply<'static> {
        let name = String::from_utf8_lossy(args[0]).into_owned();
        let Some(command) = lookup(args) else {
            return Reply::Error(format!("ERR unknown command '{name}'").into());
        };
        let spec = &command.spec;
        if !spec.accepts(args.len()) || matches!(command.run, Run::Container(_)) {
            let text = format!("ERR wrong number of arguments for '{}' command", spec.name);
            return Reply::Error(text.into());
        }
        let calls = [Call { command, args, db: self.db }];
        self.touched.0.clear();
        let mut answer = None;
        let mut reply = |reply: Reply<'_>| answer = Some(reply.into_owned());
        match command.run.attempt() {
            Run::Read(_) => self.keyspace.read(&calls, self.now_ms, &mut reply),
            _ => {
                self.entries += 1;
                let clock = Clock { now_ms: self.now_ms, seed: self.entries };
                self.keyspace.write(&calls, clock, &mut self.touched, &mut reply);
            }
        }
        answer.expect("every call is answered")
    }

    /// Runs one request given as words.
    pub(crate) fn words(&mut self, words: &str) -> Reply<'static> {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        self.run(&args)
    }

    /// The shortest time of some that a hundred of these requests took.
    pub(crate) fn cost(&mut self, words: &[&str]) -> Duration {
        let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut time = || {
            let start = Instant::now();
            for _ in 0..100 {
                self.run(&args);
            }
            start.elapsed()
        };
        (0..20).map(|_| time()).min().expect("some")
    }

    /// Runs requests given as words as one block, as an entry.
    pub(crate) fn block(&mut self, lines: &[&str]) -> Vec<Reply<'static>> {
        let split = |line: &&str| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let requests: Vec<Vec<Vec<u8>>> = lines.iter().map(split).collect();
        self.entry(&requests)
    }

    /// Runs requests, whose arities are right, as one entry.
    pub(crate) fn entry(&mut self, requests: &[Vec<Vec<u8>>]) -> Vec<Reply<'static>> {
        let args: Vec<Vec<&[u8]>> =
            requests.iter().map(|words| words.iter().map(Vec::as_slice).collect()).collect();
        let call = |args: &'_ [&'_ [u8]]| lookup(args).expect("a command");
        let calls: Vec<Call<'_>> =
            args.iter().map(|args| Call { command: call(args), args, db: self.db }).collect();
        self.entries += 1;
        let clock = Clock { now_ms: self.now_ms, seed: self.entries };
        let mut answers = Vec::new();
        self.touched.0.clear();
        self.keyspace.write(&calls, clock, &mut self.touched, &mut |reply| {
            answers.push(reply.into_owned());
        });
        answers
    }

    /// What the leader does from time to time: finds keys whose time is over, and deletes them.
    pub(crate) fn sweep(&mut self, limit: usize) -> Vec<(u8, Vec<u8>)> {
        let mut found = Vec::new();
        let mut cursor = 0;
        loop {
            let mut note = |db: u8, key: &[u8]| found.push((db, key.to_vec()));
            cursor = self.keyspace.expired(self.now_ms, cursor, limit, &mut note);
            if cursor == 0 {
                break;
            }
        }
        let before = self.db;
        for (db, key) in &found {
            self.db = *db;
            self.run(&[b"ringfort.expire", key]);
        }
        self.db = before;
        found
    }

    /// The digests of the slots that [`step`]'s keys are in, and whether there are other keys.
    pub(crate) fn digests(&self) -> Vec<u64> {
        let mut slots: Vec<u16> =
            KEYS.iter().map(|key| keyspace::slot::slot_of(key.as_bytes())).collect();
        slots.sort_unstable();
        slots.dedup();
        (0..self.keyspace.databases())
            .flat_map(|db| {
                let digests = slots.iter().map(move |slot| self.keyspace.digest(db, *slot));
                digests.chain([self.keyspace.len(db) as u64])
            })
            .collect()
    }
}

/// Few keys, three of them in one slot, so that steps meet often.
const KEYS: [&str; 6] = ["a", "b", "c", "{a}1", "{a}2", "d"];

/// A request, or time passing, in the first two databases.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Run(u8, String),
    Advance(u64),
}

impl World {
    /// Takes a step; the answer, if it was a request. One whose answer is drawn at random runs
    /// within an entry, where it has the entry's seed: beside the log every read draws anew.
    pub(crate) fn step(&mut self, step: &Step) -> Option<Reply<'static>> {
        match step {
            Step::Run(db, words) => {
                self.db = *db;
                let drawn = words.starts_with("zrandmember");
                Some(if drawn { self.block(&[words]).remove(0) } else { self.words(words) })
            }
            Step::Advance(ms) => {
                self.now_ms += ms;
                None
            }
        }
    }
}

/// Steps on [`KEYS`].
pub(crate) fn step() -> impl Strategy<Value = Step> {
    let key = || prop::sample::select(&KEYS[..]);
    let value = prop_oneof![
        4 => "[0-9]{1,3}",
        4 => "[a-z]{1,70}",
        1 => "[a-z]{500,600}",
    ];
    let words = prop_oneof![
        8 => (key(), value.clone()).prop_map(|(key, value)| format!("set {key} {value}")),
        3 => (key(), 1..300).prop_map(|(key, ms)| format!("pexpire {key} {ms}")),
        2 => (key(), 1..300, value.clone()).prop_map(|(key, ms, value)| format!("psetex {key} {ms} {value}")),
        1 => key().prop_map(|key| format!("persist {key}")),
        3 => (key(), key()).prop_map(|(first, second)| format!("del {first} {second}")),
        2 => (key(), key()).prop_map(|(from, to)| format!("rename {from} {to}")),
        2 => (key(), key(), 0..2).prop_map(|(from, to, db)| format!("copy {from} {to} db {db} replace")),
        1 => (key(), 0..2).prop_map(|(key, db)| format!("move {key} {db}")),
        2 => (key(), value.clone()).prop_map(|(key, value)| format!("append {key} {value}")),
        3 => (key(), value.clone()).prop_map(|(key, value)| format!("rpush {key} {value} x")),
        2 => (key(), value.clone()).prop_map(|(key, value)| format!("lpush {key} {value} y x")),
        4 => (key(), 0..9, value.clone())
            .prop_map(|(key, score, value)| format!("zadd {key} {score} {value} 2 x")),
        1 => key().prop_map(|key| format!("zpopmin {key}")),
        1 => (key(), key(), key())
            .prop_map(|(to, one, other)| format!("zunionstore {to} 2 {one} {other}")),
        1 => key().prop_map(|key| format!("zrandmember {key} -3")),
        1 => (key(), value.clone()).prop_map(|(key, value)| format!("linsert {key} after x {value}")),
        1 => key().prop_map(|key| format!("lrem {key} -2 x")),
        2 => (key(), 0..3).prop_map(|(key, count)| format!("lpop {key} {count}")),
        2 => (key(), key()).prop_map(|(from, to)| format!("lmove {from} {to} right left")),
        1 => (key(), key()).prop_map(|(from, to)| format!("sort {from} alpha by {{a}}* get # store {to}")),
        1 => (1..5).prop_map(|size| format!("ringfort.limits list-max-listpack-size {size}")),
        1 => (key(), 0..700).prop_map(|(key, offset)| format!("setrange {key} {offset} xyz")),
        1 => key().prop_map(|key| format!("incr {key}")),
        1 => key().prop_map(|key| format!("getex {key} px 50")),
        1 => Just("swapdb 0 1".to_owned()),
        1 => prop::sample::select(vec!["flushdb", "flushall"]).prop_map(str::to_owned),
        2 => Just("ringfort.expire a b c {a}1 {a}2 d".to_owned()),
        2 => key().prop_map(|key| format!("get {key}")),
    ];
    prop_oneof![
        9 => (0..2_u8, words).prop_map(|(db, words)| Step::Run(db, words)),
        1 => (1..150_u64).prop_map(Step::Advance),
    ]
}
