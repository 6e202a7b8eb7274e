//! What is said when the program cannot start.

use std::net::TcpListener;

use super::program::{Running, call, free_ports, ringfort, run, until};

#[test]
fn a_misspelt_key_is_named_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("node.toml");
    std::fs::write(&file, "lisen = \"127.0.0.1:1\"\n").unwrap();
    let file = file.to_str().unwrap();
    let (status, said) = run(&["serve", "--config", file]);
    assert_eq!(status.code(), Some(1));
    let wanted = format!("ringfort: configuration file {file}: line 1: unknown field `lisen`");
    assert!(said.starts_with(&wanted), "{said}");
}

#[test]
fn a_port_in_use_is_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let (status, said) =
        run(&["serve", "--listen", &address, "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains(&format!("ringfort: cannot listen on {address}: ")), "{said}");
}

#[test]
fn a_secret_on_the_command_line_is_not_echoed() {
    let (status, said) = run(&["serve", "--set", "requirepass2=hunter2"]);
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("there is no setting 'requirepass2'"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn nothing_but_a_folder_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_ports(1);
    let listen = format!("127.0.0.1:{port}");
    let args = ["serve", "--listen", &listen, "--data-dir", dir.path().to_str().unwrap()];
    let write = |value: &str| {
        let mut node = Running::start(&args);
        let answer = until("answer", || call(port, "PING").ok());
        assert_eq!(answer, "+PONG");
        let before = call(port, "GET k").unwrap();
        assert_eq!(call(port, &format!("SET k {value}")).unwrap(), "+OK");
        node.signal(rustix::process::Signal::KILL);
        node.wait();
        before
    };
    assert_eq!(write("one"), "$-1");
    assert_eq!(write("two"), "$3\r\none");
    assert_eq!(write("three"), "$3\r\ntwo");
}

#[test]
fn admin_says_where_it_looked() {
    let port = free_ports(1) + 10_000;
    let (status, said) = run(&["admin", "--node", &format!("127.0.0.1:{port}"), "status"]);
    assert_eq!(status.code(), Some(1));
    let wanted = format!("ringfort: 127.0.0.1:{port} is unreachable: Connection refused");
    assert!(said.starts_with(&wanted), "{said}");
}

#[test]
fn the_ring_needs_no_node() {
    let (status, said) = run(&["admin", "ring", "--shards", "3", "--to", "4"]);
    assert!(status.success(), "{said}");
    assert!(said.contains("slots would move in"), "{said}");
    let output = ringfort(&["admin", "--json", "ring", "--shards", "2"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let slots = json["shards"].as_array().unwrap().iter().map(|s| s["slots"].as_u64().unwrap());
    assert_eq!(slots.sum::<u64>(), 16_384);
}
