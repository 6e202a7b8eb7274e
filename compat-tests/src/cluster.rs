//! A Ringfort cluster of processes that are started, killed and restarted one by one.
//!
//! `ringfort up` is tested by itself; here the nodes' configuration files are written by the test,
//! so that each node can be handled alone.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::Client;
use crate::ports;
use crate::process::Process;
use crate::resp::Value;
use crate::standalone::{is_ready, program};
use crate::wait;

/// An election takes about a second; on a loaded machine with many nodes some more.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// One node: a replica of a shard.
pub struct Node {
    /// Its shard.
    pub shard: usize,
    /// Its client port.
    pub port: u16,
    /// Its data.
    pub data_dir: PathBuf,
    config: PathBuf,
    name: String,
    /// `None` while it is down.
    pub process: Option<Process>,
}

/// The nodes, shard by shard.
pub struct Cluster {
    /// All nodes: shard s, replica r at s * replicas + r.
    pub nodes: Vec<Node>,
    /// Shards.
    pub shards: usize,
    /// Replicas of each.
    pub replicas: usize,
    _dir: TempDir,
}

impl Cluster {
    /// Starts all nodes with these settings (`checkpoint-entries=100`); waits until all answer.
    pub fn start(shards: usize, replicas: usize, settings: &[&str]) -> Cluster {
        Cluster::start_with_data(shards, replicas, settings, |_| None)
    }

    /// The same, some nodes with their data elsewhere (a small disk).
    pub fn start_with_data(
        shards: usize,
        replicas: usize,
        settings: &[&str],
        data_of: impl Fn(usize) -> Option<PathBuf>,
    ) -> Cluster {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let count = shards * replicas;
        let first = ports::free_block(u16::try_from(count).expect("few nodes"));
        let nodes = (0..count)
            .map(|index| {
                let data_dir =
                    data_of(index).unwrap_or_else(|| dir.path().join(format!("data-{index}")));
                let config = dir.path().join(format!("node-{index}.toml"));
                let text = config_file(index, shards, replicas, first, &data_dir, settings);
                std::fs::write(&config, text).expect("the folder is writable");
                let port = first + index as u16;
                let (shard, name) = (index / replicas, format!("node-{index}"));
                Node { shard, port, data_dir, config, name, process: None }
            })
            .collect();
        let mut cluster = Cluster { nodes, shards, replicas, _dir: dir };
        for index in 0..count {
            cluster.start_node(index);
        }
        cluster.wait_until_ready();
        cluster
    }

    /// Starts a node that is down.
    pub fn start_node(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let mut command = Command::new(program());
        command.arg("serve").arg("--config").arg(&node.config);
        let dir = node.config.parent().expect("the file stands in a folder").to_owned();
        node.process = Some(Process::start(&node.name, &mut command, &dir));
    }

    /// Kills a node as a crash does.
    pub fn kill_node(&mut self, index: usize) {
        let mut process = self.nodes[index].process.take().expect("a running node");
        process.kill();
    }

    /// Waits until every running node executes commands.
    pub fn wait_until_ready(&mut self) {
        for index in 0..self.nodes.len() {
            if self.nodes[index].process.is_some() {
                self.wait_for_node(index);
            }
        }
    }

    /// Waits until a node executes commands.
    pub fn wait_for_node(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let process = node.process.as_mut().expect("a started node");
        wait::until_true("a node to answer", READY_LIMIT, || {
            process.expect_running();
            is_ready(node.port)
        });
    }

    /// The node that leads a shard; waits for one.
    pub fn leader(&self, shard: usize) -> usize {
        wait::until("a leader", READY_LIMIT, || self.leader_now(shard))
    }

    /// The node of a shard that says it leads, if exactly one does.
    pub fn leader_now(&self, shard: usize) -> Option<usize> {
        let running = |index: &usize| self.nodes[*index].process.is_some();
        let leads =
            |index: &usize| role(self.nodes[*index].port).is_some_and(|role| role == "master");
        let all = shard * self.replicas..(shard + 1) * self.replicas;
        let leaders: Vec<usize> = all.filter(running).filter(leads).collect();
        match leaders[..] {
            [leader] => Some(leader),
            _ => None,
        }
    }

    /// A connection to a node.
    pub fn client(&self, index: usize) -> Client {
        Client::connect(self.nodes[index].port).expect("a running node accepts connections")
    }

    /// The ports of all running nodes.
    pub fn ports(&self) -> Vec<u16> {
        let running = self.nodes.iter().filter(|node| node.process.is_some());
        running.map(|node| node.port).collect()
    }

    /// `ringfort admin WORDS` against the first running node: whether it succeeded, and its output.
    pub fn admin(&self, words: &[&str]) -> (bool, String) {
        let node = self.nodes.iter().find(|node| node.process.is_some()).expect("a running node");
        let peer = format!("127.0.0.1:{}", node.port + 10_000);
        let mut command = Command::new(program());
        let output = command.args(["admin", "--node", &peer]).args(words).output();
        let output = output.expect("the server's program runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// What `ringfort admin status` says of a node: a number such as `last_log` or `purged`.
    pub fn status(&self, index: usize, field: &str) -> Option<u64> {
        let (_, said) = self.admin(&["--json", "status"]);
        let status: serde_json::Value = serde_json::from_str(&said).ok()?;
        let replica = &status["shards"][self.nodes[index].shard]["replicas"][index % self.replicas];
        replica[field].as_u64()
    }

    /// Waits until the replicas of every shard hold the same data, by their own digests.
    pub fn wait_until_replicas_agree(&self) {
        let mut last = String::new();
        let begun = std::time::Instant::now();
        loop {
            let (agree, said) = self.admin(&["digest"]);
            if agree {
                return;
            }
            last.clone_from(&said);
            assert!(begun.elapsed() < READY_LIMIT, "replicas still differ:\n{last}");
        }
    }
}

/// `role` of INFO replication.
pub fn role(port: u16) -> Option<String> {
    info_field(port, "replication", "role")
}

/// A field of a section of INFO.
pub fn info_field(port: u16, section: &str, field: &str) -> Option<String> {
    let mut client = Client::connect_within(port, Duration::from_secs(2)).ok()?;
    let info = match client.try_call(&["INFO", section]).ok()? {
        Value::Error(_) => return None,
        info => info.text(),
    };
    let mut lines = info.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(name, _)| *name == field).map(|(_, value)| value.to_owned())
}

fn config_file(
    index: usize,
    shards: usize,
    replicas: usize,
    first_port: u16,
    data_dir: &Path,
    settings: &[&str],
) -> String {
    let address = |index: usize, far: u16| format!("127.0.0.1:{}", first_port + index as u16 + far);
    let mut text = format!(
        "listen = \"{}\"\npeer-listen = \"{}\"\nhttp-listen = \"{}\"\ndata-dir = {:?}\n\n[settings]\n",
        address(index, 0),
        address(index, 10_000),
        address(index, 20_000),
        data_dir,
    );
    let mut line = |line: String| writeln!(text, "{line}").expect("writing to a String");
    for setting in settings {
        let (name, value) = setting.split_once('=').expect("name=value");
        line(format!("{name} = {value:?}"));
    }
    line("\n[cluster]\ncluster-id = \"test\"".into());
    line(format!("node-id = {}\nbootstrap = {}", index + 1, index.is_multiple_of(replicas)));
    for shard in 0..shards {
        line(format!("\n[[cluster.shards]]\nid = {shard}\nreplicas = ["));
        for replica in shard * replicas..(shard + 1) * replicas {
            line(format!(
                "  {{ node-id = {}, client = {:?}, peer = {:?}, http = {:?} }},",
                replica + 1,
                address(replica, 0),
                address(replica, 10_000),
                address(replica, 20_000),
            ));
        }
        line("]".into());
    }
    text
}
