//! Commands that Redis has and Ringfort refuses, each with the reason.
//!
//! They have rows, so that a client learns why instead of reading "unknown command". Everything
//! here would either put data at risk or let a client reach past the cluster: whoever may send
//! commands may not thereby change files, code or topology.

use keyspace::command::{Arg, ArgKind, Flags, Group, Keys};
use keyspace::{Args, Spec};
use resp::Reply;

use super::server::BASE;
use super::{Scope, ServerCommand, ServerRun};

/// The rows.
pub(super) const COMMANDS: &[ServerCommand] = &[
    row(Spec {
        name: "debug",
        since: "1.0.0",
        summary: "Is refused: it can damage data and stop the node.",
        arity: -2,
        flags: ADMIN.and(ANYTIME),
        ..BASE
    }),
    row(Spec {
        name: "failover",
        since: "6.2.0",
        summary: "Is refused: leadership moves by `ringfort admin`.",
        arity: -1,
        flags: ADMIN.and(Flags::STALE),
        args: FAILOVER,
        ..BASE
    }),
    row(Spec {
        name: "migrate",
        group: Group::Generic,
        since: "2.6.0",
        summary: "Is refused: slots move between shards by `ringfort admin`.",
        arity: -6,
        keys: Keys::Range { first: 3, last: 3, step: 1 },
        flags: Flags::WRITE.and(Flags::MOVABLE_KEYS).and(Flags::DANGEROUS),
        args: MIGRATE,
        ..BASE
    }),
    row(Spec {
        name: "monitor",
        since: "1.0.0",
        summary: "Is refused: it would show one client what all others send.",
        arity: 1,
        flags: ADMIN.and(ANYTIME),
        ..BASE
    }),
    row(Spec {
        name: "psync",
        since: "2.8.0",
        summary: "Is refused: replicas follow a replicated log on the peer port.",
        arity: -3,
        flags: ADMIN.and(Flags::NO_MULTI),
        args: &[Arg::new("replicationid", ArgKind::String), Arg::new("offset", ArgKind::Integer)],
        ..BASE
    }),
    row(Spec {
        name: "replicaof",
        since: "5.0.0",
        summary: "Is refused: the topology says who replicates whom.",
        arity: 3,
        flags: ADMIN.and(Flags::STALE),
        args: REPLICAOF,
        ..BASE
    }),
    row(Spec {
        name: "shutdown",
        since: "1.0.0",
        summary: "Is refused: whoever started the process stops it.",
        arity: -1,
        flags: ADMIN.and(ANYTIME).and(Flags::NO_MULTI),
        args: SHUTDOWN,
        ..BASE
    }),
    row(Spec {
        name: "slaveof",
        since: "1.0.0",
        summary: "Is refused: see REPLICAOF.",
        arity: 3,
        flags: ADMIN.and(Flags::STALE),
        args: REPLICAOF,
        ..BASE
    }),
    row(Spec {
        name: "sync",
        since: "1.0.0",
        summary: "Is refused: see PSYNC.",
        arity: 1,
        flags: ADMIN.and(Flags::NO_MULTI),
        ..BASE
    }),
];

const ADMIN: Flags = Flags::ADMIN.and(Flags::NOSCRIPT);

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE);

const FAILOVER: &[Arg] = &[
    Arg::new(
        "target",
        ArgKind::Block(&[
            Arg::new("host", ArgKind::String),
            Arg::new("port", ArgKind::Integer),
            Arg::keyword("force", "FORCE").optional(),
        ]),
    )
    .after("TO")
    .optional(),
    Arg::keyword("abort", "ABORT").optional(),
    Arg::new("milliseconds", ArgKind::Integer).after("TIMEOUT").optional(),
];

const MIGRATE: &[Arg] = &[
    Arg::new("host", ArgKind::String),
    Arg::new("port", ArgKind::Integer),
    Arg::new("which", ArgKind::OneOf(&[Arg::key("key"), Arg::keyword("empty-string", "")])),
    Arg::new("destination-db", ArgKind::Integer),
    Arg::new("timeout", ArgKind::Integer),
    Arg::keyword("copy", "COPY").optional(),
    Arg::keyword("replace", "REPLACE").optional(),
    Arg::new(
        "authentication",
        ArgKind::OneOf(&[
            Arg::new("password", ArgKind::String).after("AUTH").optional(),
            Arg::new(
                "credentials",
                ArgKind::Block(&[
                    Arg::new("username", ArgKind::String),
                    Arg::new("password", ArgKind::String),
                ]),
            )
            .after("AUTH2")
            .optional(),
        ]),
    )
    .optional(),
    Arg::key("key").after("KEYS").optional().multiple(),
];

const REPLICAOF: &[Arg] = &[Arg::new(
    "master",
    ArgKind::OneOf(&[
        Arg::new(
            "address",
            ArgKind::Block(&[
                Arg::new("host", ArgKind::String),
                Arg::new("port", ArgKind::Integer),
            ]),
        ),
        Arg::new("none", ArgKind::Block(&[Arg::keyword("no", "NO"), Arg::keyword("one", "ONE")])),
    ]),
)];

const SHUTDOWN: &[Arg] = &[
    Arg::new(
        "saving",
        ArgKind::OneOf(&[Arg::keyword("nosave", "NOSAVE"), Arg::keyword("save", "SAVE")]),
    )
    .optional(),
    Arg::keyword("now", "NOW").optional(),
    Arg::keyword("force", "FORCE").optional(),
    Arg::keyword("abort", "ABORT").optional(),
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

const fn row(spec: Spec) -> ServerCommand {
    ServerCommand { spec, run: ServerRun::Session(refuse) }
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
