//! Everything is killed at once, and started again on the same disks.

use compat_tests::cluster::Cluster;
use compat_tests::cluster_client::ClusterClient;
use compat_tests::load::{Load, Record};
use compat_tests::standalone::Standalone;
use std::time::Duration;

use super::{CLIENTS, cluster_client, expect_kept, rounds};

/// Writes before each crash.
const WRITES_BEFORE: usize = 500;

#[test]
fn a_group_killed_whole_loses_no_acknowledged_write() {
    let rounds = rounds(20);
    let mut cluster = Cluster::start(1, 3, &["checkpoint-entries=500"]);
    let mut record = Record::default();
    for round in 0..rounds {
        let load = Load::start(&format!("r{round}"), &cluster.ports(), CLIENTS, &["t".into()]);
        load.wait_for_more(WRITES_BEFORE);
        for index in 0..3 {
            cluster.kill_node(index);
        }
        record.add(load.stop());
        for index in 0..3 {
            cluster.start_node(index);
        }
        cluster.wait_until_ready();
    }
    expect_kept(&record, &mut cluster_client(&cluster), rounds);
    cluster.wait_until_replicas_agree();
}

#[test]
fn a_standalone_node_killed_loses_no_acknowledged_write() {
    let rounds = rounds(20);
    let mut node = Standalone::start(&["checkpoint-entries=500"]);
    let mut record = Record::default();
    for round in 0..rounds {
        let load = Load::start(&format!("r{round}"), &[node.port], CLIENTS, &["t".into()]);
        load.wait_for_more(WRITES_BEFORE);
        node.process.kill();
        record.add(load.stop());
        node.start_again();
        node.wait_until_ready();
    }
    let mut client = ClusterClient::new(&[node.port], Duration::from_secs(10));
    expect_kept(&record, &mut client, rounds);
}

#[test]
fn set_kill_start_get() {
    let mut node = Standalone::start(&[]);
    assert_eq!(node.client().call(&["SET", "k", "v"]).to_string(), "+OK");
    node.process.kill();
    node.start_again();
    node.wait_until_ready();
    assert_eq!(node.client().call(&["GET", "k"]).text(), "v");
    assert!(node.process.terminate().success(), "SIGTERM stops a node in good order");
    node.start_again();
    node.wait_until_ready();
    assert_eq!(node.client().call(&["GET", "k"]).text(), "v");
}

#[test]
fn expiry_survives_a_crash() {
    let mut node = Standalone::start(&["checkpoint-entries=10"]);
    let mut client = node.client();
    client.call(&["SET", "long", "v", "EX", "10000"]);
    client.call(&["SET", "short", "v", "PX", "50"]);
    for number in 0..50 {
        client.call(&["SELECT", "3"]);
        client.call(&["SET", &format!("k{number}"), "v"]);
    }
    node.process.kill();
    node.start_again();
    node.wait_until_ready();
    let mut client = node.client();
    let left = client.call(&["TTL", "long"]).integer();
    assert!((9_000..=10_000).contains(&left), "TTL is {left}");
    compat_tests::wait::until_true("the short key to expire", Duration::from_secs(5), || {
        client.call(&["EXISTS", "short"]).integer() == 0
    });
    client.call(&["SELECT", "3"]);
    assert_eq!(client.call(&["DBSIZE"]).integer(), 50);
}
