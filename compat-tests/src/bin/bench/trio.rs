//! A shard of three replicas, as `ringfort up` starts it, every write on a quorum's disks.

use std::time::Duration;

use compat_tests::cluster::role;
use compat_tests::up::Up;
use compat_tests::wait;

use crate::case::{Done, read};

const REPLICAS: u16 = 3;
const LEADER_LIMIT: Duration = Duration::from_secs(30);

/// The replicas.
pub(crate) struct Trio {
    up: Up,
}

impl Trio {
    pub(crate) fn start() -> Trio {
        Trio { up: Up::start(1, REPLICAS) }
    }

    /// The client port of the replica that leads; waits for one.
    pub(crate) fn leader(&mut self) -> u16 {
        wait::until("a leader", LEADER_LIMIT, || {
            self.up.process.expect_running();
            self.up.ports().into_iter().find(|port| role(*port).as_deref() == Some("master"))
        })
    }

    /// The client port of a replica that follows.
    pub(crate) fn follower(&mut self) -> u16 {
        let leader = self.leader();
        self.up.ports().into_iter().find(|port| *port != leader).expect("there are three")
    }

    /// All processes: `ringfort up` and its children.
    pub(crate) fn processes(&self) -> Done<Vec<u32>> {
        let up = self.up.process.id();
        let entries = std::fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let mut ids: Vec<u32> = ids.filter(|id| parent_of(*id) == Some(up)).collect();
        if ids.len() != usize::from(REPLICAS) {
            return Err(format!("`ringfort up` has {} children, not {REPLICAS}", ids.len()));
        }
        ids.push(up);
        Ok(ids)
    }
}

/// The parent of a process; it may have ended meanwhile.
fn parent_of(id: u32) -> Option<u32> {
    let stat = read(&format!("/proc/{id}/stat")).ok()?;
    // The name before it may hold anything, but ends with the last parenthesis.
    let (_, after) = stat.rsplit_once(')')?;
    // State, parent.
    after.split_whitespace().nth(1)?.parse().ok()
}
