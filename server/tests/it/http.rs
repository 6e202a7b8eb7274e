//! The pages for probes and scrapers, on a running node.

use super::program::{Running, call, exchange, free_ports, until};

fn get(port: u16, request: &str) -> Option<(u16, String)> {
    let answer = exchange(port + 20_000, request.as_bytes(), None).ok()?;
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n")?.1.to_owned();
    Some((status, body))
}

fn page(port: u16, path: &str) -> Option<(u16, String)> {
    get(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

#[test]
fn a_running_node_is_healthy_ready_and_measured() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_ports(1);
    let listen = format!("127.0.0.1:{port}");
    let args = ["serve", "--listen", &listen, "--data-dir", dir.path().to_str().unwrap()];
    let _node = Running::start(&args);

    assert_eq!(until("health", || page(port, "/healthz")), (200, "ok\n".into()));
    until("readiness", || page(port, "/readyz").filter(|(status, _)| *status == 200));
    assert_eq!(call(port, "MSET a 1 b 2 c 3").unwrap(), "+OK");
    let (status, metrics) = page(port, "/metrics").unwrap();
    assert_eq!(status, 200);
    for line in [
        "ringfort_keys{shard=\"0\",node=\"1\"} 3",
        "ringfort_raft_is_leader{shard=\"0\",node=\"1\"} 1",
        "# TYPE ringfort_commands_total counter",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }

    assert_eq!(page(port, "/nosuch").unwrap().0, 404);
    assert_eq!(get(port, "POST /metrics HTTP/1.1\r\n\r\n").unwrap().0, 405);
    assert_eq!(get(port, "nonsense\r\n\r\n").unwrap().0, 400);
    assert_eq!(get(port, "HEAD /healthz HTTP/1.1\r\n\r\n").unwrap(), (200, String::new()));
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(8 * 1024));
    assert_eq!(get(port, &long).unwrap().0, 431);
}
