//! One node as a child process: started, watched, stopped, and never left behind.
//!
//! Its own process group, so that Ctrl-C in a terminal reaches only the parent, which stops all in
//! order. On Linux the kernel kills it when the parent dies; elsewhere it is killed when the
//! parent ends in good order, and a killed parent leaves it running.
#![cfg_attr(target_os = "linux", allow(unsafe_code))]

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};

use super::layout::Place;

/// Of a dead node's log: enough for its last words, bounded whatever it wrote.
const TAIL_BYTES_MAX: u64 = 8 * 1024;
const TAIL_LINES_MAX: usize = 8;

/// What the children are to do, from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Order {
    /// Go on.
    Run,
    /// End in good order.
    Stop,
    /// End now.
    Die,
}

/// A child that ended.
#[derive(Debug)]
pub(super) struct Exit {
    pub(super) node_id: u64,
    /// As part of a sentence: `ended with exit code 1`.
    pub(super) how: String,
}

/// Starts a node of our own program.
pub(super) fn spawn(place: &Place) -> io::Result<Child> {
    let log = File::options().create(true).append(true).open(place.log())?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("serve")
        .arg("--config")
        .arg(place.config())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // The log is a file, where colours are noise.
        .env("NO_COLOR", "1")
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(target_os = "linux")]
    die_with_parent(&mut command);
    command.spawn()
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};
    let parent = getpid();
    let ask = move || -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have died before the kernel was asked.
        if getppid() != Some(parent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two
    // plain system calls, and neither allocates nor takes locks; the error is built of a constant.
    unsafe { command.pre_exec(ask) };
}

/// Follows the orders until the child has ended.
pub(super) async fn tend(
    node_id: u64,
    mut child: Child,
    mut orders: watch::Receiver<Order>,
    exits: mpsc::Sender<Exit>,
) {
    let status = follow(&mut child, &mut orders).await;
    let how = status.map_or_else(|error| format!("was lost: {error}"), in_words);
    // Nobody listens only when the parent is ending itself.
    let _ = exits.send(Exit { node_id, how }).await;
}

async fn follow(child: &mut Child, orders: &mut watch::Receiver<Order>) -> io::Result<ExitStatus> {
    let order = tokio::select! {
        status = child.wait() => return status,
        order = ordered(orders, Order::Stop) => order,
    };
    if order == Order::Stop && ask_to_stop(child) {
        tokio::select! {
            status = child.wait() => return status,
            _ = ordered(orders, Order::Die) => {}
        }
    }
    // An error means that it has ended already, which is what we want.
    let _ = child.start_kill();
    child.wait().await
}

/// Waits for an order at least this strong. Without a parent that orders, nobody needs the child.
async fn ordered(orders: &mut watch::Receiver<Order>, least: Order) -> Order {
    orders.wait_for(|order| *order >= least).await.map_or(Order::Die, |order| *order)
}

/// Whether it was asked; where there are no signals, nobody can be.
fn ask_to_stop(child: &Child) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        // The id is there until the child was waited for, so it is nobody else's.
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
    }
    #[cfg(not(unix))]
    {
        let _ = child;
        false
    }
}

fn in_words(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return format!("was killed by signal {signal}");
        }
    }
    match status.code() {
        Some(code) => format!("ended with exit code {code}"),
        None => "ended".into(),
    }
}

/// The last lines of a log.
pub(super) fn log_tail(path: &Path) -> Vec<String> {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            let first = lines.len().saturating_sub(TAIL_LINES_MAX);
            lines[first..].iter().map(|line| (*line).to_owned()).collect()
        }
        Err(error) => vec![format!("(cannot be read: {error})")],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines_of_however_long_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert!(log_tail(&path)[0].starts_with("(cannot be read: "));
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(log_tail(&path), ["one", "two"]);
        let long: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        std::fs::write(&path, long).unwrap();
        let tail = log_tail(&path);
        assert_eq!((tail.len(), tail[7].as_str()), (8, "line 9999"));
    }

    async fn ended(script: &str, order: Order) -> String {
        let child = Command::new("sh").args(["-c", script]).kill_on_drop(true).spawn().unwrap();
        let (_orders, received) = watch::channel(order);
        let (sender, mut exits) = mpsc::channel(1);
        tend(5, child, received, sender).await;
        let exit = exits.recv().await.unwrap();
        assert_eq!(exit.node_id, 5);
        exit.how
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn children_end_as_ordered_and_their_end_is_told() {
        assert_eq!(ended("exit 3", Order::Run).await, "ended with exit code 3");
        assert_eq!(ended("kill -9 $$", Order::Run).await, "was killed by signal 9");
        assert_eq!(ended("sleep 600", Order::Stop).await, "was killed by signal 15");
        assert_eq!(ended("trap '' TERM; sleep 600", Order::Die).await, "was killed by signal 9");
    }
}
