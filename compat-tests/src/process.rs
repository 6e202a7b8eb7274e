//! A program under test: started with its output in a file, killed by its id, gone on drop.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::wait;

/// What a failing test shows of a log, and of each of its lines.
const TAIL_LINES: usize = 20;
const TAIL_COLUMNS: usize = 240;

/// A running program, leader of its own process group, so that what it starts dies with it.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts it; its output is appended to `<dir>/<name>.log`.
    pub fn start(name: &str, command: &mut Command, dir: &Path) -> Process {
        let log = dir.join(format!("{name}.log"));
        let open = || File::options().create(true).append(true).open(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(open())
            .stderr(open())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Process { name: name.to_owned(), child, log, ended: None }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to its output.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Its exit status, if it ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("our own child can be waited for");
        }
        self.ended
    }

    /// Panics with the log's end unless it still runs.
    pub fn expect_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended: {status}\n{}", self.name, self.tail());
        }
    }

    /// `kill -9` for it and all it started, as a crash: nothing is flushed or closed.
    pub fn kill(&mut self) {
        self.signal_group(Signal::KILL);
        if self.ended.is_none() {
            self.ended = Some(self.child.wait().expect("our own child can be waited for"));
        }
    }

    /// Asks it to stop, and waits.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let what = format!("{} to stop", self.name);
        wait::until(&what, Duration::from_secs(30), || self.ended())
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        // It may have ended a moment ago.
        let _ = rustix::process::kill_process(self.pid(), signal);
    }

    /// Processor time that it used, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.id())
    }

    /// Memory that it holds, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))
            .expect("a running process has a status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a size");
        kib * 1024
    }

    /// The log's last lines.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        let cut = |line: &&str| line.chars().take(TAIL_COLUMNS).collect::<String>();
        let tail: Vec<String> = lines[from..].iter().map(cut).collect();
        format!("--- {}'s log ends:\n{}\n---", self.name, tail.join("\n"))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal_group(&self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.pid(), signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}

/// Processor time of all threads of a process, in seconds.
///
/// Adds up every thread's own count in nanoseconds: the process' sum in `stat` is in hundredths.
pub fn cpu_seconds(id: u32) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).expect("a running process");
    let nanoseconds: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|stat| stat.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    nanoseconds as f64 / 1e9
}
