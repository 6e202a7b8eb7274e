//! redis-benchmark as the load: what users measure with, and cheap enough not to be the limit.

use std::process::Command;
use std::time::Duration;

use compat_tests::client::Client;
use compat_tests::process::Process;
use compat_tests::resp::Value;
use compat_tests::wait;

use crate::case::{Clock, Done, Measure, Sample};

/// Keys that are read and written: more than a cache of the processor holds, few enough to fill
/// in a second.
pub(crate) const KEYS: u64 = 100_000;
/// Bytes of a value.
pub(crate) const VALUE_BYTES: usize = 64;
/// No load of a healthy server takes longer; one that does is a failure, not a figure.
const LOAD_LIMIT: Duration = Duration::from_secs(120);
/// Writes to random keys that leave one key of 150 unwritten (1/e^5).
const FILL_REQUESTS: u64 = KEYS * 5;

/// A load.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// One of its own tests (`GET`, `SET`), or a whole command in which `__rand_int__` stands for
    /// a random number of 12 digits.
    pub(crate) command: &'static str,
    pub(crate) clients: u32,
    pub(crate) pipeline: u32,
    pub(crate) requests: u64,
    /// Random numbers are below this.
    pub(crate) range: u64,
}

impl Load {
    /// Its name in tables.
    pub(crate) fn name(&self) -> String {
        format!("{} c={} P={}", self.command, self.clients, self.pipeline)
    }

    /// Runs it against a port; `servers` are the processes whose time is counted.
    pub(crate) fn run(&self, port: u16, servers: &[u32]) -> Done<Sample> {
        let clock = Clock::start(servers)?;
        let said = self.output(port)?;
        let times = clock.stop(self.requests)?;
        let line = said.lines().find(|line| line.starts_with(&format!("\"{}\"", self.command)));
        let fields: Vec<f64> = line
            .unwrap_or_default()
            .split(',')
            .skip(1)
            .filter_map(|field| field.trim_matches('"').parse().ok())
            .collect();
        // Requests a second, then milliseconds: mean, least, p50, p95, p99, greatest.
        let [per_second, _, _, p50, _, p99, _] = fields[..] else {
            return Err(format!("redis-benchmark said:\n{said}"));
        };
        let mut sample = Sample::from(times);
        sample.insert(Measure::PerSecond, per_second);
        sample.insert(Measure::P50Ms, p50);
        sample.insert(Measure::P99Ms, p99);
        Ok(sample)
    }

    /// Runs it without looking at the time it takes.
    pub(crate) fn fill(&self, port: u16) -> Done {
        self.output(port).map(|_| ())
    }

    /// It ends with failure at the first error that a server replies.
    fn output(&self, port: u16) -> Done<String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut command = Command::new("redis-benchmark");
        command.args(["--csv", "-h", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-n", &self.requests.to_string(), "-c", &self.clients.to_string()]);
        command.args(["-P", &self.pipeline.to_string(), "-r", &self.range.to_string()]);
        command.args(["-d", &VALUE_BYTES.to_string()]);
        match self.command.split_once(' ') {
            None => command.args(["-t", &self.command.to_lowercase()]),
            Some(_) => command.args(self.command.split(' ')),
        };
        let mut process = Process::start("redis-benchmark", &mut command, dir.path());
        let status = wait::until("redis-benchmark to end", LOAD_LIMIT, || process.ended());
        let said = process.log();
        if status.success() { Ok(said) } else { Err(format!("redis-benchmark: {status}\n{said}")) }
    }
}

/// Writes the keys that the loads will read.
pub(crate) fn fill(port: u16) -> Done {
    let load =
        Load { command: "SET", clients: 50, pipeline: 64, requests: FILL_REQUESTS, range: KEYS };
    load.fill(port)
}

/// That the keys hold what the loads wrote: values of the right length under nearly all keys.
pub(crate) fn check(port: u16) -> Done {
    let mut client = Client::connect(port).map_err(|e| e.to_string())?;
    let mut present = 0;
    let sampled = 1000;
    for number in 0..sampled {
        let key = format!("key:{:012}", number * (KEYS / sampled));
        match client.call(&["GET", &key]) {
            Value::Null => {}
            Value::Bulk(value) if value.len() == VALUE_BYTES => present += 1,
            other => return Err(format!("{key} holds {other}, not {VALUE_BYTES} bytes")),
        }
    }
    if present * 100 < sampled * 98 {
        return Err(format!("{present} of {sampled} keys are there after the load"));
    }
    Ok(())
}
