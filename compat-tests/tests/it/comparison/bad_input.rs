//! Bytes that no client should send: the same answer as from Redis, the connection closed or kept
//! open as there, nothing executed, no memory taken by what was only declared.

use std::time::Duration;

use compat_tests::client::Client;
use compat_tests::redis::Redis;
use compat_tests::standalone::Standalone;
use compat_tests::wait;

use super::Servers;
use super::differences::Differences;

/// Closes a case that stays open.
const LAST: &[u8] = b"*2\r\n$5\r\nHELLO\r\n$4\r\nlast\r\n";
const LAST_ANSWER: &[u8] = b"-ERR Protocol version is not an integer or out of range\r\n";

/// Longer than any of these answers takes.
const SAY_WITHIN: Duration = Duration::from_secs(5);
/// Connections that each declare half a gigabyte, twice.
const STRANGERS: usize = 20;
/// Buffers of a connection and the allocator's slack; far below what was declared.
const MEMORY_GROWTH_MAX: u64 = 64 << 20;

/// What becomes of the connection.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Open,
    Closed,
}
use Then::{Closed, Open};

const CASES: &[(&str, &[u8], Then)] = &[
    ("an inline command", b"PING\r\n", Open),
    ("inline, ended by LF alone", b"PING\n", Open),
    ("an empty inline line", b"\r\n\r\nPING\r\n", Open),
    ("inline with quotes", b"ECHO \"a\\x41\\n'\"\r\n", Open),
    ("inline with single quotes", b"ECHO 'it\\'s'\r\n", Open),
    ("an unbalanced quote", b"ECHO \"abc\r\n", Closed),
    ("a quote that ends inside a word", b"ECHO \"a\"b\r\n", Closed),
    ("an empty array", b"*0\r\n", Open),
    ("a null array", b"*-1\r\n", Open),
    ("a very negative array", b"*-100\r\n", Open),
    ("a count that is no number", b"*abc\r\n", Closed),
    ("a count with a sign", b"*+1\r\n$4\r\nPING\r\n", Closed),
    ("a count with a space", b"* 1\r\n", Closed),
    ("no count", b"*\r\n", Closed),
    ("a count past the limit", b"*2147483648\r\n", Closed),
    ("a count past 32 bits", b"*4294967297\r\n", Closed),
    ("a count past 64 bits", b"*99999999999999999999\r\n", Closed),
    ("an argument that is no bulk", b"*1\r\n+PING\r\n", Closed),
    ("an argument of unprintable type", b"*1\r\n\x01PING\r\n", Closed),
    ("a nested array", b"*1\r\n*1\r\n$4\r\nPING\r\n", Closed),
    ("a null bulk", b"*1\r\n$-1\r\n", Closed),
    ("a negative bulk", b"*1\r\n$-5\r\n", Closed),
    ("a length that is no number", b"*1\r\n$x\r\n", Closed),
    ("no length", b"*1\r\n$\r\n", Closed),
    ("a length past proto-max-bulk-len", b"*1\r\n$536870913\r\n", Closed),
    ("a length past 64 bits", b"*1\r\n$99999999999999999999\r\n", Closed),
    ("an empty command name", b"*1\r\n$0\r\n\r\n", Open),
    ("an unknown command", b"*2\r\n$4\r\nNOPE\r\n$1\r\nx\r\n", Open),
    ("an unknown command with CR and LF", b"*2\r\n$6\r\nNO\r\nPE\r\n$4\r\na\r\nb\r\n", Open),
    ("an unknown subcommand with CR and LF", b"*2\r\n$6\r\nCLIENT\r\n$4\r\na\r\nb\r\n", Open),
    ("POST, as a browser sends it", b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", Closed),
    ("Host:, as a browser sends it", b"Host: localhost\r\n\r\n", Closed),
    ("post in lower case", b"post x\r\n", Closed),
    ("GET as in HTTP", b"GET /\r\n", Open),
    ("QUIT", b"*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n", Closed),
    ("too few arguments", b"*1\r\n$3\r\nGET\r\n", Open),
    ("a bad command between good ones", b"PING\r\nNOPE\r\nPING\r\n", Open),
    ("good commands before a protocol error", b"PING\r\nPING\r\n*1\r\n!x\r\nPING\r\n", Closed),
    ("RESP3 types as arguments", b"*1\r\n%1\r\n", Closed),
    ("HELLO 4", b"HELLO 4\r\n", Open),
    ("HELLO with AUTH and no name", b"HELLO 3 AUTH a\r\n", Open),
];

/// Before AUTH: more than ten arguments, or one of more than 16,384 bytes.
const BEFORE_AUTH: &[(&str, &[u8], Then)] = &[
    ("ten arguments", b"*10\r\n$3\r\nDEL\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n", Open),
    ("eleven arguments", b"*11\r\n$3\r\nDEL\r\n", Closed),
    ("a long bulk", b"*2\r\n$4\r\nECHO\r\n$16385\r\n", Closed),
    ("GET", b"GET x\r\n", Open),
    ("an unknown command", b"NOPE\r\n", Open),
    ("a wrong password", b"AUTH wrong\r\n", Open),
    ("a wrong user", b"AUTH nobody pass\r\n", Open),
    ("AUTH of three", b"AUTH a b c\r\n", Open),
    ("HELLO", b"HELLO 3\r\n", Open),
    ("a wrong HELLO", b"HELLO 3 AUTH default wrong\r\n", Open),
    ("MULTI", b"MULTI\r\n", Open),
    ("PING", b"PING\r\n", Open),
    ("QUIT", b"QUIT\r\n", Closed),
    ("the right password", b"AUTH pass\r\nGET x\r\n", Open),
];

#[test]
fn bad_bytes_are_answered_as_by_redis() {
    let servers = Servers::start();
    let wrong = differing(CASES, [servers.ours.port, servers.redis.port]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let left = servers.ours.client().call(&["DBSIZE"]);
    assert_eq!(left.integer(), 0, "bad input was executed");
}

#[test]
fn strangers_are_limited_before_auth_as_by_redis() {
    let ours = Standalone::start(&["fsync=no", "requirepass=pass"]);
    let redis = Redis::start(&["--requirepass", "pass"]);
    let wrong = differing(BEFORE_AUTH, [ours.port, redis.port]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn differing(cases: &[(&str, &[u8], Then)], ports: [u16; 2]) -> Vec<String> {
    let differences = Differences::read();
    let mut wrong = Vec::new();
    for (name, bytes, then) in cases {
        let [ours, redis] = ports.map(|port| said(port, bytes, *then));
        if ours.starts_with("no reply") || !differences.same_or_listed(name, &ours, &redis) {
            wrong.push(format!("{name}: {}\nours:  {ours}\nredis: {redis}", bytes.escape_ascii()));
        }
    }
    wrong
}

/// The server's bytes until it closes, or until it answers a command that no case sends.
fn said(port: u16, bytes: &[u8], then: Then) -> String {
    let mut client = Client::connect_within(port, SAY_WITHIN).expect("the server runs");
    // A server may close before it has read all: what it said before is still to be read.
    let _ = client.send(bytes);
    let read = match then {
        Closed => client.read_to_close(),
        // Needs no AUTH, and answers alike before and after it.
        Open => client.send(LAST).and_then(|()| client.read_until(LAST_ANSWER)),
    };
    match read {
        Ok(bytes) => bytes.escape_ascii().to_string(),
        Err(error) => format!("no reply: {error}"),
    }
}

#[test]
fn declared_lengths_take_no_memory() {
    let ours = Standalone::start(&["fsync=no"]);
    let before = ours.process.resident_bytes();
    let mut held = Vec::new();
    for _ in 0..STRANGERS {
        for claim in [&b"*1048576\r\n"[..], b"*2\r\n$4\r\nECHO\r\n$536870912\r\nx"] {
            let mut client = ours.client();
            client.send(claim).expect("the server reads");
            held.push(client);
        }
    }
    // Answered after the strangers' bytes were read: they were sent first.
    let mut client = ours.client();
    wait::until_true("all strangers to be connected", Duration::from_secs(10), || {
        let list = client.call(&["CLIENT", "LIST"]).text();
        list.lines().count() > held.len()
    });
    let grown = ours.process.resident_bytes().saturating_sub(before);
    println!("{} strangers declared 512 MiB each: {} KiB more", held.len(), grown / 1024);
    assert!(grown < MEMORY_GROWTH_MAX, "{grown} bytes were taken by declared lengths");
}

#[test]
fn a_client_that_does_not_read_is_closed_at_its_limit() {
    let limit = "client-output-buffer-limit=normal 4mb 4mb 1";
    let mut ours = Standalone::start(&["fsync=no", limit]);
    let mut writer = ours.client();
    writer.call(&["SET".as_bytes(), b"big", &vec![b'v'; 1 << 20]]);
    let before = ours.process.resident_bytes();
    let mut greedy = ours.client();
    let id = greedy.call(&["CLIENT", "ID"]).integer().to_string();
    let gets = b"GET big\r\n".repeat(200);
    greedy.send(&gets).expect("the requests fit the socket's buffer");
    wait::until_true("the greedy client to be closed", Duration::from_secs(30), || {
        ours.process.expect_running();
        let list = writer.call(&["CLIENT", "LIST", "ID", &id]).text();
        let grown = ours.process.resident_bytes().saturating_sub(before);
        assert!(grown < MEMORY_GROWTH_MAX, "{grown} bytes for one client that does not read");
        list.trim().is_empty()
    });
    drop(greedy);
    assert_eq!(writer.call(&["PING"]).text(), "PONG");
}
