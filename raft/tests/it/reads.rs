//! A read is allowed only to a leader that nobody can have replaced.

use std::sync::Arc;

use raft::ReadError;

use crate::harness::{TestCluster, eventually, within};

#[tokio::test(flavor = "multi_thread")]
async fn barriers_of_many_readers_see_every_acknowledged_write() {
    let cluster = Arc::new(TestCluster::start(3).await);
    cluster.put("k", "0").await;
    let mut readers = tokio::task::JoinSet::new();
    for n in 1..=50 {
        let cluster = Arc::clone(&cluster);
        readers.spawn(async move {
            cluster.put(&format!("k{n}"), "v").await;
            // Whichever node lets us read must show it.
            let node = loop {
                let node = cluster.node(cluster.leader().await);
                if node.group.read_barrier().await.is_ok() {
                    break node;
                }
            };
            assert_eq!(node.machine.get(&format!("k{n}")).as_deref(), Some("v"));
        });
    }
    within(readers.join_all()).await;
    let leader = cluster.leader().await;
    let follower = cluster.group((leader + 1) % 3);
    let refused = within(follower.read_barrier()).await.unwrap_err();
    assert!(matches!(refused, ReadError::NotLeader { .. }), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leases_never_hold_at_once() {
    let mut cluster = TestCluster::start(3).await;
    cluster.put("k", "v").await;
    let leader = cluster.leader().await;
    // The followers cannot be reached, and restart: they have forgotten when they last heard from
    // the leader, yet must respect the lease it may still hold.
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    for other in others {
        cluster.kill(other).await;
    }
    for other in others {
        cluster.restart(other).await;
    }
    let old = cluster.group(leader).clone();
    let new = eventually("a lease", || {
        let holders: Vec<usize> = cluster
            .running()
            .filter(|(_, node)| node.group.lease_valid())
            .map(|(index, _)| index)
            .collect();
        assert!(holders.len() <= 1, "{holders:?} hold a lease");
        holders.first().copied()
    })
    .await;
    assert!(new == leader || !old.lease_valid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_when_nobody_answers() {
    let mut cluster = TestCluster::start(3).await;
    cluster.put("k", "v").await;
    let leader = cluster.leader().await;
    cluster.kill((leader + 1) % 3).await;
    cluster.put("k", "w").await;
    assert_eq!(cluster.leader().await, leader, "one follower makes a quorum");
    cluster.kill((leader + 2) % 3).await;
    let group = cluster.group(leader);
    eventually("the lease ends", || (!group.lease_valid()).then_some(())).await;
    assert!(within(group.read_barrier()).await.is_err());
    assert!(group.leads(), "it knows of no other leader");
}
