//! A load of our own for servers that speak different protocols: each client sends a write, waits
//! for its answer, and sends the next.
//!
//! The same code times both sides, so that latencies compare. One thread makes the load, as in
//! redis-benchmark: on a machine of few cores the load must not crowd out the servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use compat_tests::random::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::case::{Clock, Done, Measure, Sample};

/// Keys written: few enough that a round writes all of them, so that all can be read back.
pub(crate) const KEYS: usize = 10_000;
/// A round: long beside the slowest answer, short beside a change of the machine's mood.
const TIME_MAX: Duration = Duration::from_secs(3);
/// Bounds the log that a round leaves on disk.
const REQUESTS_MAX: u64 = 300_000;
/// A load's answers stop for an election at most, which takes about a second.
const OVERDUE: Duration = Duration::from_secs(20);

/// One client's connection to a server.
pub(crate) trait Connection: Send + 'static {
    /// Writes a value and waits until it is acknowledged; an error reply is trouble.
    fn set(&mut self, key: String, value: String) -> impl Future<Output = Done> + Send;
}

/// The key of that number, 16 bytes.
pub(crate) fn key(number: usize) -> String {
    format!("key:{number:012}")
}

/// What is written under a key, 64 bytes: whoever reads it sees whether it is right.
pub(crate) fn value(key: &str) -> String {
    key.repeat(4)
}

/// Writes with every connection at once; `servers` are the processes whose time is counted.
pub(crate) async fn run(connections: Vec<impl Connection>, servers: &[u32]) -> Done<Sample> {
    let begun = Instant::now();
    let started = Arc::new(AtomicU64::new(0));
    let clock = Clock::start(servers)?;
    let mut clients = JoinSet::new();
    for (seed, connection) in connections.into_iter().enumerate() {
        clients.spawn(client(connection, seed as u64, begun + TIME_MAX, started.clone()));
    }
    let all = async {
        let mut latencies = Vec::new();
        while let Some(client) = clients.join_next().await {
            latencies.extend(client.map_err(|error| error.to_string())??);
        }
        Done::Ok(latencies)
    };
    let overdue = tokio::time::timeout(TIME_MAX + OVERDUE, all).await;
    let mut latencies = overdue.map_err(|_| "a write is not answered".to_owned())??;
    let seconds = begun.elapsed().as_secs_f64();
    let mut sample = Sample::from(clock.stop(latencies.len() as u64)?);
    latencies.sort_unstable();
    sample.insert(Measure::PerSecond, latencies.len() as f64 / seconds);
    sample.insert(Measure::P50Ms, percentile_ms(&latencies, 50));
    sample.insert(Measure::P99Ms, percentile_ms(&latencies, 99));
    Ok(sample)
}

/// One client's writes; how long each took.
async fn client(
    mut connection: impl Connection,
    seed: u64,
    until: Instant,
    started: Arc<AtomicU64>,
) -> Done<Vec<Duration>> {
    let mut random = Random::new(seed);
    let mut latencies = Vec::new();
    loop {
        let begun = Instant::now();
        if begun >= until || started.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
            return Ok(latencies);
        }
        let key = key(random.below(KEYS));
        let value = value(&key);
        connection.set(key, value).await?;
        latencies.push(begun.elapsed());
    }
}

/// Of sorted latencies the one that `percent` of them do not exceed.
fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
}

/// A connection that speaks Redis' protocol.
pub(crate) struct Resp {
    stream: TcpStream,
    request: Vec<u8>,
}

impl Resp {
    /// Connects `count` times.
    pub(crate) async fn connect(port: u16, count: usize) -> Done<Vec<Resp>> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            let stream = TcpStream::connect(("127.0.0.1", port)).await;
            let stream = stream.map_err(|error| format!("port {port}: {error}"))?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            connections.push(Resp { stream, request: Vec::new() });
        }
        Ok(connections)
    }

    async fn reply(&mut self) -> std::io::Result<Vec<u8>> {
        let mut reply = Vec::with_capacity(64);
        while !reply.ends_with(b"\r\n") {
            if self.stream.read_buf(&mut reply).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(reply)
    }
}

impl Connection for Resp {
    async fn set(&mut self, key: String, value: String) -> Done {
        self.request.clear();
        compat_tests::resp::request(&["SET", &key, &value], &mut self.request);
        let sent = self.stream.write_all(&self.request).await;
        sent.map_err(|error| format!("sending SET: {error}"))?;
        let reply = self.reply().await.map_err(|error| format!("waiting for SET: {error}"))?;
        if reply == b"+OK\r\n" { Ok(()) } else { Err(format!("SET: {}", reply.escape_ascii())) }
    }
}
