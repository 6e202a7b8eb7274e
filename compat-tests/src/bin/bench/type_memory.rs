//! Memory that an element takes, in many small collections and in one large one.

use compat_tests::client::Client;
use compat_tests::process::Process;
use compat_tests::redis::Redis;
use compat_tests::resp;
use compat_tests::standalone::Standalone;

use crate::case::{Case, Done, Measure, Sample};

/// Elements in all, whatever they are spread over.
const ELEMENTS: u64 = 1_000_000;
/// Elements of a small collection: well below the sizes at which encodings change.
const SMALL: u64 = 10;
/// Requests sent at once.
const CHUNK: usize = 1_000;
/// The ratio aimed at.
const GOAL: f64 = 1.2;

/// A type, and the command that adds element number `n` to a key.
struct Kind {
    name: &'static str,
    add: fn(key: &str, n: u64) -> Vec<String>,
}

const KINDS: [Kind; 6] = [
    Kind { name: "list", add: |key, n| words(&["RPUSH", key, &format!("element:{n:08}")]) },
    Kind { name: "set", add: |key, n| words(&["SADD", key, &format!("member:{n:08}")]) },
    Kind { name: "set of integers", add: |key, n| words(&["SADD", key, &(n * 7).to_string()]) },
    Kind {
        name: "hash",
        add: |key, n| words(&["HSET", key, &format!("field:{n:08}"), &format!("value:{n:08}")]),
    },
    Kind {
        name: "sorted set",
        // Scores in no order, as scores come.
        add: |key, n| {
            let score = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
            words(&["ZADD", key, &score.to_string(), &format!("member:{n:08}")])
        },
    },
    Kind {
        name: "stream",
        add: |key, n| {
            words(&["XADD", key, &format!("{}-1", n + 1), "field", &format!("value:{n:08}")])
        },
    },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Loads a fresh pair of servers for every type, size and round.
pub(crate) fn run(rounds: usize) -> Done<Vec<Case>> {
    let mut cases = Vec::new();
    for Kind { name, add } in KINDS {
        for size in [SMALL, ELEMENTS] {
            let name = format!("{name}: {} of {size}", ELEMENTS / size);
            let goals = [(Measure::BytesPerKey, GOAL), (Measure::UsagePerKey, GOAL)];
            cases.push(Case::measure(name, ["ringfort", "redis"], &goals, rounds, |side| {
                if side == 0 {
                    let server = Standalone::start(&["fsync=no"]);
                    loaded(server.port, &server.process, size, add)
                } else {
                    let server = Redis::start(&[]);
                    loaded(server.port, &server.process, size, add)
                }
            })?);
        }
    }
    Ok(cases)
}

fn loaded(
    port: u16,
    process: &Process,
    size: u64,
    add: fn(&str, u64) -> Vec<String>,
) -> Done<Sample> {
    let before = process.resident_bytes();
    let mut client = Client::connect(port).map_err(|error| error.to_string())?;
    let mut requests = Vec::new();
    let mut waiting = 0;
    for number in 0..ELEMENTS {
        let key = format!("key:{:08}", number / size);
        resp::request(&add(&key, number % size), &mut requests);
        waiting += 1;
        if waiting == CHUNK || number + 1 == ELEMENTS {
            let replies = client.pipeline(&requests, waiting).map_err(|error| error.to_string())?;
            if let Some(wrong) = replies.iter().find(|reply| reply.starts_with(b"-")) {
                return Err(format!("a write answered {}", wrong.escape_ascii()));
            }
            requests.clear();
            waiting = 0;
        }
    }
    let resident = process.resident_bytes();
    let usage = client.call(&["MEMORY", "USAGE", "key:00000000", "SAMPLES", "0"]).integer();
    Ok(Sample::from([
        (Measure::BytesPerKey, (resident - before.min(resident)) as f64 / ELEMENTS as f64),
        (Measure::UsagePerKey, usage as f64 / size as f64),
    ]))
}
