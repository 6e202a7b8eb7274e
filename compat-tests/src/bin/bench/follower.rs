//! What it costs to ask a follower, which passes commands on to the leader.

use crate::case::{Case, Done};
use crate::redis_benchmark::{self, KEYS, Load};
use crate::trio::Trio;

const CLIENTS: u32 = 50;

/// Commands a round, about a second's worth.
const LOADS: [(&str, u32, u64); 4] =
    [("GET", 1, 50_000), ("SET", 1, 30_000), ("GET", 16, 200_000), ("SET", 16, 100_000)];

/// No goals: the ratio is between two ports of the same shard.
pub(crate) fn run(rounds: usize) -> Done<Vec<Case>> {
    let mut trio = Trio::start();
    let processes = trio.processes()?;
    redis_benchmark::fill(trio.leader())?;
    let mut cases = Vec::new();
    for (command, pipeline, requests) in LOADS {
        let load = Load { command, clients: CLIENTS, pipeline, requests, range: KEYS };
        let sides = ["follower", "leader"];
        cases.push(Case::measure(load.name(), sides, &[], rounds, |side| {
            let port = if side == 0 { trio.follower() } else { trio.leader() };
            load.run(port, &processes)
        })?);
    }
    redis_benchmark::check(trio.leader())?;
    Ok(cases)
}
