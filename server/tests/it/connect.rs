//! What clients send when they connect, and what INFO has for them: the server's own commands
//! through the whole program. Replies of single commands are compared with Redis elsewhere.

use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use super::program::{PATIENCE, Running, call, exchange, free_ports, until};

struct Node {
    port: u16,
    process: Running,
    _dir: tempfile::TempDir,
}

fn node(settings: &[&str]) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let port = free_ports(1);
    let listen = format!("127.0.0.1:{port}");
    let mut args = vec!["serve", "--listen", &listen, "--data-dir", dir.path().to_str().unwrap()];
    settings.iter().for_each(|setting| args.extend(["--set", setting]));
    let process = Running::start(&args);
    process.wait_for("ready: ");
    Node { port, process, _dir: dir }
}

/// Several inline commands on one connection, their answers as they come.
fn talk(port: u16, commands: &[&str]) -> String {
    let request = format!("{}\r\nECHO end-of-talk\r\n", commands.join("\r\n"));
    let end = b"$11\r\nend-of-talk\r\n";
    let answer = exchange(port, request.as_bytes(), Some(end)).unwrap();
    answer.strip_suffix("$11\r\nend-of-talk\r\n").unwrap().replace("\r\n", "\n")
}

#[test]
fn no_client_stumbles_when_it_connects() {
    let node = node(&[]);
    // redis-py, ioredis, node-redis, go-redis, redis-rs, fred, Jedis and Lettuce, put together.
    let answers = talk(
        node.port,
        &[
            "CLIENT SETNAME app",
            "CLIENT SETINFO LIB-NAME redis-py",
            "CLIENT SETINFO LIB-VER 8.1.0",
            "CLIENT MAINT_NOTIFICATIONS ON",
            "CLIENT NOSUCH",
            "CLUSTER SLOTS",
            "READONLY",
            "CONFIG GET save",
            "CONFIG GET appendonly",
            "SELECT 0",
            "CLIENT GETNAME",
        ],
    );
    insta::assert_snapshot!(answers, @"
    +OK
    +OK
    +OK
    -ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.
    -ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.
    -ERR This instance has cluster support disabled
    -ERR This instance has cluster support disabled
    *2
    $4
    save
    $0

    *2
    $10
    appendonly
    $3
    yes
    +OK
    $3
    app
    ");

    let hello = talk(node.port, &["HELLO 4", "HELLO 3", "CLIENT MAINT_NOTIFICATIONS ON", "PING"]);
    let (refused, rest) = hello.split_once('\n').unwrap();
    assert_eq!(refused, "-NOPROTO unsupported protocol version");
    assert!(rest.starts_with("%7\n$6\nserver\n$5\nredis\n$7\nversion\n"), "{rest}");
    assert!(rest.ends_with("Try CLIENT HELP.\n+PONG\n"), "{rest}");

    let listed = talk(
        node.port,
        &["CLIENT SETINFO LIB-NAME lettuce", "CLIENT SETNAME me", "CLIENT LIST TYPE normal"],
    );
    assert!(listed.contains(" name=me "), "{listed}");
    assert!(listed.contains(" cmd=client|list user=default redir=-1 resp=2 lib-name=lettuce "));
}

#[test]
fn info_has_these_fields() {
    let node = node(&[]);
    call(node.port, "SET k v").unwrap();
    let info = call(node.port, "INFO everything").unwrap();
    let mut fields = String::new();
    for line in info.lines().skip(1).filter(|line| !line.is_empty()) {
        match line.split_once(':') {
            Some((name, _)) => fields.push_str(&format!("{name}\n")),
            None => fields.push_str(&format!("{line}\n")),
        }
    }
    insta::assert_snapshot!(fields);
    let server = call(node.port, "INFO server clients").unwrap();
    for wanted in [
        "redis_version:7.2.4",
        "redis_mode:standalone",
        "arch_bits:64",
        &format!("tcp_port:{}", node.port),
        "maxclients:10000",
    ] {
        assert!(server.lines().any(|line| line == wanted), "{wanted} in {server}");
    }
    assert_eq!(call(node.port, "INFO nosuch").unwrap(), "$0");
    assert!(call(node.port, "INFO keyspace").unwrap().ends_with("db0:keys=1,expires=0,avg_ttl=0"));
}

#[test]
fn a_password_opens_the_server_and_is_shown_to_nobody() {
    let node = node(&["requirepass=hunter2"]);
    let answers = talk(
        node.port,
        &[
            "GET k",
            "AUTH wrong",
            "HELLO 3",
            "AUTH hunter2",
            "GET k",
            "CONFIG SET requirepass hunter3",
        ],
    );
    let lines: Vec<&str> = answers.lines().collect();
    assert_eq!(lines[0], "-NOAUTH Authentication required.");
    assert_eq!(lines[1], "-WRONGPASS invalid username-password pair or user is disabled.");
    assert!(lines[2].starts_with("-NOAUTH HELLO must be called"), "{answers}");
    assert_eq!(lines[3..], ["+OK", "$-1", "+OK"]);

    let answers = talk(node.port, &["AUTH hunter2", "AUTH hunter3", "INFO everything"]);
    assert!(answers.starts_with("-WRONGPASS"), "{answers}");
    assert!(answers.contains("redis_version:"), "{answers}");
    assert!(!answers.contains("hunter"), "{answers}");
    assert!(!node.process.wait_for("CONFIG SET").contains("hunter"));
}

#[test]
fn a_killed_client_is_gone() {
    let node = node(&[]);
    let mut victim = TcpStream::connect(("127.0.0.1", node.port)).unwrap();
    victim.set_read_timeout(Some(PATIENCE)).unwrap();
    let addr = victim.local_addr().unwrap();
    let kill = format!("CLIENT KILL {addr}");
    // The server may not have accepted it yet.
    until("client to kill", || (call(node.port, &kill).unwrap() == "+OK").then_some(()));
    assert_eq!(victim.read(&mut [0; 1]).unwrap(), 0, "the connection ends");
    assert_eq!(call(node.port, &kill).unwrap(), "-ERR No such client");
    let own =
        talk(node.port, &["CLIENT ID", "CLIENT KILL ID 1000000", "CLIENT REPLY SKIP", "PING"]);
    assert!(own.ends_with("\n:0\n"), "{own}");
}

#[test]
fn wait_tells_the_truth_about_replicas() {
    let node = node(&[]);
    let begun = std::time::Instant::now();
    assert_eq!(talk(node.port, &["SET k v", "WAIT 0 0", "WAIT 1 50"]), "+OK\n:0\n:0\n");
    assert!(begun.elapsed() >= Duration::from_millis(50), "it waited for a replica");
}
