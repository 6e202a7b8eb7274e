//! Random commands to both servers, many thousands of them, from one printed seed.
//!
//! A difference is shrunk to few commands and printed as lines for a story. `COMPAT_SEED` replays,
//! `COMPAT_COMMANDS` says how many.

use compat_tests::client::Client;
use compat_tests::random::{Random, number_from, seed};
use compat_tests::resp::{self, Value};
use compat_tests::table::{self, Row};
use compat_tests::words;

use super::Servers;
use super::generator;

/// Enough that a run takes some seconds; a night can ask for more.
const COMMANDS: u64 = 100_000;
/// Both servers are emptied after so many: what shrinking begins with.
const BLOCK_COMMANDS: usize = 1_000;
/// Replies that count time may differ by what passed between the two servers.
const TIME_NEAR: i64 = 60_000;

/// Not compared at random, with the reason.
const LEFT_OUT: [(&str, &str); 15] = [
    ("randomkey", "random"),
    ("scan", "the order of keys is each server's own"),
    ("wait", "waits"),
    ("object|idletime", "time"),
    ("object|freq", "depends on maxmemory-policy; a story has it"),
    ("object|refcount", "which small integers Redis shares depends on how they came about"),
    ("object|help", "text"),
    ("memory|help", "text"),
    ("memory|usage", "each server's own"),
    ("swapdb", "moves the other tests' databases"),
    ("migrate", "refused"),
    ("dump", "Redis compresses long strings"),
    ("pfcount", "notes the estimate in the string there, which GET then shows"),
    ("pfdebug", "text"),
    ("select", "chosen by the generator itself, so that most commands meet in one database"),
];

type Words = Vec<Vec<u8>>;

#[test]
fn random_commands_are_answered_as_by_redis() {
    let servers = Servers::start();
    let seed = seed();
    let total = number_from("COMPAT_COMMANDS").unwrap_or(COMMANDS) as usize;
    println!("COMPAT_SEED={seed} COMPAT_COMMANDS={total}");
    let rows = rows(&mut servers.ours.client());
    let mut random = Random::new(seed);
    let mut sent = 0;
    while sent < total {
        let protocol = if random.once_in(2) { 2 } else { 3 };
        let block = block(&rows, &mut random);
        if let Some(at) = first_difference(&servers, protocol, &block) {
            let shrunk = shrink(&servers, protocol, block[..=at].to_vec());
            panic!("seed {seed}, RESP{protocol}:\n{}", story(&servers, protocol, &shrunk));
        }
        sent += block.len();
    }
    println!("{sent} commands of {} kinds answered alike", rows.len());
    assert!(rows.len() > 40, "the generator saw only {} commands", rows.len());
}

fn rows(client: &mut Client) -> Vec<Row> {
    let groups = ["string", "bitmap", "hyperloglog", "generic", "transactions"];
    let all = table::read(client);
    let callable = all.iter().flat_map(Row::callable);
    callable
        .filter(|row| groups.contains(&row.group.as_str()))
        .filter(|row| !LEFT_OUT.iter().any(|(name, _)| *name == row.name))
        .cloned()
        .collect()
}

fn block(rows: &[Row], random: &mut Random) -> Vec<Words> {
    let mut block = Vec::with_capacity(BLOCK_COMMANDS);
    while block.len() < BLOCK_COMMANDS {
        let row = random.of(rows);
        // A transaction would swallow most of a block if it were as frequent as the rest.
        if row.group == "transactions" && !random.once_in(3) {
            continue;
        }
        if random.once_in(200) {
            let db = random.of(&["0", "0", "1", "15", "16"]);
            block.push(vec![b"SELECT".to_vec(), db.as_bytes().to_vec()]);
        }
        block.push(generator::command(row, random));
    }
    block
}

/// The index of the first command that is answered differently by servers that were emptied.
fn first_difference(servers: &Servers, protocol: u8, block: &[Words]) -> Option<usize> {
    let [ours, redis] = replies(servers, protocol, block);
    let pairs = ours.iter().zip(&redis).zip(block);
    pairs.into_iter().position(|((ours, redis), command)| !agree(command, ours, redis))
}

fn replies(servers: &Servers, protocol: u8, block: &[Words]) -> [Vec<Vec<u8>>; 2] {
    let mut requests = Vec::new();
    for command in block {
        resp::request(command, &mut requests);
    }
    servers.connect(protocol).map(|mut client| {
        client.call(&["FLUSHALL"]);
        let replies = client.pipeline(&requests, block.len());
        replies.unwrap_or_else(|error| panic!("a server did not answer a block: {error}"))
    })
}

fn agree(command: &Words, ours: &[u8], redis: &[u8]) -> bool {
    if ours == redis {
        return true;
    }
    let [ours, redis] = [ours, redis].map(|bytes| resp::decode(bytes).expect("a whole reply").0);
    near(&ours, &redis, &command[0].to_ascii_lowercase())
}

/// Times may differ by rounding, and KEYS has no order; also inside EXEC's array.
fn near(ours: &Value, redis: &Value, name: &[u8]) -> bool {
    match (ours, redis) {
        // Redis' error texts end at the first NUL of an argument that they quote.
        (Value::Error(ours), Value::Error(redis)) => ours.split('\0').next() == Some(redis),
        (Value::Integer(ours), Value::Integer(redis)) => {
            let timed = [&b"ttl"[..], b"pttl", b"expiretime", b"pexpiretime", b"exec"];
            timed.contains(&name)
                && *ours > TIME_NEAR
                && *redis > TIME_NEAR
                && (ours - redis).abs() < TIME_NEAR
        }
        (Value::Array(ours), Value::Array(redis)) if name == b"keys" => {
            sorted(ours) == sorted(redis)
        }
        (Value::Array(ours), Value::Array(redis)) if name == b"exec" => {
            let same = |(ours, redis): (&Value, &Value)| {
                ours == redis || near(ours, redis, name) || near(ours, redis, b"keys")
            };
            ours.len() == redis.len() && ours.iter().zip(redis).all(same)
        }
        _ => false,
    }
}

fn sorted(items: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.sort_unstable();
    texts
}

/// Leaves out ever smaller pieces for as long as the servers still differ.
fn shrink(servers: &Servers, protocol: u8, mut block: Vec<Words>) -> Vec<Words> {
    let mut piece = block.len() / 2;
    while piece > 0 {
        let mut at = 0;
        while at < block.len() {
            let mut smaller = block.clone();
            smaller.drain(at..(at + piece).min(block.len()));
            match first_difference(servers, protocol, &smaller) {
                Some(index) => {
                    smaller.truncate(index + 1);
                    block = smaller;
                }
                None => at += piece,
            }
        }
        piece /= 2;
    }
    block
}

fn story(servers: &Servers, protocol: u8, block: &[Words]) -> String {
    let [ours, redis] = replies(servers, protocol, block);
    let mut text = String::new();
    for ((command, ours), redis) in block.iter().zip(&ours).zip(&redis) {
        text.push_str(&format!(
            "> {}\nours:  {}\nredis: {}\n",
            words::join(command),
            ours.escape_ascii(),
            redis.escape_ascii()
        ));
    }
    text
}
