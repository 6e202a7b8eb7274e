//! Clients that wait (BLPOP and its kin): who is served, in which order, by whichever node, and
//! what becomes of them under faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use compat_tests::client::Client;
use compat_tests::cluster::{Cluster, info_field};
use compat_tests::cluster_client::ClusterClient;
use compat_tests::load::tags_for;
use compat_tests::random::number_from;
use compat_tests::resp::{self, Value};
use compat_tests::standalone::Standalone;
use compat_tests::wait;
use rustix::process::Signal;

/// Long enough for an election and a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
const CLIENTS: usize = 50;
/// Elements that may be popped and not yet delivered when a leader is killed.
const LOST_PER_KILL_MAX: usize = 3;

/// Sends a command whose reply is read later.
fn ask(client: &mut Client, line: &str) {
    let args: Vec<&str> = line.split(' ').collect();
    let mut bytes = Vec::new();
    resp::request(&args, &mut bytes);
    client.send(&bytes).expect("a running server takes a request");
}

fn call(client: &mut Client, line: &str) -> Value {
    let args: Vec<&str> = line.split(' ').collect();
    client.call(&args)
}

fn blocked(port: u16) -> usize {
    let count = info_field(port, "clients", "blocked_clients");
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn wait_for_blocked(port: u16, count: usize) {
    wait::until_true("clients to wait", LIMIT, || blocked(port) == count);
}

fn wait_for_all_blocked(cluster: &Cluster, count: usize) {
    let all = || cluster.ports().into_iter().map(blocked).sum::<usize>();
    wait::until_true("clients to wait", LIMIT, || all() == count);
}

/// The element of a BLPOP's reply.
fn element(reply: &Value) -> String {
    match reply {
        Value::Array(items) if items.len() == 2 => items[1].text(),
        other => panic!("not a popped element: {other}"),
    }
}

fn reply(client: &mut Client) -> Value {
    client.reply().expect("an answer comes")
}

#[test]
fn clients_are_served_in_the_order_in_which_they_came() {
    let node = Standalone::start(&["fsync=no"]);
    let mut waiting: Vec<Client> = (0..CLIENTS).map(|_| node.client()).collect();
    for (count, client) in waiting.iter_mut().enumerate() {
        ask(client, "BLPOP other k 0");
        wait_for_blocked(node.port, count + 1);
    }
    // Two commands at once: the second finds nothing, since whoever waits comes first.
    let mut requests = Vec::new();
    for number in 0..CLIENTS {
        resp::request(&["RPUSH", "k", &number.to_string()], &mut requests);
        resp::request(&["LPOP", "k"], &mut requests);
    }
    let replies = node.client().pipeline(&requests, 2 * CLIENTS).expect("all are answered");
    for pair in replies.chunks(2) {
        assert_eq!(pair.concat(), b":1\r\n$-1\r\n");
    }
    for (number, client) in waiting.iter_mut().enumerate() {
        assert_eq!(reply(client).to_string(), format!("[\"k\", \"{number}\"]"));
    }
    assert_eq!(blocked(node.port), 0);
}

#[test]
fn a_wait_ends_in_time_and_its_pipeline_keeps_its_order() {
    let node = Standalone::start(&["fsync=no"]);
    let mut client = node.client();
    let begun = Instant::now();
    assert_eq!(call(&mut client, "BLPOP k 0.2"), Value::Null);
    assert!(begun.elapsed() >= Duration::from_millis(200));
    assert_eq!(call(&mut client, "BLMOVE k l LEFT LEFT 0.01"), Value::Null);
    let mut third = Client::connect_speaking(node.port, 3).expect("it accepts connections");
    assert_eq!(call(&mut third, "BZPOPMIN z 0.01"), Value::Null);

    for line in ["SET s v", "BLPOP k 0", "INCR n", "BLPOP k 0.01", "PING"] {
        ask(&mut client, line);
    }
    // What came before does not wait with it.
    assert_eq!(reply(&mut client).to_string(), "+OK");
    wait_for_blocked(node.port, 1);
    assert_eq!(call(&mut third, "EXISTS n").integer(), 0);
    call(&mut third, "RPUSH k a");
    assert_eq!(element(&reply(&mut client)), "a");
    assert_eq!(reply(&mut client).integer(), 1);
    assert_eq!(reply(&mut client), Value::Null);
    assert_eq!(reply(&mut client).to_string(), "+PONG");
}

#[test]
fn nothing_waits_inside_a_transaction() {
    let node = Standalone::start(&["fsync=no"]);
    let mut client = node.client();
    let mut waits = node.client();
    ask(&mut waits, "BLPOP k 0");
    wait_for_blocked(node.port, 1);
    for line in ["MULTI", "RPUSH k a", "BLPOP k 0", "BLPOP k 0", "RPUSH k b"] {
        call(&mut client, line);
    }
    assert_eq!(call(&mut client, "EXEC").to_string(), "[:1, [\"k\", \"a\"], null, :1]");
    assert_eq!(element(&reply(&mut waits)), "b");
}

#[test]
fn a_client_that_left_takes_nothing() {
    let cluster = Cluster::start(1, 3, &["fsync=no"]);
    for index in 0..3 {
        let key = format!("k{index}");
        let mut waits = cluster.client(index);
        ask(&mut waits, &format!("BLPOP {key} 0"));
        // Unread behind the command that waits: it must not hide the end of the stream, not even if
        // it is more than the node reads meanwhile.
        ask(&mut waits, &format!("SET s {}", "v".repeat([1, 100_000][index % 2])));
        let mut killed = cluster.client(index);
        let id = call(&mut killed, "CLIENT ID").integer();
        ask(&mut killed, &format!("BLPOP {key} 0"));
        wait_for_blocked(cluster.nodes[index].port, 2);
        drop(waits);
        let mut client = cluster.client(index);
        assert_eq!(call(&mut client, &format!("CLIENT KILL ID {id}")).integer(), 1);
        wait_for_blocked(cluster.nodes[index].port, 0);
        assert_eq!(call(&mut client, &format!("RPUSH {key} a")).integer(), 1);
        assert_eq!(call(&mut client, &format!("LLEN {key}")).integer(), 1);
    }
}

#[test]
fn clients_of_every_node_wait_in_one_queue() {
    let cluster = Cluster::start(1, 3, &["fsync=no"]);
    let mut waiting: Vec<Client> = (0..CLIENTS).map(|n| cluster.client(n % 3)).collect();
    for (count, client) in waiting.iter_mut().enumerate() {
        ask(client, "BLPOP k 0");
        wait_for_all_blocked(&cluster, count + 1);
    }
    let mut pushers: Vec<Client> = (0..3).map(|index| cluster.client(index)).collect();
    for number in 0..CLIENTS {
        assert_eq!(call(&mut pushers[number % 3], &format!("RPUSH k {number}")).integer(), 1);
    }
    for (number, client) in waiting.iter_mut().enumerate() {
        assert_eq!(element(&reply(client)), number.to_string());
    }
    for index in 0..3 {
        let mut client = cluster.client(index);
        assert_eq!(call(&mut client, "BLPOP k 0.05"), Value::Null, "through node {index}");
        assert_eq!(call(&mut client, "BRPOPLPUSH k {k}l 0.05"), Value::Null);
    }
    cluster.wait_until_replicas_agree();
}

#[test]
fn with_redirect_forward_a_client_waits_at_another_shard() {
    let cluster = Cluster::start(2, 1, &["redirect=forward", "fsync=no"]);
    let ports = ClusterClient::new(&cluster.ports(), LIMIT);
    let first = cluster.nodes[0].port;
    let tags = tags_for(2, |slot| usize::from(ports.ports_of(slot)[0] - first));
    let mut waits = cluster.client(0);
    ask(&mut waits, &format!("BLPOP {{{}}}k 0", tags[1]));
    wait_for_blocked(first, 1);
    assert_eq!(blocked(cluster.nodes[1].port), 0, "it is a client of the other node");
    call(&mut cluster.client(1), &format!("RPUSH {{{}}}k a", tags[1]));
    assert_eq!(element(&reply(&mut waits)), "a");
}

#[test]
fn client_unblock_ends_a_wait_and_client_list_shows_it() {
    let cluster = Cluster::start(1, 3, &["fsync=no"]);
    for index in 0..3 {
        let port = cluster.nodes[index].port;
        let (mut waits, mut client) = (cluster.client(index), cluster.client(index));
        let id = call(&mut waits, "CLIENT ID").integer();
        assert_eq!(call(&mut client, &format!("CLIENT UNBLOCK {id}")).integer(), 0);
        for (how, answer) in [
            ("", "null"),
            (" TIMEOUT", "null"),
            (" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        ] {
            ask(&mut waits, "BLPOP k 0");
            wait_for_blocked(port, 1);
            let list = call(&mut client, "CLIENT LIST").text();
            let line = list.lines().find(|line| line.contains(&format!("id={id} ")));
            let line = line.expect("the client is listed");
            assert!(line.contains(" flags=b ") && line.contains(" cmd=blpop "), "{line}");
            assert_eq!(call(&mut client, &format!("CLIENT UNBLOCK {id}{how}")).integer(), 1);
            assert_eq!(reply(&mut waits).to_string(), answer);
        }
        let wrong = call(&mut client, "CLIENT UNBLOCK 1 FOO").to_string();
        assert_eq!(wrong, "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    }
}

#[test]
fn those_who_wait_follow_the_leader() {
    let cluster = Cluster::start(1, 3, &["fsync=no"]);
    let mut waiting: Vec<Client> = (0..CLIENTS).map(|n| cluster.client(n % 3)).collect();
    for client in &mut waiting {
        ask(client, "BLPOP k 0");
    }
    wait_for_all_blocked(&cluster, CLIENTS);
    let mut popped = BTreeSet::new();
    for round in 0..3 {
        let to = ((cluster.leader(0) + 1) % 3 + 1).to_string();
        let (done, said) = cluster.admin(&["transfer-leader", "0", &to]);
        assert!(done, "{said}");
        let share = round * CLIENTS / 3..(round + 1) * CLIENTS / 3;
        let mut client = cluster.client(round);
        for number in share {
            call(&mut client, &format!("RPUSH k {number}"));
        }
    }
    for client in &mut waiting {
        assert!(popped.insert(element(&reply(client))), "delivered twice");
    }
    assert_eq!(popped.len(), CLIENTS);
    assert_eq!(call(&mut cluster.client(0), "LLEN k").integer(), 0);
    cluster.wait_until_replicas_agree();
}

#[test]
fn a_node_that_stops_leaves_nobody_waiting() {
    let mut node = Standalone::start(&["fsync=no"]);
    let mut waits = node.client();
    ask(&mut waits, "BLPOP k 0");
    wait_for_blocked(node.port, 1);
    assert!(node.process.terminate().success());
    match waits.reply() {
        Ok(reply) => assert!(reply.to_string().starts_with("-UNBLOCKED "), "{reply}"),
        Err(error) => assert!(compat_tests::client::is_closed(&error), "{error}"),
    }
}

#[test]
fn a_leader_without_a_quorum_keeps_nobody_waiting() {
    let cluster = Cluster::start(1, 3, &["fsync=no"]);
    let leader = cluster.leader(0);
    let mut waits = cluster.client(leader);
    ask(&mut waits, "BLPOP k 0");
    wait_for_blocked(cluster.nodes[leader].port, 1);
    let followers = || (0..3).filter(|index| *index != leader);
    let signal = |index: usize, signal| {
        cluster.nodes[index].process.as_ref().expect("it runs").signal(signal);
    };
    followers().for_each(|index| signal(index, Signal::STOP));
    let said = reply(&mut waits);
    followers().for_each(|index| signal(index, Signal::CONT));
    assert!(said.is_error(), "{said}");
}

/// What consumers got.
#[derive(Default)]
struct Taken {
    /// Elements, and how often each was delivered.
    elements: BTreeMap<String, usize>,
    /// Pops that were under way when a connection died, or that ended without anybody knowing.
    unknown: usize,
}

/// Consumers at work on one list.
struct Consumers {
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Taken>>,
}

impl Consumers {
    fn start(ports: &[u16], count: usize) -> Consumers {
        let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..count)
            .map(|number| {
                let (stop, taken, ports) = (stop.clone(), taken.clone(), ports.to_vec());
                std::thread::spawn(move || consume(&ports, number, &stop, &taken))
            })
            .collect();
        Consumers { stop, taken, threads }
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    fn stop(self) -> Taken {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Taken::default();
        for thread in self.threads {
            let taken = thread.join().expect("a consumer does not panic");
            all.unknown += taken.unknown;
            for (element, times) in taken.elements {
                *all.elements.entry(element).or_default() += times;
            }
        }
        all
    }
}

/// Pops until it is told to stop; another node in turn after a failure.
fn consume(ports: &[u16], number: usize, stop: &AtomicBool, count: &AtomicUsize) -> Taken {
    let mut taken = Taken::default();
    let mut turn = number;
    let mut connection: Option<Client> = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(client) = &mut connection else {
            turn += 1;
            connection = Client::connect_within(ports[turn % ports.len()], LIMIT).ok();
            continue;
        };
        // Waits a while at most, so that it sees when to stop.
        match client.try_call(&["BLPOP", "k", "1"]) {
            Ok(Value::Null) => {}
            Ok(Value::Error(text)) if text.starts_with("CLUSTERDOWN") => {}
            Ok(Value::Error(text)) => {
                let known = ["UNBLOCKED ", "UNKNOWN "].iter().any(|word| text.starts_with(word));
                assert!(known, "{text}");
                taken.unknown += 1;
            }
            Ok(reply) => {
                *taken.elements.entry(element(&reply)).or_default() += 1;
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(_) => {
                taken.unknown += 1;
                connection = None;
            }
        }
    }
    taken
}

/// Pushes numbered elements until told to stop, `sent` being true for those that were acknowledged.
fn produce(ports: Vec<u16>, stop: Arc<AtomicBool>) -> JoinHandle<BTreeMap<String, bool>> {
    std::thread::spawn(move || {
        let mut sent = BTreeMap::new();
        let mut connection: Option<Client> = None;
        let mut turn = 0;
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let Some(client) = &mut connection else {
                turn += 1;
                connection = Client::connect_within(ports[turn % ports.len()], LIMIT).ok();
                continue;
            };
            let element = format!("e{number}");
            match client.try_call(&["RPUSH", "k", &element]) {
                Ok(Value::Integer(_)) => drop(sent.insert(element, true)),
                Ok(Value::Error(text)) if text.starts_with("CLUSTERDOWN") => {}
                Ok(Value::Error(text)) => {
                    assert!(text.starts_with("UNKNOWN "), "{text}");
                    sent.insert(element, false);
                }
                Ok(other) => panic!("RPUSH answered {other}"),
                Err(_) => {
                    sent.insert(element, false);
                    connection = None;
                }
            }
        }
        sent
    })
}

#[test]
fn busy_consumers_get_each_element_once() {
    let node = Standalone::start(&["fsync=no"]);
    let consumers = Consumers::start(&[node.port], CLIENTS);
    let mut client = node.client();
    for round in 0..20 {
        let mut requests = Vec::new();
        for number in 0..100 {
            resp::request(&["RPUSH", "k", &format!("{round}-{number}")], &mut requests);
        }
        client.pipeline(&requests, 100).expect("all are answered");
    }
    wait::until_true("all to be taken", LIMIT, || consumers.taken() == 2_000);
    let taken = consumers.stop();
    assert_eq!((taken.elements.len(), taken.unknown), (2_000, 0));
    assert!(taken.elements.values().all(|times| *times == 1), "an element was delivered twice");
}

#[test]
fn killed_leaders_lose_no_element_but_those_on_their_way() {
    let rounds = number_from("COMPAT_ROUNDS").unwrap_or(3);
    let mut cluster = Cluster::start(1, 3, &[]);
    let ports = cluster.ports();
    let consumers = Consumers::start(&ports, CLIENTS);
    let stop = Arc::new(AtomicBool::new(false));
    let producer = produce(ports, stop.clone());
    let more = |count: usize| {
        let wanted = consumers.taken() + count;
        wait::until_true("elements to be taken", LIMIT, || consumers.taken() >= wanted);
    };
    for _ in 0..rounds {
        more(100);
        let leader = cluster.leader(0);
        cluster.kill_node(leader);
        cluster.leader(0);
        more(100);
        cluster.start_node(leader);
        cluster.wait_for_node(leader);
    }
    more(100);
    stop.store(true, Ordering::Relaxed);
    let sent = producer.join().expect("the producer does not panic");
    let taken = consumers.stop();
    let mut client = cluster.client(0);
    let left: Vec<String> =
        call(&mut client, "LRANGE k 0 -1").items().iter().map(Value::text).collect();

    let twice: Vec<_> = taken.elements.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "delivered twice: {twice:?}");
    let both = left.iter().find(|element| taken.elements.contains_key(*element));
    assert!(both.is_none(), "delivered and still there: {both:?}");
    let there = |element: &String| taken.elements.contains_key(element) || left.contains(element);
    let missing: Vec<_> =
        sent.iter().filter(|(element, known)| **known && !there(element)).collect();
    println!(
        "{} sent, {} taken, {} left, {} missing, {} pops with unknown outcome",
        sent.len(),
        taken.elements.len(),
        left.len(),
        missing.len(),
        taken.unknown
    );
    // One push is under way at a time: hardly more than its element is on its way when a leader dies.
    let bound = taken.unknown.min(LOST_PER_KILL_MAX * rounds as usize);
    assert!(missing.len() <= bound, "lost: {missing:?}");
    let invented = taken.elements.keys().find(|element| !sent.contains_key(*element));
    assert!(invented.is_none(), "nobody pushed {invented:?}");
    cluster.wait_until_replicas_agree();
}
