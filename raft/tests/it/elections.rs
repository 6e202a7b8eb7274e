//! Leaders die, step back and come again.

use std::time::Instant;

use bytes::Bytes;
use raft::TransferError;

use crate::harness::{TestCluster, within};

#[tokio::test(flavor = "multi_thread")]
async fn killed_leaders_lose_nothing_that_was_acknowledged() {
    let mut cluster = TestCluster::start(3).await;
    for round in 0..4 {
        for n in 0..30 {
            cluster.put(&format!("{round}-{n}"), "v").await;
        }
        let leader = cluster.leader().await;
        cluster.kill(leader).await;
        cluster.put(&format!("{round}-after"), "v").await;
        cluster.restart(leader).await;
    }
    let state = cluster.converged().await;
    assert_eq!(state.len(), 4 * 31 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn leadership_moves_on_request() {
    let cluster = TestCluster::start(3).await;
    cluster.put("k", "v").await;
    let mut moved = 0;
    while moved < 5 {
        let leader = cluster.leader().await;
        let to = (leader + 1) % 3;
        let begun = Instant::now();
        match within(cluster.group(leader).transfer_leader(TestCluster::id(to))).await {
            Ok(()) => {
                println!("leadership moved in {:?}", begun.elapsed());
                moved += 1;
            }
            // On a busy machine an ordinary election may come first.
            Err(TransferError::Late(_) | TransferError::NotLeader { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        cluster.put("k", "w").await;
    }
    let leader = cluster.leader().await;
    let follower = cluster.group((leader + 1) % 3);
    let refused = follower.transfer_leader(1).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotLeader { .. }), "{refused:?}");
    let refused = cluster.group(leader).transfer_leader(99).await.unwrap_err();
    assert_eq!(refused, TransferError::NotVoter(99));
    let leads = cluster.group(leader).transfer_leader(TestCluster::id(leader)).await;
    assert_eq!(leads, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_during_a_transfer_is_applied_or_refused() {
    let cluster = TestCluster::start(3).await;
    cluster.put("k", "v").await;
    let leader = cluster.leader().await;
    let writer = tokio::spawn({
        let group = cluster.group(leader).clone();
        async move {
            let mut acknowledged = 0;
            while group.propose(Bytes::from(format!("w{acknowledged}=v"))).await.is_ok() {
                acknowledged += 1;
            }
            acknowledged
        }
    });
    let to = TestCluster::id((leader + 1) % 3);
    // Whether it comes in time does not matter here.
    let _ = within(cluster.group(leader).transfer_leader(to)).await;
    let acknowledged = within(writer).await.unwrap();
    let state = cluster.converged().await;
    for n in 0..acknowledged {
        assert!(state.contains_key(&format!("w{n}")), "w{n} was acknowledged");
    }
}
