//! INFO: the node in Redis' sections and names, with ours beside them.
//!
//! A field that Redis has is here only if its value is true here; what this server has no notion of
//! is left out. Values and secrets never appear.

use std::fmt::{Display, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use keyspace::Args;
use resp::Reply;

use super::process::{Process, os};
use super::{REDIS_VERSION, Scope, replication, server};
use crate::node::Node;
use crate::pubsub::Kind;

/// A section: its title, and what writes its lines. The order is Redis'.
type Section = (&'static str, fn(&Node, u64, &mut String));

const SECTIONS: &[Section] = &[
    ("Server", server_section),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", |node, _, lines| replication::info(node, lines)),
    ("CPU", cpu),
    ("Modules", |_, _, _| {}),
    ("Cluster", |node, _, lines| field(lines, "cluster_enabled", u8::from(node.clustered))),
    ("Keyspace", keyspace),
];

/// INFO [section ...]
pub(super) fn info(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let mut text = String::new();
    for (title, write_lines) in SECTIONS.iter().filter(|(title, _)| wanted(title, &args[1..])) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str("# ");
        text.push_str(title);
        text.push_str("\r\n");
        write_lines(scope.node, scope.now_ms, &mut text);
    }
    Reply::Verbatim("txt", text.into())
}

/// Whether a section was asked for. `default` and `all` leave out modules, as in Redis when none
/// is loaded; unknown names ask for nothing.
fn wanted(title: &str, names: Args<'_>) -> bool {
    let is = |name: &&[u8], word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    let usual = names.is_empty() || names.iter().any(|name| is(name, "default") || is(name, "all"));
    (usual && title != "Modules")
        || names.iter().any(|name| is(name, "everything") || is(name, title))
}

fn server_section(node: &Node, now_ms: u64, lines: &mut String) {
    let uptime_seconds = now_ms.saturating_sub(node.started_at_ms) / 1000;
    // A clock before 1970 is broken; it reads as 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    field(lines, "redis_version", REDIS_VERSION);
    field(lines, "ringfort_version", env!("CARGO_PKG_VERSION"));
    field(lines, "redis_git_sha1", "00000000");
    field(lines, "redis_git_dirty", 0);
    field(lines, "redis_mode", if node.clustered { "cluster" } else { "standalone" });
    field(lines, "os", os());
    field(lines, "arch_bits", usize::BITS);
    field(lines, "process_id", std::process::id());
    field(lines, "process_supervised", "no");
    field(lines, "run_id", &node.run_id);
    field(lines, "tcp_port", node.bound.client.port());
    field(lines, "server_time_usec", now.as_micros());
    field(lines, "uptime_in_seconds", uptime_seconds);
    field(lines, "uptime_in_days", uptime_seconds / (24 * 3600));
    field(lines, "io_threads_active", u8::from(node.config.settings.io_threads() != 1));
}

fn clients(node: &Node, _: u64, lines: &mut String) {
    field(lines, "connected_clients", node.clients.len());
    field(lines, "maxclients", node.config.settings.maxclients());
    field(lines, "blocked_clients", node.blocked_clients());
    field(lines, "tracking_clients", 0);
}

fn memory(node: &Node, _: u64, lines: &mut String) {
    let process = Process::now();
    let used = node.keyspace.memory_bytes() as u64;
    let limit = node.config.settings.maxmemory_bytes();
    memory_field(lines, "used_memory", used);
    memory_field(lines, "used_memory_rss", process.resident_bytes);
    memory_field(lines, "used_memory_peak", process.resident_bytes_peak.max(used));
    memory_field(lines, "total_system_memory", process.machine_bytes);
    memory_field(lines, "maxmemory", limit);
    let policy = node.config.settings.get(b"maxmemory-policy");
    field(lines, "maxmemory_policy", policy.first().map_or("", |(_, value)| value));
    let ratio = process.resident_bytes as f64 / used.max(1) as f64;
    field(lines, "mem_fragmentation_ratio", format_args!("{ratio:.2}"));
    field(lines, "mem_allocator", "mimalloc");
}

fn persistence(node: &Node, _: u64, lines: &mut String) {
    let status = node.group.status();
    field(lines, "loading", 0);
    field(lines, "async_loading", 0);
    field(lines, "rdb_changes_since_last_save", status.applied.saturating_sub(status.checkpoint));
    field(lines, "rdb_bgsave_in_progress", u8::from(server::saving_now()));
    field(lines, "rdb_last_bgsave_status", "ok");
    // The log is what Redis calls the append-only file; it never needs rewriting.
    field(lines, "aof_enabled", 1);
    field(lines, "aof_rewrite_in_progress", 0);
    field(lines, "aof_rewrite_scheduled", 0);
    field(lines, "aof_last_bgrewrite_status", "ok");
    field(lines, "aof_last_write_status", "ok");
}

fn stats(node: &Node, _: u64, lines: &mut String) {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    field(lines, "total_connections_received", read(&node.stats.connections));
    field(lines, "total_commands_processed", read(&node.stats.commands));
    field(lines, "total_net_input_bytes", read(&node.stats.input_bytes));
    field(lines, "total_net_output_bytes", read(&node.stats.output_bytes));
    field(lines, "rejected_connections", read(&node.stats.connections_refused));
    field(lines, "expired_keys", read(&node.stats.expired));
    field(lines, "total_forwarded_requests", read(&node.stats.forwarded));
    field(lines, "total_entries_applied", read(&node.stats.entries));
    field(lines, "total_writes_applied", read(&node.stats.writes));
    field(lines, "pubsub_channels", node.pubsub.count(Kind::Channel));
    field(lines, "pubsub_patterns", node.pubsub.count(Kind::Pattern));
    field(lines, "pubsubshard_channels", node.pubsub.count(Kind::Shard));
}

fn cpu(_: &Node, _: u64, lines: &mut String) {
    let process = Process::now();
    field(lines, "used_cpu_sys", format_args!("{:.6}", process.system_seconds));
    field(lines, "used_cpu_user", format_args!("{:.6}", process.user_seconds));
}

fn keyspace(node: &Node, _: u64, lines: &mut String) {
    let databases = if node.clustered { 1 } else { node.config.settings.databases() };
    for db in 0..databases {
        let keys = node.keyspace.len(db);
        if keys > 0 {
            let expires = node.keyspace.volatile_len(db);
            field(
                lines,
                &format!("db{db}"),
                format_args!("keys={keys},expires={expires},avg_ttl=0"),
            );
        }
    }
}

fn field(lines: &mut String, name: &str, value: impl Display) {
    // Writing to a String cannot fail.
    let _ = write!(lines, "{name}:{value}\r\n");
}

/// A number of bytes, and the same for people.
fn memory_field(lines: &mut String, name: &str, bytes: u64) {
    field(lines, name, bytes);
    field(lines, &format!("{name}_human"), human(bytes));
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_chosen_as_in_redis() {
        let chosen = |names: &[&str]| {
            let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            let titles = SECTIONS.iter().map(|(title, _)| *title);
            titles.filter(|title| wanted(title, &names)).collect::<Vec<_>>()
        };
        assert_eq!(chosen(&["server", "CLIENTS", "server"]), ["Server", "Clients"]);
        assert_eq!(chosen(&["nosuch"]), [""; 0]);
        assert_eq!(chosen(&[]).len(), SECTIONS.len() - 1);
        assert_eq!(chosen(&["default"]), chosen(&[]));
        assert_eq!(chosen(&["all"]), chosen(&[]));
        assert_eq!(chosen(&["everything"]).len(), SECTIONS.len());
        assert_eq!(chosen(&["all", "modules"]).len(), SECTIONS.len());
    }

    #[test]
    fn bytes_for_people_read_as_redis_prints_them() {
        assert_eq!(human(200), "200B");
        assert_eq!(human(1_173_576), "1.12M");
        assert_eq!(human(25_276_510_208), "23.54G");
        assert_eq!(human(u64::MAX), "16777216.00T");
    }
}
