//! Which node answers which key, and in which order.

use std::time::Duration;

use compat_tests::client::Client;
use compat_tests::cluster::Cluster;
use compat_tests::cluster_client::{ClusterClient, slot};
use compat_tests::load::tags_for;
use compat_tests::resp::{self, Value};
use compat_tests::wait;

/// Replies in flight through a follower at once.
const PIPELINE_COMMANDS: usize = 20_000;

/// One hash tag for each shard, in the shards' order.
fn tags(cluster: &Cluster) -> Vec<String> {
    let client = ClusterClient::new(&cluster.ports(), Duration::from_secs(10));
    let first = cluster.nodes[0].port;
    tags_for(cluster.shards, |slot| {
        let port = client.ports_of(slot)[0];
        usize::from(port - first) / cluster.replicas
    })
}

#[test]
fn every_node_answers_for_its_shard_and_redirects_for_others() {
    let cluster = Cluster::start(3, 3, &[]);
    let tags = tags(&cluster);
    let leaders: Vec<u16> = (0..3).map(|shard| cluster.nodes[cluster.leader(shard)].port).collect();
    for index in 0..cluster.nodes.len() {
        let mut client = cluster.client(index);
        for (shard, tag) in tags.iter().enumerate() {
            let key = format!("{{{tag}}}:{index}");
            let set = client.call(&["SET", &key, "v"]);
            if shard == cluster.nodes[index].shard {
                assert_eq!(set.to_string(), "+OK", "node {index} answers for its shard");
                assert_eq!(client.call(&["GET", &key]).text(), "v");
                assert_eq!(client.call(&["INCR", &format!("{key}:n")]).integer(), 1);
            } else {
                let moved = format!("-MOVED {} 127.0.0.1:{}", slot(key.as_bytes()), leaders[shard]);
                assert_eq!(set.to_string(), moved, "node {index} redirects to the leader");
            }
        }
        let both = [format!("{{{}}}a", tags[0]), format!("{{{}}}b", tags[1])];
        let crossed = client.call(&["MGET", &both[0], &both[1]]);
        let text = "-CROSSSLOT Keys in request don't hash to the same slot";
        assert_eq!(crossed.to_string(), text);
    }
}

#[test]
fn a_deep_pipeline_through_each_node_is_answered_in_order() {
    let cluster = Cluster::start(2, 3, &[]);
    let tags = tags(&cluster);
    for index in 0..cluster.nodes.len() {
        let shard = cluster.nodes[index].shard;
        let mut requests = Vec::new();
        let mut wanted = Vec::new();
        for number in 0..PIPELINE_COMMANDS / 5 {
            let key = format!("{{{}}}:{index}:{number}", tags[shard]);
            let counter = format!("{{{}}}:{index}", tags[shard]);
            let text = number.to_string();
            resp::request(&["SET", &key, &text], &mut requests);
            wanted.push(Some(Value::Status("OK".into())));
            resp::request(&["GET", &key], &mut requests);
            wanted.push(Some(Value::Bulk(text.clone().into_bytes())));
            resp::request(&["ECHO", &text], &mut requests);
            wanted.push(Some(Value::Bulk(text.into_bytes())));
            resp::request(&["INCR", &counter], &mut requests);
            wanted.push(Some(Value::Integer(number as i64 + 1)));
            resp::request(&["GET", &format!("{{{}}}", tags[1 - shard])], &mut requests);
            wanted.push(None);
        }
        let mut client = cluster.client(index);
        let replies = client.pipeline(&requests, wanted.len()).expect("all are answered");
        for (at, (reply, wanted)) in replies.iter().zip(&wanted).enumerate() {
            let reply = resp::decode(reply).expect("a whole reply").0;
            match wanted {
                Some(wanted) => assert_eq!(&reply, wanted, "reply {at} of node {index}"),
                None => assert!(reply.to_string().starts_with("-MOVED "), "reply {at}: {reply}"),
            }
        }
    }
}

#[test]
fn transactions_and_watches_work_through_followers() {
    let cluster = Cluster::start(1, 3, &[]);
    let leader = cluster.leader(0);
    let follower = (0..3).find(|index| *index != leader).expect("a follower");
    let (mut near, mut far) = (cluster.client(follower), cluster.client(leader));
    for name in ["a", "b"] {
        near.call(&["SET", name, "0"]);
    }
    assert_eq!(near.call(&["MULTI"]).to_string(), "+OK");
    assert_eq!(near.call(&["INCR", "{a}"]).to_string(), "+QUEUED");
    assert_eq!(near.call(&["GET", "{a}"]).to_string(), "+QUEUED");
    assert_eq!(near.call(&["EXEC"]).to_string(), "[:1, \"1\"]");

    near.call(&["WATCH", "a"]);
    far.call(&["SET", "a", "changed"]);
    near.call(&["MULTI"]);
    near.call(&["SET", "a", "lost update"]);
    assert_eq!(near.call(&["EXEC"]), Value::Null);
    assert_eq!(far.call(&["GET", "a"]).text(), "changed");

    near.call(&["WATCH", "a"]);
    near.call(&["MULTI"]);
    near.call(&["SET", "a", "mine"]);
    assert_eq!(near.call(&["EXEC"]).to_string(), "[+OK]");
    assert_eq!(far.call(&["GET", "a"]).text(), "mine");
}

#[test]
fn a_write_is_seen_by_the_next_read_on_any_node() {
    let cluster = Cluster::start(1, 3, &[]);
    let mut clients: Vec<Client> = (0..3).map(|index| cluster.client(index)).collect();
    for number in 0..300 {
        let value = number.to_string();
        clients[number % 3].call(&["SET", "k", &value]);
        let reader = &mut clients[(number + 1) % 3];
        assert_eq!(reader.call(&["GET", "k"]).text(), value, "a stale read");
    }
}

#[test]
fn a_readonly_follower_reads_its_own_copy() {
    let cluster = Cluster::start(1, 3, &[]);
    let leader = cluster.leader(0);
    let follower = (0..3).find(|index| *index != leader).expect("a follower");
    cluster.client(leader).call(&["SET", "k", "v"]);
    let mut client = cluster.client(follower);
    assert_eq!(client.call(&["READONLY"]).to_string(), "+OK");
    wait::until_true("the follower's copy", Duration::from_secs(10), || {
        client.call(&["GET", "k"]) == Value::Bulk(b"v".to_vec())
    });
    assert_eq!(client.call(&["SET", "k", "w"]).to_string(), "+OK", "a write is still forwarded");
    assert_eq!(client.call(&["READWRITE"]).to_string(), "+OK");
    assert_eq!(client.call(&["GET", "k"]).text(), "w");
}

#[test]
fn with_redirect_forward_any_node_answers_any_key() {
    let cluster = Cluster::start(3, 1, &["redirect=forward"]);
    let tags = tags(&cluster);
    for index in 0..cluster.nodes.len() {
        let mut client = cluster.client(index);
        for tag in &tags {
            let key = format!("{{{tag}}}:{index}");
            assert_eq!(client.call(&["SET", &key, "v"]).to_string(), "+OK");
            assert_eq!(client.call(&["GET", &key]).text(), "v");
        }
    }
}
