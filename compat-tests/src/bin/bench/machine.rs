//! What the figures were measured on.

use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use compat_tests::standalone::program;

use crate::case::{Done, read};

/// Syncs timed: enough for a median, done in a second on a slow disk.
const SYNCS: usize = 100;

/// The machine and the programs.
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_gib: u64,
    kernel: String,
    /// A 4 KiB append made durable: what every fsynced write waits for at least once.
    sync_median: Duration,
    versions: Vec<String>,
}

/// Looks at the machine.
pub(crate) fn describe() -> Done<Machine> {
    let memory_kib: u64 = field("/proc/meminfo", "MemTotal")?
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok())
        .ok_or("/proc/meminfo: MemTotal is no number")?;
    Ok(Machine {
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        processor: field("/proc/cpuinfo", "model name").unwrap_or_else(|_| "unknown".into()),
        memory_gib: memory_kib.div_ceil(1024 * 1024),
        kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        sync_median: sync_median().map_err(|error| format!("timing fdatasync: {error}"))?,
        versions: vec![
            first_line(Command::new(program()).arg("--version"))?,
            first_line(Command::new("redis-server").arg("--version"))?,
            first_line(Command::new("etcd").arg("--version"))?,
        ],
    })
}

impl Machine {
    /// The machine in one line.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} cores ({}), {} GiB, Linux {}, fdatasync of 4 KiB {} us; {}",
            self.cores,
            self.processor,
            self.memory_gib,
            self.kernel,
            self.sync_median.as_micros(),
            self.versions.join("; ")
        )
    }

    /// For the file of results.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "cores": self.cores,
            "processor": self.processor,
            "memory_gib": self.memory_gib,
            "kernel": self.kernel,
            "fdatasync_us": self.sync_median.as_micros() as u64,
            "versions": self.versions,
        })
    }
}

fn sync_median() -> std::io::Result<Duration> {
    let dir = tempfile::tempdir()?;
    let mut file = File::create(dir.path().join("syncs"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let begun = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}

/// The first value of a name in one of the kernel's `name: value` files.
fn field(path: &str, name: &str) -> Done<String> {
    let text = read(path)?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(key, _)| key.trim() == name);
    found.map(|(_, value)| value.trim().to_owned()).ok_or(format!("{path}: no {name}"))
}

fn first_line(command: &mut Command) -> Done<String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
