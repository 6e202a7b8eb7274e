//! Memory that a small key takes.

use compat_tests::client::Client;
use compat_tests::process::Process;
use compat_tests::redis::Redis;
use compat_tests::resp;
use compat_tests::standalone::Standalone;

use crate::case::{Case, Done, Measure, Sample};

const KEYS: u64 = 1_000_000;
/// Requests sent at once; both servers answer thousands at a time.
const CHUNK: u64 = 1_000;

/// Loads a fresh pair of servers each round.
pub(crate) fn run(rounds: usize) -> Done<Vec<Case>> {
    let name = "1,000,000 keys, 16 B + 32 B".to_owned();
    let goals = [(Measure::BytesPerKey, 1.0)];
    let case = Case::measure(name, ["ringfort", "redis"], &goals, rounds, |side| {
        if side == 0 {
            let server = Standalone::start(&["fsync=no"]);
            loaded(server.port, &server.process)
        } else {
            let server = Redis::start(&[]);
            loaded(server.port, &server.process)
        }
    })?;
    Ok(vec![case])
}

fn loaded(port: u16, process: &Process) -> Done<Sample> {
    let before = process.resident_bytes();
    let mut client = Client::connect(port).map_err(|error| error.to_string())?;
    for chunk in 0..KEYS / CHUNK {
        let mut requests = Vec::new();
        for number in chunk * CHUNK..(chunk + 1) * CHUNK {
            let (key, value) = (format!("key:{number:012}"), format!("{number:032}"));
            resp::request(&["SET", &key, &value], &mut requests);
        }
        let replies =
            client.pipeline(&requests, CHUNK as usize).map_err(|error| error.to_string())?;
        if let Some(wrong) = replies.iter().find(|reply| *reply != b"+OK\r\n") {
            return Err(format!("SET answered {}", wrong.escape_ascii()));
        }
    }
    let count = client.call(&["DBSIZE"]).integer();
    if count != KEYS as i64 {
        return Err(format!("{count} keys after {KEYS} were written"));
    }
    let of_a_key = |bytes: u64| (bytes - before.min(bytes)) as f64 / KEYS as f64;
    Ok(Sample::from([
        (Measure::BytesPerKey, of_a_key(process.resident_bytes())),
        (Measure::PeakBytesPerKey, of_a_key(peak_bytes(process.id())?)),
    ]))
}

/// The most memory that a process ever held.
fn peak_bytes(id: u32) -> Done<u64> {
    let path = format!("/proc/{id}/status");
    let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.map(|kib| kib * 1024).ok_or(format!("{path}: no VmHWM"))
}
