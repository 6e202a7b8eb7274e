//! `ringfort up`: from creation over every way to end to the same cluster again.

use std::path::Path;

use rustix::process::Signal;

use super::program::{Running, call, free_ports, is_free, run, signal_process, until};

struct Up<'a> {
    dir: &'a Path,
    shards: u16,
    replicas: u16,
    port: u16,
}

impl Up<'_> {
    fn args(&self) -> Vec<String> {
        let numbers =
            [("--shards", self.shards), ("--replicas", self.replicas), ("--port", self.port)];
        let mut args = vec!["up".to_owned(), "--dir".to_owned(), self.dir.display().to_string()];
        args.extend(numbers.iter().flat_map(|(name, value)| [(*name).into(), value.to_string()]));
        args
    }

    fn start(&self) -> Running {
        let args = self.args();
        Running::start(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn start_ready(&self) -> Running {
        let up = self.start();
        up.wait_for(&format!("ready: redis-cli -c -p {}", self.port));
        up
    }

    fn refused(&self) -> String {
        let args = self.args();
        let (status, said) = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(status.code(), Some(1), "{said}");
        said
    }

    fn ports(&self) -> std::ops::Range<u16> {
        self.port..self.port + self.shards * self.replicas
    }

    /// The port of the shard's leader that serves `key`: the one that does not send us elsewhere.
    fn home(&self, key: &str) -> u16 {
        let here =
            |port: &u16| call(*port, &format!("GET {key}")).is_ok_and(|a| a.starts_with('$'));
        self.ports().find(here).expect("some node serves the key")
    }

    fn pid(&self, port: u16) -> u32 {
        let info = call(port, "INFO server").unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("process_id:"));
        line.unwrap().trim().parse().unwrap()
    }

    fn wait_until_gone(&self) {
        until("free ports", || self.ports().all(is_free).then_some(()));
    }

    fn admin(&self, words: &[&str]) -> (bool, String) {
        let node = format!("127.0.0.1:{}", self.port + 10_000);
        let (status, said) = run(&[&["admin", "--node", &node], words].concat());
        (status.success(), said)
    }
}

#[test]
fn a_cluster_is_created_stopped_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let up = Up { dir: dir.path(), shards: 2, replicas: 1, port: free_ports(2) };
    let mut running = up.start_ready();
    for key in ["a", "b", "c", "d"] {
        assert_eq!(call(up.home(key), &format!("SET {key} 1{key}")).unwrap(), "+OK");
    }
    let (fine, status) = up.admin(&["status"]);
    assert!(fine && status.contains("2 of 2 shards have a leader"), "{status}");

    let other = tempfile::tempdir().unwrap();
    let refused = Up { dir: other.path(), ..up }.refused();
    let wanted = format!("port {}, which node 1 needs, is in use", up.port);
    assert!(refused.contains(&wanted), "{refused}");

    running.signal(Signal::TERM);
    assert!(running.wait().success());
    up.wait_until_gone();

    let refused = Up { shards: 3, ..up }.refused();
    assert!(refused.contains("has --shards 2 --replicas 1"), "{refused}");

    let mut running = up.start_ready();
    for key in ["a", "b", "c", "d"] {
        assert_eq!(call(up.home(key), &format!("GET {key}")).unwrap(), format!("$2\r\n1{key}"));
    }
    running.signal(Signal::INT);
    assert!(running.wait().success());
}

#[test]
fn a_node_that_dies_is_reported_and_a_majority_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let up = Up { dir: dir.path(), shards: 1, replicas: 3, port: free_ports(3) };
    let mut running = up.start_ready();
    assert_eq!(call(up.port, "SET k v").unwrap(), "+OK");
    let (fine, said) = up.admin(&["digest"]);
    assert!(fine && said.contains("equal"), "{said}");

    // The leader, so that the others have to elect one.
    let (_, status) = up.admin(&["--json", "status"]);
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let leader = u16::try_from(status["shards"][0]["leader"].as_u64().unwrap()).unwrap();
    let survivor = if leader == 1 { up.port + 1 } else { up.port };
    signal_process(up.pid(up.port + leader - 1), Signal::KILL);
    running.wait_for(&format!(
        "node {leader} (shard 0, port {}) was killed by signal 9",
        up.port + leader - 1
    ));
    until("new leader", || call(survivor, "SET k w").ok().filter(|answer| answer == "+OK"));

    let next = up.ports().find(|port| *port != survivor && *port != up.port + leader - 1).unwrap();
    signal_process(up.pid(next), Signal::KILL);
    running.wait_for("shard 0 has 1 of 3 nodes left, which is no majority: stopping");
    assert_eq!(running.wait().code(), Some(1));
    up.wait_until_gone();

    let _again = up.start_ready();
    assert_eq!(until("value", || call(up.port, "GET k").ok()), "$1\r\nw");
}

#[cfg(target_os = "linux")]
#[test]
fn no_node_outlives_a_killed_parent() {
    let dir = tempfile::tempdir().unwrap();
    let up = Up { dir: dir.path(), shards: 2, replicas: 1, port: free_ports(2) };
    let mut running = up.start_ready();
    running.signal(Signal::KILL);
    running.wait();
    up.wait_until_gone();
}
