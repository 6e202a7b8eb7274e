//! One replica against one redis-server.

use compat_tests::redis::Redis;
use compat_tests::standalone::Standalone;

use crate::case::{Case, Done, Measure};
use crate::redis_benchmark::{self, KEYS, Load};

/// Clients at once: what redis-benchmark takes by itself.
const CLIENTS: u32 = 50;

/// Commands a round at each pipeline depth, about a second's worth, and the ratio of processor
/// time aimed at.
const DEPTHS: [(u32, u64, f64); 3] = [(1, 100_000, 1.0), (16, 800_000, 0.75), (64, 1_600_000, 0.6)];

/// Some seconds' worth of writes that each wait for the disk.
const FSYNC_REQUESTS: u64 = 20_000;

/// `fsync no` against no persistence.
pub(crate) fn without_fsync(rounds: usize) -> Done<Vec<Case>> {
    let pair = Pair::start("fsync=no", &[])?;
    let mut cases = Vec::new();
    for (pipeline, requests, cpu) in DEPTHS {
        for command in ["GET", "SET"] {
            let load = Load { command, clients: CLIENTS, pipeline, requests, range: KEYS };
            let goals = [(Measure::ServerUs, cpu), (Measure::PerSecond, 1.0)];
            cases.push(pair.measure(load, &goals, rounds)?);
        }
    }
    pair.check()?;
    Ok(cases)
}

/// Every write on disk before its answer, on both sides.
pub(crate) fn with_fsync(rounds: usize) -> Done<Vec<Case>> {
    let pair = Pair::start("fsync=always", &["--appendonly", "yes", "--appendfsync", "always"])?;
    let load = Load {
        command: "SET",
        clients: CLIENTS,
        pipeline: 1,
        requests: FSYNC_REQUESTS,
        range: KEYS,
    };
    let cases = vec![pair.measure(load, &[(Measure::PerSecond, 1.0)], rounds)?];
    pair.check()?;
    Ok(cases)
}

/// The two servers, for all cases of a scenario: the idle one costs nothing.
pub(crate) struct Pair {
    pub(crate) ours: Standalone,
    pub(crate) theirs: Redis,
}

impl Pair {
    /// Two servers without data.
    pub(crate) fn empty(setting: &str, arguments: &[&str]) -> Pair {
        Pair { ours: Standalone::start(&[setting]), theirs: Redis::start(arguments) }
    }

    fn start(setting: &str, arguments: &[&str]) -> Done<Pair> {
        let pair = Pair::empty(setting, arguments);
        redis_benchmark::fill(pair.ours.port)?;
        redis_benchmark::fill(pair.theirs.port)?;
        Ok(pair)
    }

    fn measure(&self, load: Load, goals: &[(Measure, f64)], rounds: usize) -> Done<Case> {
        self.measure_prepared(load, goals, rounds, |_| Ok(()))
    }

    /// The same, with `prepare` before every load of a server, by its port.
    pub(crate) fn measure_prepared(
        &self,
        load: Load,
        goals: &[(Measure, f64)],
        rounds: usize,
        prepare: impl Fn(u16) -> Done,
    ) -> Done<Case> {
        let sides = [
            (self.ours.port, self.ours.process.id()),
            (self.theirs.port, self.theirs.process.id()),
        ];
        Case::measure(load.name(), ["ringfort", "redis"], goals, rounds, |side| {
            let (port, process) = sides[side];
            prepare(port)?;
            load.run(port, &[process])
        })
    }

    fn check(&self) -> Done {
        redis_benchmark::check(self.ours.port)?;
        redis_benchmark::check(self.theirs.port)
    }
}
