//! The same log of random calls, applied to replicas that lived through different things, gives the
//! same answers and the same state; and nothing in a log makes applying it panic.
//!
//! `KEYSPACE_SEED` chooses another log, `KEYSPACE_CALLS` how long it is.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use keyspace::slot::{SLOTS, slot_of};
use resp::{Protocol, Reply};

use crate::generator::{Generator, Made, commands};
use crate::world::World;

const DATABASES: u8 = 2;

/// Of the log that is applied unless another is asked for.
const SEED: u64 = 1;

/// Enough that every command is called some thirty times.
const CALLS: u64 = 6_000;

/// Calls of an entry.
const ENTRY_CALLS_MAX: usize = 12;

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// The seed, printed where a failing test shows it, and the number of calls.
fn settings() -> (u64, u64) {
    let seed = number_from("KEYSPACE_SEED").unwrap_or(SEED);
    println!("KEYSPACE_SEED={seed} chooses this log");
    (seed, number_from("KEYSPACE_CALLS").unwrap_or(CALLS))
}

/// Tells what was being called when a test panics.
struct Told(Vec<String>);

impl Told {
    fn of(made: &[Made]) -> Told {
        let words = |made: &Made| {
            let words = made.args.iter().map(|arg| format!("\"{}\"", arg.escape_ascii()));
            words.collect::<Vec<String>>().join(" ")
        };
        Told(made.iter().map(words).collect())
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("in the entry of\n{}", self.0.join("\n"));
        }
    }
}

fn bytes(reply: &Reply<'_>) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    reply.encode(Protocol::Resp3, &mut bytes);
    bytes.to_vec()
}

fn requests(made: &[Made]) -> Vec<Vec<Vec<u8>>> {
    made.iter().map(|made| made.args.clone()).collect()
}

/// Whether replicas may answer it differently: what a value takes depends on its spare room.
fn is_local(made: &Made) -> bool {
    made.named.name() == "memory|usage"
}

/// Changes the room that tables have, around the keys of the log, and leaves no key behind.
fn live_elsewhere(world: &mut World, random: u64) {
    let (entries, db) = (world.entries, world.db);
    // Seeds that no entry of the log has.
    world.entries = u64::MAX / 2 + random % 1_000_000;
    for db in 0..DATABASES {
        world.db = db;
        let names: Vec<String> = Generator::keys()
            .take(1 + random as usize % 8)
            .flat_map(|key| (0..random % 60).map(move |n| format!("{{{}}}:other:{n}", tag(key))))
            .collect();
        for name in &names {
            world.run(&[b"sadd", name.as_bytes(), b"1", b"a member"]);
        }
        for names in names.chunks(20) {
            let mut words: Vec<&[u8]> = vec![b"del"];
            words.extend(names.iter().map(|name| name.as_bytes()));
            world.run(&words);
        }
    }
    (world.entries, world.db) = (entries, db);
}

/// The part of a key that decides its slot.
fn tag(key: &str) -> &str {
    key.strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or(key)
}

fn digests(world: &World, slots: impl Iterator<Item = u16> + Clone) -> Vec<u64> {
    let of_db = |db| {
        let digests = slots.clone().map(move |slot| world.keyspace.digest(db, slot));
        digests.chain([world.keyspace.len(db) as u64, world.keyspace.volatile_len(db) as u64])
    };
    (0..DATABASES).flat_map(of_db).collect()
}

/// What a log has shown, since one that is refused throughout shows nothing.
#[derive(Default)]
struct Seen {
    answered: BTreeMap<String, u32>,
    encodings: BTreeSet<Vec<u8>>,
}

impl Seen {
    fn note(&mut self, made: &Made, reply: &Reply<'_>) {
        if matches!(reply, Reply::Error(_)) {
            return;
        }
        *self.answered.entry(made.named.name()).or_default() += 1;
    }

    fn note_encodings(&mut self, world: &mut World) {
        for key in Generator::keys() {
            if let Reply::Bulk(encoding) = world.run(&[b"object", b"encoding", key.as_bytes()]) {
                self.encodings.insert(encoding.into_owned());
            }
        }
    }

    /// Commands that were answered with nothing but errors, and encodings that never occurred.
    fn missing(&self) -> Vec<String> {
        let all: Vec<String> = commands().iter().map(|named| named.name()).collect();
        let refused = all.into_iter().filter(|name| !self.answered.contains_key(name));
        let encodings = ENCODINGS.iter().map(|name| (*name).to_owned());
        let absent = encodings.filter(|name| !self.encodings.contains(name.as_bytes()));
        refused.chain(absent).collect()
    }
}

/// As OBJECT ENCODING names them.
const ENCODINGS: [&str; 9] =
    ["int", "embstr", "raw", "listpack", "quicklist", "intset", "hashtable", "skiplist", "stream"];

#[test]
fn replicas_stay_equal_through_a_random_log() {
    let (seed, calls) = settings();
    let mut generator = Generator::new(seed);
    let mut replicas = [(); 3].map(|()| World::new(DATABASES));
    let mut slots: Vec<u16> = Generator::keys().map(|key| slot_of(key.as_bytes())).collect();
    slots.sort_unstable();
    slots.dedup();
    let mut seen = Seen::default();
    let (mut called, mut entries) = (0, 0);
    // A log that is long enough goes on until it has shown everything.
    let whole = calls >= CALLS;
    while called < calls || (whole && !seen.missing().is_empty() && called < 10 * calls) {
        let len = 1 + generator.random.below(ENTRY_CALLS_MAX);
        let mut made: Vec<Made> = (0..len).map(|_| generator.make()).collect();
        made.insert(0, generator.make_groundwork());
        let _told = Told::of(&made);
        let requests = requests(&made);
        let db = u8::from(generator.random.once_in(4));
        let pause_ms = generator.random.below(40) as u64;
        let answers = replicas.each_mut().map(|replica| {
            replica.db = db;
            replica.now_ms += pause_ms;
            let answers = replica.entry(&requests);
            // A flush tells of its keys in an order that no client can see.
            replica.touched.0.sort();
            answers
        });
        for (index, made) in made.iter().enumerate() {
            seen.note(made, &answers[0][index]);
            let [plain, restored, busy] = answers.each_ref().map(|answers| bytes(&answers[index]));
            if !is_local(made) {
                assert_eq!(plain.escape_ascii().to_string(), restored.escape_ascii().to_string());
                assert_eq!(plain.escape_ascii().to_string(), busy.escape_ascii().to_string());
            }
            if let ("dump", Reply::Bulk(payload)) = (made.named.words[0], &answers[0][index]) {
                generator.payloads.push(payload.to_vec());
            }
        }
        let [plain, restored, busy] = replicas.each_ref().map(|replica| &replica.touched);
        assert_eq!((plain, plain), (restored, busy));
        let [plain, restored, busy] =
            replicas.each_ref().map(|replica| digests(replica, slots.iter().copied()));
        assert_eq!((&plain, &plain), (&restored, &busy));
        seen.note_encodings(&mut replicas[0]);
        live_elsewhere(&mut replicas[2], generator.random.bits());
        if generator.random.once_in(12) {
            let from = generator.random.below(3);
            replicas[1] = replicas[from].restored();
        }
        called += len as u64;
        entries += 1;
    }
    let [plain, restored, busy] = replicas.each_ref().map(|replica| digests(replica, 0..SLOTS));
    assert_eq!((&plain, &plain), (&restored, &busy));
    println!("{called} calls in {entries} entries");
    if whole {
        assert_eq!(seen.missing(), [""; 0], "only refused, or never occurred");
    }
}

#[test]
fn no_entry_makes_applying_it_panic() {
    let (seed, calls) = settings();
    let mut generator = Generator::new(!seed);
    let mut world = World::new(DATABASES);
    let mut pin = None;
    for _ in 0..calls {
        // Half of the calls may well do something, so that there is something to stumble over.
        let made = match generator.random.below(8) {
            0 => generator.make_groundwork(),
            1..4 => generator.make(),
            _ => generator.make_wild(),
        };
        let told = Told::of(std::slice::from_ref(&made));
        world.db = generator.random.below(2) as u8;
        world.now_ms += generator.random.below(40) as u64;
        let args: Vec<&[u8]> = made.args.iter().map(Vec::as_slice).collect();
        let reply = world.run(&args);
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            let mut bytes = BytesMut::new();
            reply.encode(protocol, &mut bytes);
            assert!(bytes.ends_with(b"\r\n"));
        }
        if let ("dump", Reply::Bulk(payload)) = (made.named.words[0], reply) {
            generator.payloads.push(payload.into_owned());
        }
        drop(told);
        // Now and then a pin is open, so that writes have to keep copies for it.
        if generator.random.once_in(50) {
            pin = (pin.is_none()).then(|| world.keyspace.pin(None));
        }
        if generator.random.once_in(500) {
            world = world.restored();
            pin = None;
        }
    }
    drop(pin);
}

/// Found by a random log: behind SWAPDB the key lay in a database that had no slots to lock.
#[test]
fn a_write_behind_swapdb_in_one_entry_may_be_the_first_in_its_database() {
    let mut world = World::new(3);
    let answers =
        world.block(&["swapdb 0 1", "set k v", "swapdb 1 2", "get k", "swapdb 0 1", "incr n"]);
    assert!(!answers.iter().any(|answer| matches!(answer, Reply::Error(_))), "{answers:?}");
    assert_eq!(world.words("dbsize"), Reply::Integer(1));
}
