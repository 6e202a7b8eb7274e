//! The families against a model.
//!
//! Calls are written as templates whose capital letters stand for random picks, so that a few
//! words add a command to the test.

mod calls;
mod model;

use std::collections::BTreeSet;

use bytes::BytesMut;
use keyspace::{Call, Clock, Run, lookup};
use proptest::prelude::*;
use resp::{Protocol, Reply};

use self::model::{Model, bulk, int};
use crate::world::{START_MS, Touched, World};

const DATABASES: u8 = 2;

/// A keyspace that takes words and answers RESP2.
struct Store(World);

impl Store {
    fn new() -> Store {
        Store(World::new(DATABASES))
    }

    fn run(&mut self, db: u8, args: &[&[u8]]) -> String {
        self.0.db = db;
        let reply = resp2(&self.0.run(args));
        let command = lookup(args).expect("the command exists");
        if let Run::Read(_) = command.run
            && command.spec.name != "randomkey"
        {
            let in_write = self.in_write(&Call { command, args, db });
            assert_eq!(reply, in_write, "the same read, as a read and within a write");
            assert_eq!(self.0.touched, Touched::default(), "a read touched keys");
        }
        reply
    }

    /// A read may also come in an entry, where a pipeline mixes it with writes.
    fn in_write(&mut self, call: &Call<'_>) -> String {
        let World { keyspace, now_ms, touched, .. } = &mut self.0;
        let mut answer = String::new();
        let clock = Clock { now_ms: *now_ms, seed: 0 };
        keyspace.write(&[*call], clock, touched, &mut |reply| answer = resp2(&reply));
        answer
    }

    fn words(&mut self, db: u8, words: &[&str]) -> String {
        let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.run(db, &args)
    }
}

fn resp2(reply: &Reply<'_>) -> String {
    let mut bytes = BytesMut::new();
    reply.encode(Protocol::Resp2, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// K: a key, V: a value, N: an integer, I: a small one, P: a place, T: a time span, A: a point in
/// time in milliseconds, S: one in seconds, D: a database.
const STRING: &str = "\
    GET K; STRLEN K; MGET K K K; GETDEL K; SET K V; SET K V KEEPTTL; SET K V NX; \
    SET K V XX; SET K V NX GET; SET K V XX GET; SET K V PX T; SET K V EX T; SETEX K T V; \
    PSETEX K T V; SETNX K V; GETSET K V; MSET K V K V; MSETNX K V K V; GETEX K; \
    GETEX K PX T; GETEX K PERSIST; APPEND K V; SETRANGE K P V; GETRANGE K I I; \
    GETRANGE K N N; INCR K; DECR K; INCRBY K N; DECRBY K N";
const GENERIC: &str = "\
    SET K V; SET K V PX T; GET K; TYPE K; EXISTS K K; TOUCH K K; DEL K K; UNLINK K; \
    RENAME K K; RENAMENX K K; COPY K K; COPY K K REPLACE; COPY K K DB D; \
    COPY K K DB D REPLACE; MOVE K D; SWAPDB D D; FLUSHDB; FLUSHALL; PTTL K";
const EXPIRY: &str = "\
    SET K V; SET K V KEEPTTL; SET K V PX T; EXPIRE K T; EXPIRE K N; EXPIRE K T NX; \
    EXPIRE K T XX; EXPIRE K T GT; EXPIRE K T LT; PEXPIRE K T; PEXPIRE K N; PEXPIRE K T GT; \
    EXPIREAT K S; EXPIREAT K N; EXPIREAT K S LT; PEXPIREAT K A; PEXPIREAT K N; \
    PEXPIREAT K A GT; PEXPIREAT K A NX; PERSIST K; TTL K; PTTL K; PEXPIRETIME K; GET K; \
    EXISTS K";

fn pick(letter: &str, random: u64) -> String {
    let one_of = |words: &[&str]| words[random as usize % words.len()].to_owned();
    match letter {
        "K" => one_of(&["a", "b", "c", "{a}b"]),
        "V" => one_of(&["", "x", "hello", "10", "-3", "007", "9223372036854775807", "1.5"]),
        "N" => {
            one_of(&["0", "1", "-1", "7", "-100", "9223372036854775807", "-9223372036854775808"])
        }
        "I" => (random as i64 % 12).to_string(),
        "P" => (random % 9).to_string(),
        "T" => (random % 5 + 1).to_string(),
        "A" => (START_MS + random % 6000).to_string(),
        "S" => (START_MS / 1000 + random % 6).to_string(),
        "D" => (random % u64::from(DATABASES)).to_string(),
        literal => literal.to_owned(),
    }
}

/// One call: its database, the milliseconds that pass before it, its words.
type Step = (u8, u16, Vec<String>);

fn steps(templates: &'static str) -> impl Strategy<Value = Vec<Step>> {
    let call =
        (proptest::sample::select(templates.split("; ").collect::<Vec<&str>>()), any::<[u64; 6]>());
    let words = call.prop_map(|(template, random)| {
        let letters = template.split(' ').enumerate();
        letters.map(|(at, letter)| pick(letter, random[at % 6])).collect::<Vec<String>>()
    });
    let pause = prop_oneof![4 => Just(0u16), 3 => 0u16..3, 1 => 0u16..3000];
    proptest::collection::vec((0..DATABASES, pause, words), 1..60)
}

fn compare(steps: Vec<Step>) {
    let (mut store, mut model) = (Store::new(), Model::new());
    for (db, pause_ms, words) in &steps {
        store.0.now_ms += u64::from(*pause_ms);
        model.advance((*pause_ms).into());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let before = model.clone();
        let expected = model.run(*db, &words);
        assert_eq!(store.words(*db, &words), expected, "{words:?}");
        check_touched(&store, &before, &model, &words);
    }
    for db in 0..DATABASES {
        check_database(&mut store, &model, db);
    }
}

/// WATCH depends on it: whatever a command changed, the observer heard of.
fn check_touched(store: &Store, before: &Model, after: &Model, words: &[&str]) {
    for db in 0..DATABASES {
        let (old, new) = (&before.databases[usize::from(db)], &after.databases[usize::from(db)]);
        for key in old.keys().chain(new.keys()) {
            if old.get(key) != new.get(key) {
                let place = (db, key.clone().into_bytes());
                assert!(store.0.touched.0.contains(&place), "{words:?} left {place:?} untouched");
            }
        }
    }
}

fn check_database(store: &mut Store, model: &Model, db: u8) {
    let keys = &model.databases[usize::from(db)];
    for (key, entry) in keys {
        assert_eq!(store.words(db, &["GET", key]), bulk(&entry.value));
        assert_eq!(store.words(db, &["PEXPIRETIME", key]), int(entry.expires_ms.unwrap_or(-1)));
    }
    let listed = store.words(db, &["KEYS", "*"]);
    assert!(listed.starts_with(&format!("*{}\r\n", keys.len())), "{listed}");
    let mut walked = BTreeSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let answer = store.words(db, &["SCAN", &cursor, "COUNT", "1000"]);
        let mut lines = answer.split("\r\n");
        cursor = lines.nth(2).expect("a cursor").to_owned();
        walked.extend(lines.skip(2).step_by(2).map(str::to_owned));
        if cursor == "0" {
            break;
        }
    }
    assert!(keys.keys().all(|key| walked.contains(key)), "{walked:?} {keys:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn strings_follow_the_model(steps in steps(STRING)) {
        compare(steps);
    }

    #[test]
    fn expiry_follows_the_model(steps in steps(EXPIRY)) {
        compare(steps);
    }
}

proptest! {
    // Fewer, since FLUSHDB and SWAPDB visit all 16,384 slots.
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn generic_commands_follow_the_model(steps in steps(GENERIC)) {
        compare(steps);
    }
}
