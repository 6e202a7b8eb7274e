//! Scripted cases: text files of commands, one per line, sent to both servers.
//!
//! `== title` empties both servers and begins with new connections. Before a command may stand
//! `@name` (another connection), `~` (the same shape is enough: times, addresses), `-` (the same kind
//! is enough: help texts) or `*` (the same items in any order). The replies are not in the files: Redis gives them. Every file runs in
//! RESP2 and in RESP3.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use compat_tests::client::{Client, is_closed};
use compat_tests::resp::{self, Value};
use compat_tests::{table, words};

use super::Servers;
use super::differences::Differences;

/// Two clocks read one after the other: more than this is no rounding.
const INTEGERS_NEAR: i64 = 2_000;

#[derive(Clone, Copy)]
enum Mode {
    Same,
    Shape,
    Kind,
    AnyOrder,
}

struct Step<'a> {
    connection: &'a str,
    mode: Mode,
    line: &'a str,
}

#[test]
fn scripted_commands_are_answered_as_by_redis() {
    let servers = Servers::start();
    let differences = Differences::read();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (file, text) in files() {
        for protocol in [2, 3] {
            let mut run = Run { servers: &servers, protocol, connections: BTreeMap::new() };
            for line in text.lines() {
                let place = format!("{file} in RESP{protocol}");
                if let Some(step) = run.step(line) {
                    compared += 1;
                    let (ours, redis) = run.play(&step);
                    if !agree(step.mode, &ours, &redis)
                        && !differences.allow(step.line, &ours, &redis)
                    {
                        wrong.push(format!(
                            "# {place}\n> {}\nours:  {}\nredis: {}\n",
                            step.line,
                            shown(&ours),
                            shown(&redis)
                        ));
                    }
                }
            }
        }
    }
    println!("{compared} replies compared");
    assert!(compared > 1_000, "the stories were not found");
    assert!(wrong.is_empty(), "{} replies differ:\n\n{}", wrong.len(), wrong.join("\n"));
    differences.expect_all_occurred();
}

/// Known only to be refused; sent to Redis they would stop it, or make it write files.
const REFUSED: [&str; 16] = [
    "bgsave",
    "config|rewrite",
    "failover",
    "migrate",
    "module|help",
    "module|list",
    "module|load",
    "module|loadex",
    "module|unload",
    "monitor",
    "psync",
    "replicaof",
    "save",
    "shutdown",
    "slaveof",
    "sync",
];

#[test]
fn every_command_occurs_in_a_story() {
    let servers = Servers::start();
    let mut told = BTreeSet::new();
    for (_, text) in files() {
        for line in text.lines().filter(|line| !line.starts_with(['#', '='])) {
            let line = parse(line).map_or("", |step| step.line).to_ascii_lowercase();
            let mut names = line.split_whitespace();
            let name = names.next().unwrap_or_default().to_owned();
            told.insert(format!("{name}|{}", names.next().unwrap_or_default()));
            told.insert(name);
        }
    }
    // Which takes two clients.
    for line in crate::pubsub::SCRIPT.lines().map(str::to_ascii_lowercase) {
        let words: Vec<&str> = line.split_whitespace().skip(2).collect();
        told.extend(words.first().map(|name| (*name).to_owned()));
        told.extend(words.get(1).map(|second| format!("{}|{second}", words[0])));
    }
    let rows = table::read(&mut servers.ours.client());
    let commands: Vec<&table::Row> = rows.iter().flat_map(table::Row::callable).collect();
    let single_node = commands
        .iter()
        .filter(|row| row.group != "cluster" && !REFUSED.contains(&row.name.as_str()));
    let untold: Vec<&str> =
        single_node.map(|row| row.name.as_str()).filter(|name| !told.contains(*name)).collect();
    assert!(commands.len() > 80, "only {} commands", commands.len());
    assert!(untold.is_empty(), "no story has {untold:?}");
}

fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/comparison/stories");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .expect("the stories' folder")
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a story is text"))
        })
        .collect();
    files.sort();
    files
}

/// One file under way.
struct Run<'a> {
    servers: &'a Servers,
    protocol: u8,
    connections: BTreeMap<String, [Client; 2]>,
}

impl Run<'_> {
    /// The step that a line asks for; a title makes everything new.
    fn step<'a>(&mut self, line: &'a str) -> Option<Step<'a>> {
        if line.starts_with("==") {
            self.connections.clear();
            for mut client in self.servers.connect(2) {
                client.call(&["FLUSHALL"]);
            }
            return None;
        }
        parse(line)
    }

    /// The bytes that both servers answer; `closed` when a server closed the connection.
    fn play(&mut self, step: &Step<'_>) -> (Vec<u8>, Vec<u8>) {
        let args = words::split(step.line).unwrap_or_else(|error| panic!("{error}"));
        let mut request = Vec::new();
        resp::request(&args, &mut request);
        let (servers, protocol) = (self.servers, self.protocol);
        let clients = self
            .connections
            .entry(step.connection.to_owned())
            .or_insert_with(|| servers.connect(protocol));
        let [ours, redis] = clients.each_mut().map(|client| {
            let answered = client.send(&request).and_then(|()| client.reply_bytes());
            match answered {
                Ok(bytes) => bytes,
                Err(error) if is_closed(&error) => b"closed".to_vec(),
                Err(error) => format!("no reply: {error}").into_bytes(),
            }
        });
        (ours, redis)
    }
}

fn parse(line: &str) -> Option<Step<'_>> {
    let mut line = line.trim();
    if line.is_empty() || line.starts_with(['#', '=']) {
        return None;
    }
    let mut connection = "";
    if let Some(named) = line.strip_prefix('@') {
        (connection, line) = named.split_once(' ').expect("a command after the connection's name");
    }
    let mut mode = Mode::Same;
    for (mark, meant) in [("~ ", Mode::Shape), ("- ", Mode::Kind), ("* ", Mode::AnyOrder)] {
        if let Some(rest) = line.strip_prefix(mark) {
            (mode, line) = (meant, rest);
        }
    }
    Some(Step { connection, mode, line })
}

fn agree(mode: Mode, ours: &[u8], redis: &[u8]) -> bool {
    let (Some((our_value, _)), Some((redis_value, _))) = (whole(ours), whole(redis)) else {
        return ours == redis;
    };
    match mode {
        Mode::Same => ours == redis,
        Mode::Shape => ours[0] == redis[0] && same_shape(&our_value, &redis_value),
        Mode::Kind => ours[0] == redis[0],
        Mode::AnyOrder => ours[0] == redis[0] && sorted(&our_value) == sorted(&redis_value),
    }
}

fn whole(bytes: &[u8]) -> Option<(Value, usize)> {
    bytes.first().filter(|byte| b"+-:$*%~>,#(_=!".contains(byte))?;
    resp::decode(bytes)
}

/// Enough to see what differs; a whole table would bury the other differences.
const SHOWN_BYTES_MAX: usize = 600;

fn shown(reply: &[u8]) -> String {
    let cut = if reply.len() > SHOWN_BYTES_MAX { "..." } else { "" };
    format!("{}{cut}", reply[..reply.len().min(SHOWN_BYTES_MAX)].escape_ascii())
}

fn sorted(value: &Value) -> Vec<String> {
    let mut items: Vec<String> = match value {
        Value::Map(pairs) => pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect(),
        list => list.items().iter().map(ToString::to_string).collect(),
    };
    items.sort_unstable();
    items
}

fn same_shape(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => {
            (*a < 0) == (*b < 0) && a.saturating_sub(*b).abs() <= INTEGERS_NEAR
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let same = |((ka, va), (kb, vb)): (&(Value, Value), &(Value, Value))| {
                ka == kb && same_shape(va, vb)
            };
            a.len() == b.len() && a.iter().zip(b).all(same)
        }
        (Value::Error(a), Value::Error(b)) => a == b,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}
