//! What a cluster says of itself: CLUSTER, ROLE, `ringfort admin`.

use std::collections::BTreeSet;
use std::time::Duration;

use compat_tests::cluster::Cluster;
use compat_tests::cluster_client::slot;
use compat_tests::resp::Value;
use compat_tests::wait;

#[test]
fn all_nodes_describe_the_same_cluster() {
    let cluster = Cluster::start(3, 3, &[]);
    for shard in 0..3 {
        cluster.leader(shard);
    }
    let mut views = BTreeSet::new();
    let agree = Duration::from_secs(20);
    wait::until_true("all nodes to name the same leaders", agree, || {
        let slots = (0..9).map(|index| cluster.client(index).call(&["CLUSTER", "SLOTS"]));
        views = slots.map(|slots| slots.to_string()).collect();
        views.len() == 1
    });

    let mut client = cluster.client(0);
    let slots = client.call(&["CLUSTER", "SLOTS"]);
    let mut covered = 0;
    for range in slots.items() {
        let parts = range.items();
        covered += parts[1].integer() - parts[0].integer() + 1;
        assert_eq!(parts.len(), 5, "three nodes for each range: {range}");
    }
    assert_eq!(covered, 16_384);

    let mut ids = BTreeSet::new();
    for index in 0..9 {
        let mut client = cluster.client(index);
        let info = client.call(&["CLUSTER", "INFO"]).text();
        for wanted in ["cluster_state:ok", "cluster_slots_assigned:16384", "cluster_size:3"] {
            assert!(info.lines().any(|line| line == wanted), "{wanted} in\n{info}");
        }
        let id = client.call(&["CLUSTER", "MYID"]).text();
        assert_eq!(id.len(), 40);
        let nodes = client.call(&["CLUSTER", "NODES"]).text();
        assert_eq!(nodes.lines().count(), 9, "{nodes}");
        let myself = nodes.lines().find(|line| line.contains("myself")).expect("myself");
        assert!(myself.starts_with(&id), "{myself}");
        assert!(myself.contains(&format!(":{}@", cluster.nodes[index].port)), "{myself}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), 9, "ids are unique");
    assert_eq!(client.call(&["CLUSTER", "SHARDS"]).items().len(), 3);
    let key = client.call(&["CLUSTER", "KEYSLOT", "{tag}x"]).integer();
    assert_eq!(key, i64::from(slot(b"tag")));
}

#[test]
fn keys_of_a_slot_are_counted_and_listed() {
    let cluster = Cluster::start(1, 3, &[]);
    let leader = cluster.leader(0);
    let mut client = cluster.client(leader);
    for number in 0..5 {
        client.call(&["SET", &format!("{{tag}}{number}"), "v"]);
    }
    let slot = slot(b"tag").to_string();
    assert_eq!(client.call(&["CLUSTER", "COUNTKEYSINSLOT", &slot]).integer(), 5);
    let keys = client.call(&["CLUSTER", "GETKEYSINSLOT", &slot, "3"]);
    assert_eq!(keys.items().len(), 3);
    assert!(client.call(&["CLUSTER", "COUNTKEYSINSLOT", "16384"]).is_error());
    assert_eq!(
        client.call(&["CLUSTER", "KEYSLOT", "{tag}"]),
        Value::Integer(slot.parse().unwrap())
    );
}

#[test]
fn leadership_is_transferred_on_request() {
    let cluster = Cluster::start(1, 3, &[]);
    let before = cluster.leader(0);
    let (done, said) = cluster.admin(&["status"]);
    assert!(done, "{said}");
    let next = (before + 1) % 3;
    let (done, said) = cluster.admin(&["transfer-leader", "0", &(next + 1).to_string()]);
    assert!(done, "{said}");
    wait::until_true("the chosen node to lead", Duration::from_secs(10), || {
        cluster.leader_now(0) == Some(next)
    });
    assert_eq!(cluster.client(before).call(&["SET", "k", "v"]).to_string(), "+OK");
}

#[test]
fn wait_tells_how_many_replicas_have_the_write() {
    let mut cluster = Cluster::start(1, 3, &[]);
    let leader = cluster.leader(0);
    let mut client = cluster.client(leader);
    client.call(&["SET", "k", "v"]);
    assert_eq!(client.call(&["WAIT", "2", "5000"]).integer(), 2);
    let follower = (leader + 1) % 3;
    cluster.kill_node(follower);
    client.call(&["SET", "k", "w"]);
    assert_eq!(client.call(&["WAIT", "2", "200"]).integer(), 1, "one replica is down");
}
