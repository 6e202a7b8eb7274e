//! The clients people use, against `ringfort up --shards 3 --replicas 3`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use compat_tests::resp::Value;
use compat_tests::up::Up;

/// redis-cli opens a new connection for every redirect.
const REDIS_CLI_KEYS: usize = 2_000;
const OTHER_KEYS: usize = 25_000;
/// 100,000 keys in all.
const REDIS_RS_KEYS: usize = 100_000 - 3 * OTHER_KEYS - REDIS_CLI_KEYS;

#[test]
fn cluster_clients_read_and_write_100_000_keys_that_survive_a_restart() {
    let mut up = Up::start(3, 3);
    let port = up.port.to_string();
    redis_cli(up.port);
    let keys = OTHER_KEYS.to_string();
    for protocol in ["2", "3"] {
        run(python().arg(client("python/cluster.py")).args([&port, protocol, &keys]));
    }
    run(Command::new("node").arg(client("node/cluster.js")).args([&port, &keys]));
    redis_rs(up.port);

    expect_all_keys(&up);
    up.process.kill();
    up.start_again();
    expect_all_keys(&up);
    // A second start is also a start that was asked to stop.
    assert!(up.process.terminate().success(), "SIGTERM stops `up` in good order");
    up.start_again();
    expect_all_keys(&up);
}

#[test]
fn redis_cli_and_redis_benchmark_are_content_with_the_cluster() {
    let up = Up::start(3, 3);
    let port = up.port.to_string();
    let address = format!("127.0.0.1:{port}");

    let check = output(Command::new("redis-cli").args(["--cluster", "check", &address]));
    for wanted in ["All nodes agree about slots configuration", "All 16384 slots covered"] {
        assert!(check.contains(&format!("[OK] {wanted}")), "{check}");
    }
    assert!(!check.contains("[ERR]") && !check.contains("[WARNING]"), "{check}");
    let info = output(Command::new("redis-cli").args(["--cluster", "info", &address]));
    assert!(info.contains("[OK] 0 keys in 3 masters"), "{info}");

    let mut benchmark = Command::new("redis-benchmark");
    benchmark.args(["--cluster", "-p", &port, "-t", "set,get,incr,mset", "-n", "20000", "-P", "8"]);
    let said = output(benchmark.args(["-c", "20", "-q"]));
    let totals = said.split(['\r', '\n']).filter(|line| line.contains("requests per second, p50"));
    println!("{}", totals.collect::<Vec<_>>().join("\n"));
    for name in ["SET", "GET", "INCR", "MSET"] {
        assert!(said.contains(name), "{said}");
    }
    assert_eq!(said.matches("requests per second, p50").count(), 4, "{said}");
    assert!(!said.to_lowercase().contains("error"), "{said}");
}

fn expect_all_keys(up: &Up) {
    let mut client = up.client();
    let numbered =
        |name: &str, count| (0..count).map(|n| (format!("{name}:{n}"), n)).collect::<Vec<_>>();
    let mut wanted = numbered("redis-cli", REDIS_CLI_KEYS);
    wanted.extend(numbered("redis-rs", REDIS_RS_KEYS));
    for name in ["redis-py-2", "redis-py-3", "ioredis"] {
        wanted.extend(numbered(name, OTHER_KEYS));
    }
    assert_eq!(wanted.len(), 100_000);
    let keys: Vec<String> = wanted.iter().map(|(key, _)| key.clone()).collect();
    let values = client.get_all(&keys);
    for ((key, number), value) in wanted.iter().zip(values) {
        assert_eq!(value, Value::Bulk(format!("value {number}").into_bytes()), "{key}");
    }
}

fn redis_cli(port: u16) {
    let mut lines = String::new();
    for number in 0..REDIS_CLI_KEYS {
        lines.push_str(&format!(
            "SET redis-cli:{number} \"value {number}\"\nGET redis-cli:{number}\n"
        ));
    }
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), lines).expect("the file is writable");
    let mut command = Command::new("redis-cli");
    command.args(["-c", "-p", &port.to_string()]);
    command.stdin(Stdio::from(file.reopen().expect("the file is readable")));
    let said = output(&mut command);
    let values = said.lines().filter(|line| line.starts_with("value ")).count();
    let set = said.lines().filter(|line| *line == "OK").count();
    assert_eq!((set, values), (REDIS_CLI_KEYS, REDIS_CLI_KEYS), "{said}");
}

fn redis_rs(port: u16) {
    let client = redis::cluster::ClusterClient::new([format!("redis://127.0.0.1:{port}/")]);
    let mut connection = client.and_then(|c| c.get_connection()).expect("redis-rs connects");
    let numbers: Vec<usize> = (0..REDIS_RS_KEYS).collect();
    for batch in numbers.chunks(500) {
        let (mut writes, mut reads) =
            (redis::cluster::cluster_pipe(), redis::cluster::cluster_pipe());
        for number in batch {
            writes.set(format!("redis-rs:{number}"), format!("value {number}")).ignore();
            reads.get(format!("redis-rs:{number}"));
        }
        writes.query::<()>(&mut connection).expect("redis-rs writes");
        let values: Vec<String> = reads.query(&mut connection).expect("redis-rs reads");
        let wanted: Vec<String> = batch.iter().map(|number| format!("value {number}")).collect();
        assert_eq!(values, wanted);
    }
}

fn python() -> Command {
    Command::new(std::env::var_os("COMPAT_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn client(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(file)
}

fn run(command: &mut Command) {
    println!("{}", output(command).trim());
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    said
}
