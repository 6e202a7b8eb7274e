//! `/metrics` in Prometheus' text format.
//!
//! Names of keys and clients never appear: a label's values are bounded.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::admin::databases;
use crate::node::{Node, unix_ms};

/// How a metric moves.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Up only, from the start of the process.
    Counter,
    /// Up and down.
    Gauge,
}

/// One value with what Prometheus wants to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    value: f64,
}

/// The node's labels and values at one moment.
#[derive(Debug)]
pub(super) struct Sample {
    shard: u32,
    node: u64,
    metrics: Vec<Metric>,
}

/// Reads everything.
pub(super) fn sample(node: &Node) -> Sample {
    let mut metrics = counters(node);
    metrics.extend(gauges(node));
    Sample { shard: node.shard, node: node.id, metrics }
}

fn counters(node: &Node) -> Vec<Metric> {
    let stats = &node.stats;
    let counter = |name, help, value: &AtomicU64| Metric {
        name,
        kind: Kind::Counter,
        help,
        value: value.load(Ordering::Relaxed) as f64,
    };
    vec![
        counter("ringfort_connections_total", "Clients accepted.", &stats.connections),
        counter(
            "ringfort_connections_refused_total",
            "Clients refused at maxclients.",
            &stats.connections_refused,
        ),
        counter(
            "ringfort_commands_total",
            "Commands run for clients of this node.",
            &stats.commands,
        ),
        counter(
            "ringfort_client_input_bytes_total",
            "Bytes read from clients.",
            &stats.input_bytes,
        ),
        counter(
            "ringfort_client_output_bytes_total",
            "Bytes written to clients.",
            &stats.output_bytes,
        ),
        counter("ringfort_forwarded_total", "Requests sent on to another node.", &stats.forwarded),
        counter("ringfort_raft_entries_applied_total", "Log entries applied.", &stats.entries),
        counter("ringfort_writes_applied_total", "Commands applied from the log.", &stats.writes),
    ]
}

fn gauges(node: &Node) -> Vec<Metric> {
    let group = node.group.status();
    let gauge =
        |name, help, value: u64| Metric { name, kind: Kind::Gauge, help, value: value as f64 };
    let all = |count: &dyn Fn(u8) -> usize| (0..databases(node)).map(|db| count(db) as u64).sum();
    let keyspace = &node.keyspace;
    let uptime_ms = unix_ms().saturating_sub(node.started_at_ms);
    let leads = u64::from(group.leader == Some(node.id));
    vec![
        gauge("ringfort_connected_clients", "Clients connected.", node.clients.len() as u64),
        gauge(
            "ringfort_blocked_clients",
            "Clients that wait, in BLPOP and its like.",
            node.blocked_clients() as u64,
        ),
        gauge("ringfort_keys", "Keys.", all(&|db| keyspace.len(db))),
        gauge("ringfort_keys_with_ttl", "Keys that expire.", all(&|db| keyspace.volatile_len(db))),
        gauge(
            "ringfort_memory_used_bytes",
            "Bytes of data, as compared with maxmemory.",
            keyspace.memory_bytes() as u64,
        ),
        gauge("ringfort_raft_term", "The current term.", group.term),
        gauge("ringfort_raft_is_leader", "Whether this replica leads.", leads),
        gauge(
            "ringfort_raft_has_leader",
            "Whether this replica knows a leader.",
            u64::from(group.leader.is_some()),
        ),
        gauge("ringfort_raft_last_log_index", "The last entry in the log.", group.last_log),
        gauge(
            "ringfort_raft_committed_index",
            "The last entry known to be committed.",
            group.committed,
        ),
        gauge("ringfort_raft_applied_index", "The last entry applied.", group.applied),
        gauge(
            "ringfort_raft_checkpoint_index",
            "The last entry in the checkpoint.",
            group.checkpoint,
        ),
        gauge("ringfort_raft_purged_index", "The last entry purged from the log.", group.purged),
        gauge("ringfort_uptime_seconds", "Seconds since the start.", uptime_ms / 1000),
    ]
}

/// The page.
pub(super) fn page(sample: &Sample) -> String {
    let Sample { shard, node, metrics } = sample;
    let labels = format!("shard=\"{shard}\",node=\"{node}\"");
    let mut page = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        writeln!(page, "{text}").expect("a String takes everything");
    };
    line(format_args!("# HELP ringfort_build_info The version of this node."));
    line(format_args!("# TYPE ringfort_build_info gauge"));
    let version = env!("CARGO_PKG_VERSION");
    line(format_args!("ringfort_build_info{{{labels},version=\"{version}\"}} 1"));
    for Metric { name, kind, help, value } in metrics {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        line(format_args!("# HELP {name} {help}"));
        line(format_args!("# TYPE {name} {kind}"));
        line(format_args!("{name}{{{labels}}} {value}"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_help_type_and_value_of_each() {
        let metric = |name, kind, value| Metric { name, kind, help: "Things.", value };
        let metrics =
            vec![metric("a_total", Kind::Counter, 9_000_000_000.0), metric("b", Kind::Gauge, 0.0)];
        let page = page(&Sample { shard: 2, node: 7, metrics });
        let expected = "# HELP a_total Things.\n# TYPE a_total counter\n\
                        a_total{shard=\"2\",node=\"7\"} 9000000000\n\
                        # HELP b Things.\n# TYPE b gauge\nb{shard=\"2\",node=\"7\"} 0\n";
        assert!(page.ends_with(expected), "{page}");
        assert!(page.starts_with("# HELP ringfort_build_info "), "{page}");
    }
}
