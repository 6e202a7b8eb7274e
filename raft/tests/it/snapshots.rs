//! Checkpoints, purged logs, and replicas that were away too long.

use crate::harness::{Settings, TestCluster, eventually, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_kept_away_past_a_purge_catches_up_by_snapshot() {
    let mut cluster = TestCluster::start(3).await;
    for n in 0..50 {
        cluster.put(&format!("before{n}"), "v").await;
    }
    let away = (cluster.leader().await + 1) % 3;
    cluster.kill(away).await;
    for n in 0..400 {
        cluster.put(&format!("k{n}"), &"v".repeat(1000)).await;
    }
    cluster.put("before0", "").await;
    let leader = cluster.leader().await;
    let group = cluster.group(leader);
    eventually("a purge", || (group.status().purged > 200).then_some(())).await;

    cluster.restart(away).await;
    // Writes go on while the snapshot is sent.
    for n in 0..50 {
        cluster.put(&format!("after{n}"), "v").await;
    }
    let state = cluster.converged().await;
    assert_eq!(state.len(), 49 + 400 + 50 + 1);
    assert!(cluster.node(away).machine.restores() >= 1, "it came by snapshot");

    // What was installed is what a restart finds.
    cluster.kill(away).await;
    cluster.restart(away).await;
    assert_eq!(cluster.converged().await, state);
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_follow_each_other_and_the_log_is_purged() {
    let cluster = TestCluster::start(1).await;
    for n in 0..500 {
        cluster.put(&format!("k{}", n % 7), &n.to_string()).await;
    }
    let group = cluster.group(0);
    within(group.checkpoint_now()).await.unwrap();
    let status = group.status();
    assert_eq!(status.checkpoint, status.applied);
    eventually("a purge", || (group.status().purged >= status.applied - 50).then_some(())).await;
    let pins = cluster.node(0).machine.pins();
    assert_eq!(pins[0], None, "the first holds everything");
    assert!(pins.len() >= 3 && pins[1..].iter().all(Option::is_some), "{pins:?}");
    within(group.checkpoint_now()).await.unwrap();
    assert_eq!(cluster.node(0).machine.pins().len(), pins.len(), "nothing is new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_many_chunks_arrives_whole() {
    let settings = Settings { checkpoint_entries: 40, ..Settings::default() };
    let mut cluster = TestCluster::with(3, settings).await;
    let away = (cluster.leader().await + 1) % 3;
    cluster.kill(away).await;
    for n in 0..120 {
        cluster.put(&format!("k{n}"), &"v".repeat(50_000)).await;
    }
    let group = cluster.group(cluster.leader().await).clone();
    eventually("a purge", || (group.status().purged > 60).then_some(())).await;
    cluster.restart(away).await;
    assert_eq!(cluster.converged().await.len(), 121);
    assert!(cluster.node(away).machine.restores() >= 1, "it came by snapshot");
}
