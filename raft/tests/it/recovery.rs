//! What a restart finds, and what it refuses.

use std::sync::Arc;

use bytes::Bytes;
use raft::{Fsync, Group, Identity, Peers, Storage, StorageOptions, Trouble};

use crate::harness::{CLUSTER, Settings, TestCluster, eventually, within};
use crate::machine::{KvMachine, POISON};

#[tokio::test(flavor = "multi_thread")]
async fn a_single_replica_has_everything_after_a_restart() {
    for fsync in [Fsync::Always, Fsync::EverySec, Fsync::No] {
        let settings = Settings { fsync, ..Settings::default() };
        let mut cluster = TestCluster::with(1, settings).await;
        // Past two checkpoints, and some entries beyond.
        for n in 0..250 {
            cluster.put(&format!("k{n}"), "v").await;
        }
        cluster.kill(0).await;
        cluster.restart(0).await;
        let leader = cluster.leader().await;
        assert_eq!(cluster.node(leader).machine.all().len(), 250);
        cluster.put("more", "v").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_group_restarts_again_and_again() {
    let mut cluster = TestCluster::start(3).await;
    for round in 0..3 {
        for n in 0..60 {
            cluster.put(&format!("{round}-{n}"), "v").await;
        }
        for index in 0..3 {
            cluster.kill(index).await;
        }
        for index in 0..3 {
            cluster.restart(index).await;
        }
        let state = cluster.converged().await;
        assert_eq!(state.len(), (round + 1) * 60 + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_applied_stops_the_replica() {
    let mut cluster = TestCluster::start(1).await;
    cluster.put("k", "v").await;
    let group = cluster.group(0).clone();
    let mut failed = group.failed();
    let outcome = within(group.propose(Bytes::from_static(POISON))).await;
    assert!(outcome.is_err());
    let sentence = within(failed.wait_for(Option::is_some)).await.unwrap().clone().unwrap();
    assert!(sentence.contains("group 3 cannot apply entry"), "{sentence}");
    assert!(sentence.contains("no equals sign"), "{sentence}");
    assert!(!group.lease_valid());
    drop((group, failed));

    // It is in the log, so the next start meets it again.
    cluster.kill(0).await;
    let trouble = cluster.try_restart(0).await;
    if let Ok(()) = trouble {
        // The commit was not yet known on disk; then it stops as soon as it is elected.
        let mut failed = cluster.group(0).failed();
        within(failed.wait_for(Option::is_some)).await.unwrap();
    } else {
        let sentence = trouble.unwrap_err().to_string();
        assert!(sentence.contains("cannot apply entry"), "{sentence}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_another_node_or_cluster_is_refused() {
    let mut cluster = TestCluster::start(1).await;
    cluster.put("k", "v").await;
    cluster.kill(0).await;
    let open = |cluster_name: &str, node| {
        let options = StorageOptions {
            dir: cluster.dir(0).to_path_buf(),
            fsync: Fsync::Always,
            cluster: cluster_name.to_string(),
            node,
        };
        tokio::task::spawn_blocking(move || Storage::open(&options).map(drop))
    };
    for (name, node) in [(CLUSTER, 2), ("other", 1)] {
        let trouble = open(name, node).await.unwrap().unwrap_err();
        let Trouble::Refused(sentence) = &trouble else { panic!("{trouble}") };
        assert!(sentence.contains("belongs to node 1 of cluster \"test-cluster\""), "{sentence}");
    }
    open(CLUSTER, 1).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_checkpoint_store_is_not_taken_for_an_empty_one() {
    let mut cluster = TestCluster::start(1).await;
    cluster.put("k", "v").await;
    cluster.kill(0).await;
    std::fs::remove_dir_all(cluster.dir(0).join("checkpoints")).unwrap();
    let trouble = cluster.try_restart(0).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Corrupt(_)), "{trouble}");
    assert!(trouble.to_string().contains("wipe this node's data directory"), "{trouble}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_shut_down_leaves_its_directory_to_others() {
    let cluster = TestCluster::start(1).await;
    let dir = tempfile::tempdir().unwrap();
    let options = StorageOptions {
        dir: dir.path().to_path_buf(),
        fsync: Fsync::No,
        cluster: CLUSTER.to_string(),
        node: 1,
    };
    for round in 0..3 {
        let options = options.clone();
        let storage = eventually("the directory is free", || Storage::open(&options).ok()).await;
        let peers = Peers::new(Identity::new(CLUSTER, 1).unwrap());
        let machine = Arc::new(KvMachine::default());
        let start = Group::start(cluster.options(0), &storage, machine.clone(), &peers);
        let group = start.await.unwrap();
        eventually("a leader", || group.lease_valid().then_some(())).await;
        group.propose(Bytes::from(format!("k{round}=v"))).await.unwrap();
        assert_eq!(machine.all().len(), round + 1, "it finds what was there");
        within(group.shutdown()).await;
    }
}
