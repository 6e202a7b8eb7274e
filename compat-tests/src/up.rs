//! `ringfort up`: a whole local cluster as one command.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::cluster_client::ClusterClient;
use crate::ports;
use crate::process::Process;
use crate::standalone::program;
use crate::wait;

/// Nine processes on two cores, each replaying its log.
const READY_LIMIT: Duration = Duration::from_secs(90);

/// A cluster started by `ringfort up`, and its folder.
pub struct Up {
    /// The command; its nodes belong to its process group.
    pub process: Process,
    /// The first node's client port.
    pub port: u16,
    shards: u16,
    replicas: u16,
    starts: usize,
    dir: TempDir,
}

impl Up {
    /// Starts it on free ports and waits for its ready line.
    pub fn start(shards: u16, replicas: u16) -> Up {
        let port = ports::free_block(shards * replicas);
        let dir = tempfile::tempdir().expect("a temporary folder");
        let process = spawn(shards, replicas, port, &dir);
        let mut up = Up { process, port, shards, replicas, starts: 1, dir };
        up.wait_until_ready();
        up
    }

    /// Starts it again with the same folder, after it ended or was killed.
    pub fn start_again(&mut self) {
        // The nodes of a killed `up` are killed by the kernel, a moment later.
        wait::until_true("the nodes to be gone", Duration::from_secs(30), || {
            self.ports().into_iter().all(ports::is_free)
        });
        self.process = spawn(self.shards, self.replicas, self.port, &self.dir);
        self.starts += 1;
        self.wait_until_ready();
    }

    /// The nodes' client ports, shard by shard.
    pub fn ports(&self) -> Vec<u16> {
        (self.port..self.port + self.shards * self.replicas).collect()
    }

    /// A client of the whole cluster.
    pub fn client(&self) -> ClusterClient {
        ClusterClient::new(&self.ports(), Duration::from_secs(10))
    }

    fn wait_until_ready(&mut self) {
        let line = format!("ready: redis-cli -c -p {}", self.port);
        wait::until_true("`ringfort up` to be ready", READY_LIMIT, || {
            self.process.expect_running();
            self.process.log().lines().filter(|said| *said == line).count() == self.starts
        });
    }
}

fn spawn(shards: u16, replicas: u16, port: u16, dir: &TempDir) -> Process {
    let mut command = Command::new(program());
    command
        .args(["up", "--shards", &shards.to_string(), "--replicas", &replicas.to_string()])
        .args(["--port", &port.to_string(), "--dir"])
        .arg(dir.path().join("cluster"));
    Process::start("up", &mut command, dir.path())
}
