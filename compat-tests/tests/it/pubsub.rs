//! Pub/Sub: the same frames as Redis sends, messages over a whole cluster, subscribers that do not
//! read.

use std::time::Duration;

use compat_tests::client::{Client, is_closed};
use compat_tests::cluster::Cluster;
use compat_tests::cluster_client::slot;
use compat_tests::redis::Redis;
use compat_tests::resp;
use compat_tests::standalone::Standalone;
use compat_tests::wait;

const LIMIT: Duration = Duration::from_secs(20);

/// Lines of `connection frames command`, where the connection then reads so many frames; without a
/// command it only reads.
pub(crate) const SCRIPT: &str = "\
    a 2 SUBSCRIBE news sport
    a 1 SUBSCRIBE news
    b 1 PUBLISH news hello
    a 1
    b 1 PUBLISH nobody hello
    a 2 PSUBSCRIBE n* x*
    b 1 PUBLISH news twice
    a 2
    b 1 PUBSUB CHANNELS ne*
    b 1 PUBSUB CHANNELS s*
    b 1 PUBSUB CHANNELS a b
    b 1 PUBSUB NUMSUB news sport nobody
    b 1 PUBSUB NUMSUB
    b 1 PUBSUB NUMPAT
    b 1 PUBSUB NOPE
    a 1 UNSUBSCRIBE news
    a 1 UNSUBSCRIBE nobody
    a 1 PUNSUBSCRIBE n*
    b 1 PUBLISH sport once
    a 1
    a 1 PING
    a 1 PING hello
    a 1 GET k
    a 1 CLIENT ID EXTRA
    a 2 SSUBSCRIBE shard1 shard2
    b 1 SPUBLISH shard1 hello
    a 1
    b 1 PUBLISH shard1 hello
    b 1 PUBSUB SHARDCHANNELS *1
    b 1 PUBSUB SHARDNUMSUB shard1 news
    a 1 SUNSUBSCRIBE shard1
    a 1 SUNSUBSCRIBE
    a 1 SUNSUBSCRIBE
    a 1 UNSUBSCRIBE
    a 1 PUNSUBSCRIBE
    a 1 UNSUBSCRIBE
    a 1 GET k
    a 1 PING
    b 1 PUBLISH news nobody
    b 1 PUBLISH news
    b 1 SUBSCRIBE
    b 1 MULTI
    b 1 PUBLISH news queued
    b 1 SET k v
    b 1 EXEC
    a 1 SUBSCRIBE again
    a 1 RESET
    a 1 PING
    b 1 PUBSUB CHANNELS";

/// What a server answers, line by line of the script.
fn told(port: u16, protocol: u8) -> Vec<String> {
    let connect = || Client::connect_speaking(port, protocol).expect("a running server");
    let (mut a, mut b) = (connect(), connect());
    let mut told = Vec::new();
    for line in SCRIPT.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let client = if words[0] == "a" { &mut a } else { &mut b };
        if words.len() > 2 {
            let mut bytes = Vec::new();
            resp::request(&words[2..], &mut bytes);
            client.send(&bytes).expect("a running server takes a request");
        }
        let frames: usize = words[1].parse().expect("a count");
        let mut answer = format!("{}\n", line.trim());
        for _ in 0..frames {
            let frame = client.reply_bytes().unwrap_or_else(|why| panic!("{line}: {why}"));
            answer.push_str(&String::from_utf8_lossy(&frame));
        }
        told.push(answer);
    }
    told
}

#[test]
fn messages_and_answers_are_those_of_redis() {
    let (ours, redis) = (Standalone::start(&["fsync=no"]), Redis::start(&[]));
    for protocol in [2, 3] {
        let (ours, redis) = (told(ours.port, protocol), told(redis.port, protocol));
        for (ours, redis) in ours.iter().zip(&redis) {
            assert_eq!(ours, redis, "in RESP{protocol}");
        }
    }
}

#[test]
fn a_message_reaches_listeners_at_every_node_once() {
    let cluster = Cluster::start(2, 3, &[]);
    let nodes = cluster.nodes.len();
    let mut listeners: Vec<Client> = (0..nodes).map(|index| cluster.client(index)).collect();
    for listener in &mut listeners {
        assert_eq!(listener.call(&["SUBSCRIBE", "news"]).items()[2].integer(), 1);
    }
    for index in 0..nodes {
        let message = format!("from {index}");
        let here = cluster.client(index).call(&["PUBLISH", "news", &message]).integer();
        assert_eq!(here, 1, "the node's own listeners are counted, as by Redis");
        for listener in &mut listeners {
            assert_eq!(listener.reply().expect("it comes").items()[2].text(), message);
        }
    }
    // Of a shard's channel only the shard's nodes know.
    let home = |index: usize| cluster.nodes[index].shard == 0;
    let mut other = cluster.client((0..nodes).find(|&index| !home(index)).expect("two shards"));
    let mut elsewhere =
        |name: &String| other.call(&["SPUBLISH", name, "x"]).to_string().starts_with("-MOVED");
    let mut names = (0..100).map(|n| format!("channel{n}"));
    let name = names.find(|name| elsewhere(name)).expect("half are of shard 0");
    let mut listeners: Vec<Client> =
        (0..nodes).filter(|&index| home(index)).map(|index| cluster.client(index)).collect();
    for listener in &mut listeners {
        assert_eq!(listener.call(&["SSUBSCRIBE", &name]).items()[2].integer(), 1);
    }
    let refused = other.call(&["SSUBSCRIBE", &name]).to_string();
    assert!(refused.starts_with(&format!("-MOVED {}", slot(name.as_bytes()))), "{refused}");
    let publisher = (0..nodes).rfind(|&index| home(index)).expect("three replicas");
    assert_eq!(cluster.client(publisher).call(&["SPUBLISH", &name, "hello"]).integer(), 1);
    for listener in &mut listeners {
        assert_eq!(listener.reply().expect("it comes").items()[2].text(), "hello");
    }
}

#[test]
fn a_waiting_client_gets_messages_meanwhile() {
    let node = Standalone::start(&["fsync=no"]);
    let mut client = Client::connect_speaking(node.port, 3).expect("a running server");
    client.call(&["SUBSCRIBE", "news"]);
    let mut bytes = Vec::new();
    resp::request(&["BLPOP", "k", "0"], &mut bytes);
    client.send(&bytes).expect("a running server takes a request");
    let mut other = node.client();
    wait::until_true("the message to be heard", LIMIT, || {
        other.call(&["PUBLISH", "news", "hello"]).integer() == 1
    });
    assert_eq!(client.reply().expect("it comes").items()[2].text(), "hello");
    other.call(&["RPUSH", "k", "v"]);
    assert_eq!(client.reply().expect("it comes").items()[1].text(), "v");
}

#[test]
fn a_listener_that_does_not_read_is_closed_at_its_limit() {
    let node = Standalone::start(&["fsync=no", "client-output-buffer-limit=pubsub 8mb 0 0"]);
    let mut idle = node.client();
    idle.call(&["SUBSCRIBE", "news"]);
    let mut publisher = node.client();
    let message = "x".repeat(64 * 1024);
    wait::until_true("the listener to be closed", LIMIT, || {
        publisher.call(&["PUBLISH", "news", &message]).integer() == 0
    });
    let closed = idle.read_to_close();
    assert!(closed.as_ref().map_or_else(is_closed, |_| true), "{closed:?}");
}
