//! The families' commands, one replica against one redis-server.

use compat_tests::client::Client;

use crate::case::{Case, Done, Measure};
use crate::redis_benchmark::Load;
use crate::single::Pair;

/// What redis-benchmark takes by itself.
const CLIENTS: u32 = 50;

/// Where the cost of a command shows beside the kernel's share of a read and a write.
const PIPELINE: u32 = 16;

/// The ratio of processor time aimed at.
const GOAL: f64 = 0.9;

/// Elements, fields and members are drawn from so many.
const RANGE: u64 = 100_000;

/// A command and what it needs to find.
struct Kind {
    command: &'static str,
    requests: u64,
    range: u64,
    /// Written before every load.
    fill: Option<&'static str>,
}

const fn kind(command: &'static str, requests: u64, fill: Option<&'static str>) -> Kind {
    Kind { command, requests, range: RANGE, fill }
}

/// In redis-benchmark's own shapes, but for members that differ.
const KINDS: [Kind; 12] = [
    kind("LPUSH mylist element:__rand_int__", 400_000, None),
    kind("LPOP mylist", 400_000, Some("LPUSH mylist element:__rand_int__")),
    kind("RPOP mylist", 400_000, Some("LPUSH mylist element:__rand_int__")),
    kind("LRANGE mylist 0 99", 60_000, Some("LPUSH mylist element:__rand_int__")),
    kind("SADD myset element:__rand_int__", 400_000, None),
    Kind { range: 1 << 40, ..kind("SPOP myset", 400_000, Some("SADD myset element:__rand_int__")) },
    kind("HSET myhash field:__rand_int__ value:__rand_int__", 400_000, None),
    kind(
        "HGET myhash field:__rand_int__",
        400_000,
        Some("HSET myhash field:__rand_int__ value:__rand_int__"),
    ),
    kind("ZADD myzset __rand_int__ element:__rand_int__", 400_000, None),
    kind("ZRANGE myzset 0 99", 60_000, Some("ZADD myzset __rand_int__ element:__rand_int__")),
    kind("XADD mystream * field value:__rand_int__", 400_000, None),
    kind("INCR counter:__rand_int__", 400_000, None),
];

/// `fsync no` against no persistence.
pub(crate) fn run(rounds: usize) -> Done<Vec<Case>> {
    let pair = Pair::empty("fsync=no", &[]);
    let mut cases = Vec::new();
    for Kind { command, requests, range, fill } in KINDS {
        let load =
            |command| Load { command, clients: CLIENTS, pipeline: PIPELINE, requests, range };
        cases.push(pair.measure_prepared(
            load(command),
            &[(Measure::ServerUs, GOAL)],
            rounds,
            |port| {
                let mut client = Client::connect(port).map_err(|error| error.to_string())?;
                client.call(&["FLUSHALL"]);
                match fill {
                    // So much that a pop finds something at every request.
                    Some(command) => Load { requests: 400_000, ..load(command) }.fill(port),
                    None => Ok(()),
                }
            },
        )?);
    }
    Ok(cases)
}
