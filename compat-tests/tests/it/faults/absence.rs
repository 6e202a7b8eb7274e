//! A follower that was away until the log it needs is gone.

use std::time::Duration;

use compat_tests::cluster::Cluster;
use compat_tests::load::Load;
use compat_tests::wait;
use rustix::process::Signal;

use super::{CLIENTS, cluster_client, expect_kept};

/// The log is shortened after so few entries that an absence soon outlasts it.
const SMALL_CHECKPOINTS: &str = "checkpoint-entries=50";

#[test]
fn a_killed_follower_catches_up_by_snapshot_under_writes() {
    let mut cluster = Cluster::start(1, 3, &[SMALL_CHECKPOINTS]);
    let follower = (cluster.leader(0) + 1) % 3;
    let load = Load::start("killed", &cluster.ports(), CLIENTS, &["a".into(), "b".into()]);
    load.wait_for_more(1_000);
    cluster.kill_node(follower);
    let missing = log_purged(&cluster);
    load.wait_for_more(1_000);
    cluster.start_node(follower);
    cluster.wait_for_node(follower);
    caught_up(&cluster, follower, missing);
    load.wait_for_more(1_000);
    let record = load.stop();
    expect_kept(&record, &mut cluster_client(&cluster), 1);
    cluster.wait_until_replicas_agree();
}

#[test]
fn a_follower_away_from_the_start_catches_up_by_snapshot() {
    let mut cluster = Cluster::start(1, 3, &[SMALL_CHECKPOINTS]);
    let follower = (cluster.leader(0) + 1) % 3;
    // Away from before the first write: nothing of the log will do.
    cluster.kill_node(follower);
    let load = Load::start("empty", &cluster.ports(), CLIENTS, &["a".into(), "b".into()]);
    let missing = log_purged(&cluster);
    cluster.start_node(follower);
    caught_up(&cluster, follower, missing);
    let record = load.stop();
    expect_kept(&record, &mut cluster_client(&cluster), 1);
    cluster.wait_until_replicas_agree();
}

#[test]
fn a_stopped_follower_catches_up_when_it_goes_on() {
    let cluster = Cluster::start(1, 3, &[SMALL_CHECKPOINTS]);
    let follower = (cluster.leader(0) + 1) % 3;
    let others: Vec<u16> =
        (0..3).filter(|index| *index != follower).map(|index| cluster.nodes[index].port).collect();
    let load = Load::start("stopped", &others, CLIENTS, &["a".into(), "b".into()]);
    load.wait_for_more(500);
    let process = cluster.nodes[follower].process.as_ref().expect("it runs");
    process.signal(Signal::STOP);
    load.wait_for_more(5_000);
    process.signal(Signal::CONT);
    load.wait_for_more(500);
    let record = load.stop();
    expect_kept(&record, &mut cluster_client(&cluster), 1);
    cluster.wait_until_replicas_agree();
}

/// Waits until the leader has purged all of its log that exists now; that index.
fn log_purged(cluster: &Cluster) -> u64 {
    let leader = cluster.leader(0);
    let last = wait::until("the leader's status", Duration::from_secs(10), || {
        cluster.status(leader, "last_log")
    });
    wait::until("the log to be purged", Duration::from_secs(60), || {
        cluster.status(leader, "purged").filter(|purged| *purged > last)
    })
}

fn caught_up(cluster: &Cluster, node: usize, index: u64) {
    wait::until_true("the follower to catch up", Duration::from_secs(60), || {
        cluster.status(node, "applied").is_some_and(|applied| applied >= index)
    });
}
