//! Commands that Redis has and Ringfort refuses, each with the reason.
//!
//! They have rows, so that a client learns why instead of reading "unknown command". Everything
//! here would either put data at risk or let a client reach past the cluster: whoever may send
//! commands may not thereby change files, code or topology.

use keyspace::command::Flags;
use keyspace::{Args, Spec};
use resp::Reply;

use super::server::BASE;
use super::{Scope, ServerCommand, ServerRun};

/// The rows.
pub(super) const COMMANDS: &[ServerCommand] = &[
    row("debug", "1.0.0", -2, "Is refused: it can damage data and stop the node."),
    row("failover", "6.2.0", -1, "Is refused: leadership moves by `ringfort admin`."),
    row("migrate", "2.6.0", -6, "Is refused: slots move between shards by `ringfort admin`."),
    row("monitor", "1.0.0", 1, "Is refused: it would show one client what all others send."),
    row("psync", "2.8.0", -3, "Is refused: replicas follow a replicated log on the peer port."),
    row("replicaof", "5.0.0", 3, "Is refused: the topology says who replicates whom."),
    row("shutdown", "1.0.0", -1, "Is refused: whoever started the process stops it."),
    row("slaveof", "1.0.0", 3, "Is refused: see REPLICAOF."),
    row("sync", "1.0.0", 1, "Is refused: see PSYNC."),
];

/// What a client reads.
const REASONS: &[(&str, &str)] = &[
    ("debug", "ERR DEBUG is not available: it can damage data and stop the node"),
    ("failover", "ERR FAILOVER is not available: use `ringfort admin transfer-leader`"),
    (
        "migrate",
        "ERR MIGRATE is not available: slots move between shards by `ringfort admin scale`",
    ),
    ("monitor", "ERR MONITOR is not available: it would show one client what all others send"),
    (
        "psync",
        "ERR PSYNC is not available: replicas follow a replicated log and are added by \
         `ringfort admin replicas`",
    ),
    (
        "replicaof",
        "ERR REPLICAOF is not available: the topology says who replicates whom; see \
         `ringfort admin status`",
    ),
    ("shutdown", "ERR SHUTDOWN is not available: stop the process with SIGTERM"),
    (
        "slaveof",
        "ERR SLAVEOF is not available: the topology says who replicates whom; see \
         `ringfort admin status`",
    ),
    (
        "sync",
        "ERR SYNC is not available: replicas follow a replicated log and are added by \
         `ringfort admin replicas`",
    ),
];

const fn row(
    name: &'static str,
    since: &'static str,
    arity: i32,
    summary: &'static str,
) -> ServerCommand {
    let flags = Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_MULTI);
    ServerCommand {
        spec: Spec { name, since, arity, summary, flags, ..BASE },
        run: ServerRun::Session(refuse),
    }
}

/// Whether a command is one of these.
pub(super) fn is_refused(spec: &Spec) -> bool {
    COMMANDS.iter().any(|row| row.spec.name == spec.name && row.spec.summary == spec.summary)
}

fn refuse(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let named = |(name, _): &&(&str, &str)| args[0].eq_ignore_ascii_case(name.as_bytes());
    let (_, reason) = REASONS.iter().find(named).expect("every row has a reason; tested");
    Reply::error(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_reason() {
        let rows: Vec<_> = COMMANDS.iter().map(|row| row.spec.name).collect();
        let reasons: Vec<_> = REASONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(rows, reasons);
    }
}
