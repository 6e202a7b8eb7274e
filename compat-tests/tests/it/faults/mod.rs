//! Acknowledged writes survive: crashes, absences, full and broken disks.
//!
//! `COMPAT_ROUNDS` says how often a fault is repeated; a run in which too little was written
//! proves nothing and fails.

mod absence;
mod crash;
mod disk;
mod leaders;

use compat_tests::cluster::Cluster;
use compat_tests::cluster_client::ClusterClient;
use compat_tests::load::{Record, tags_for};
use compat_tests::random::number_from;

/// Writers of every load here.
const CLIENTS: usize = 8;
/// A round in which fewer writes were acknowledged tested nothing.
const WRITES_PER_ROUND_MIN: usize = 100;

/// How often to repeat a fault.
fn rounds(otherwise: u64) -> u64 {
    number_from("COMPAT_ROUNDS").unwrap_or(otherwise)
}

/// One hash tag for each shard, in the shards' order.
fn tags(cluster: &Cluster) -> Vec<String> {
    let client = cluster_client(cluster);
    let first = cluster.nodes[0].port;
    tags_for(cluster.shards, |slot| {
        let port = client.ports_of(slot)[0];
        usize::from(port - first) / cluster.replicas
    })
}

fn cluster_client(cluster: &Cluster) -> ClusterClient {
    ClusterClient::new(&cluster.ports(), std::time::Duration::from_secs(10))
}

/// Fails if the record is contradicted by what is there, or if it says too little.
fn expect_kept(record: &Record, client: &mut ClusterClient, rounds: u64) {
    println!("{}", record.summary());
    let least = WRITES_PER_ROUND_MIN * rounds as usize;
    let count = record.acknowledged.len();
    assert!(count >= least, "only {count} writes in {rounds} rounds: nothing was tested");
    let wrong = record.contradictions(client);
    let shown = &wrong[..wrong.len().min(20)];
    assert!(wrong.is_empty(), "{} contradictions:\n{}", wrong.len(), shown.join("\n"));
}
