//! Proposals reach every replica, in one order.

use std::sync::Arc;

use bytes::Bytes;
use raft::ProposeError;

use crate::harness::{TestCluster, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_single_replica_serves_at_once() {
    let cluster = TestCluster::start(1).await;
    cluster.put("k", "v").await;
    let node = cluster.node(0);
    assert_eq!(node.machine.get("k").as_deref(), Some("v"));
    assert!(node.group.lease_valid());
    within(node.group.read_barrier()).await.unwrap();
    assert_eq!(node.group.leader(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_proposals_all_apply_everywhere() {
    let cluster = Arc::new(TestCluster::start(3).await);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..20 {
        let cluster = Arc::clone(&cluster);
        writers.spawn(async move {
            for n in 0..20 {
                cluster.put(&format!("{writer}-{n}"), "v").await;
            }
        });
    }
    within(writers.join_all()).await;
    let state = cluster.converged().await;
    assert_eq!(state.len(), 20 * 20 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_refuses_and_names_the_leader() {
    let cluster = TestCluster::start(3).await;
    cluster.put("k", "v").await;
    let leader = cluster.leader().await;
    let follower = cluster.group((leader + 1) % 3);
    let mut leadership = follower.watch_leader();
    within(leadership.wait_for(|now| now.leader.is_some())).await.unwrap();
    let refused = follower.propose(Bytes::from_static(b"k=w")).await;
    let named = Some(TestCluster::id(leader));
    assert_eq!(refused, Err(ProposeError::NotLeader { leader: named }));
    assert!(!follower.lease_valid() && !follower.leads());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_lost_its_quorum_acknowledges_nothing() {
    let mut cluster = TestCluster::start(3).await;
    cluster.put("k", "old").await;
    let leader = cluster.leader().await;
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    for other in others {
        cluster.kill(other).await;
    }
    let doubtful = tokio::spawn({
        let group = cluster.group(leader).clone();
        async move { group.propose(Bytes::from_static(b"doubtful=yes")).await }
    });
    crate::harness::eventually("the lease ends", || {
        (!cluster.group(leader).lease_valid()).then_some(())
    })
    .await;
    assert!(within(cluster.group(leader).read_barrier()).await.is_err());
    assert_eq!(cluster.node(leader).machine.get("doubtful"), None);
    // Refused by now, since the lease is over; or in the log, with an outcome to come.
    let refused = within(cluster.group(leader).propose(Bytes::from_static(b"late=yes"))).await;
    assert!(matches!(refused, Err(ProposeError::NotLeader { .. })), "{refused:?}");
    for other in others {
        cluster.restart(other).await;
    }
    let outcome = within(doubtful).await.unwrap();
    let state = cluster.converged().await;
    let applied = state.contains_key("doubtful");
    match outcome {
        Ok(()) => assert!(applied),
        Err(ProposeError::NotLeader { .. }) => assert!(!applied, "refused means not executed"),
        Err(_) => {}
    }
    assert!(!state.contains_key("late"));
    assert_eq!(state.get("k").unwrap(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_group_says_so() {
    let cluster = TestCluster::start(1).await;
    cluster.put("k", "v").await;
    let group = cluster.group(0).clone();
    within(group.shutdown()).await;
    assert_eq!(group.propose(Bytes::from_static(b"k=w")).await, Err(ProposeError::Stopped));
    assert!(group.failed().borrow().is_none(), "it was asked to stop");
    assert!(within(group.read_barrier()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_entry_reaches_every_replica() {
    // Far above what gRPC decodes by default, and above a stream's window.
    let cluster = TestCluster::start(3).await;
    let value = "v".repeat(20_000_000);
    cluster.put("large", &value).await;
    cluster.put("small", "v").await;
    let state = cluster.converged().await;
    assert_eq!(state.get("large").unwrap().len(), value.len());
    let too_large = Bytes::from(vec![b'x'; raft::PAYLOAD_BYTES_MAX + 1]);
    let refused = cluster.group(0).propose(too_large).await;
    assert_eq!(refused, Err(ProposeError::TooLarge));
}
