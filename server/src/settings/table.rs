//! The table of settings: one row each, from which names, defaults, checks and docs are derived.
//!
//! Invariant: `ROWS[id as usize].id == id`, checked when this file is compiled. Names are Redis'
//! where the meaning is the same.

/// Names a row, whose `about` says what it is; also the index of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Requirepass,
    Maxclients,
    Timeout,
    TcpKeepalive,
    ProtoMaxBulkLen,
    ClientQueryBufferLimit,
    ClientOutputBufferLimit,
    Maxmemory,
    MaxmemoryPolicy,
    Fsync,
    Appendfsync,
    Appendonly,
    Save,
    Databases,
    IoThreads,
    ReadConsistency,
    Redirect,
    ForwardTimeoutMs,
    ClusterEnabled,
    ClusterNodeTimeout,
    ClusterRequireFullCoverage,
    RaftHeartbeatMs,
    RaftElectionMs,
    CheckpointEntries,
    CheckpointLogBytes,
    BatchBytesMax,
    BatchCommandsMax,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `yes` or `no`.
    Bool,
    /// A decimal number, both ends included.
    Integer {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A number of bytes with an optional unit: `k` 1000, `kb` 1024, `m`, `mb`, `g`, `gb`.
    Bytes {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `class hard soft seconds` for one or more of the classes normal, replica and pubsub.
    OutputLimits,
    /// A password: shown by CONFIG GET, never in a log.
    Secret,
    /// Another row under the name that Redis gives it.
    Alias(Id),
}

/// When a value may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// At any time, by CONFIG SET.
    Live,
    /// By the configuration file or `--set`, before the node starts.
    AtStart,
    /// Never: it reports how the node is.
    Never,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Which.
    pub(crate) id: Id,
    /// Its name in files, on the command line and in CONFIG.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: Kind,
    /// What it is if nobody says otherwise, in the form in which a user writes it.
    pub(crate) default: &'static str,
    /// When it may change.
    pub(crate) change: Change,
    /// One sentence for the docs.
    pub(crate) about: &'static str,
}

/// Redis' bounds for limits on buffers: below 1 MiB a client could not send an ordinary request.
const BUFFER_BYTES: Kind = Kind::Bytes { min: 1 << 20, max: i64::MAX as u64 };

/// Redis keeps durations in an `int`.
const SECONDS: Kind = Kind::Integer { min: 0, max: i32::MAX as u64 };

/// The words of `fsync`, in the order of [`super::Fsync`].
pub(super) const FSYNC: &[&str] = &["everysec", "always", "no"];
/// The words of `read-consistency`, in the order of [`super::ReadConsistency`].
pub(super) const READ_CONSISTENCY: &[&str] = &["lease", "read-index"];
/// The words of `redirect`, in the order of [`super::Redirect`].
pub(super) const REDIRECT: &[&str] = &["moved", "forward"];
/// The words of `maxmemory-policy`, in the order of [`super::MemoryPolicy`].
pub(super) const MEMORY_POLICY: &[&str] = &["noeviction"];

/// All settings.
pub(crate) const ROWS: &[Row] = &[
    Row {
        id: Id::Requirepass,
        name: "requirepass",
        kind: Kind::Secret,
        default: "",
        change: Change::Live,
        about: "The password that AUTH and HELLO must give; empty asks for none.",
    },
    Row {
        id: Id::Maxclients,
        name: "maxclients",
        kind: Kind::Integer { min: 1, max: u32::MAX as u64 },
        default: "10000",
        change: Change::Live,
        about: "Connections served at once; one more is told so and closed.",
    },
    Row {
        id: Id::Timeout,
        name: "timeout",
        kind: SECONDS,
        default: "0",
        change: Change::Live,
        about: "Seconds after which an idle client is closed; 0 is never.",
    },
    Row {
        id: Id::TcpKeepalive,
        name: "tcp-keepalive",
        kind: SECONDS,
        default: "300",
        change: Change::Live,
        about: "Seconds of silence after which TCP probes a new client's connection; 0 is never.",
    },
    Row {
        id: Id::ProtoMaxBulkLen,
        name: "proto-max-bulk-len",
        kind: BUFFER_BYTES,
        default: "512mb",
        change: Change::Live,
        about: "The longest single argument, and the longest value a string may grow to.",
    },
    Row {
        id: Id::ClientQueryBufferLimit,
        name: "client-query-buffer-limit",
        kind: BUFFER_BYTES,
        default: "1gb",
        change: Change::Live,
        about: "The most bytes of unfinished requests held for one client before it is closed.",
    },
    Row {
        id: Id::ClientOutputBufferLimit,
        name: "client-output-buffer-limit",
        kind: Kind::OutputLimits,
        // Redis sets no limit for normal clients, and one that does not read can take all its
        // memory. These are Redis' numbers for replicas, whose largest replies are of that order.
        default: "normal 256mb 64mb 60 replica 256mb 64mb 60 pubsub 32mb 8mb 60",
        change: Change::Live,
        about: "Bytes of unread replies at which a client is closed, for each class: at once above \
                the first, above the second after that many seconds; unlike Redis, normal clients \
                are bounded too.",
    },
    Row {
        id: Id::Maxmemory,
        name: "maxmemory",
        kind: Kind::Bytes { min: 0, max: i64::MAX as u64 },
        default: "0",
        change: Change::Live,
        about: "Bytes of data above which commands that may add more are refused; 0 is no limit.",
    },
    Row {
        id: Id::MaxmemoryPolicy,
        name: "maxmemory-policy",
        kind: Kind::Choice(MEMORY_POLICY),
        default: "noeviction",
        change: Change::Live,
        about: "What happens at maxmemory: keys are never dropped, commands are refused.",
    },
    Row {
        id: Id::Fsync,
        name: "fsync",
        kind: Kind::Choice(FSYNC),
        default: "always",
        change: Change::AtStart,
        about: "When a write is on disk: always is before it is answered; with everysec a power \
                cut of a quorum's machines can lose about a second of answered writes, with no \
                whatever the kernel had not written yet.",
    },
    Row {
        id: Id::Appendfsync,
        name: "appendfsync",
        kind: Kind::Alias(Id::Fsync),
        default: "",
        change: Change::AtStart,
        about: "Redis' name for fsync.",
    },
    Row {
        id: Id::Appendonly,
        name: "appendonly",
        kind: Kind::Bool,
        default: "yes",
        change: Change::Never,
        about: "Always yes: every write goes to the replicated log.",
    },
    Row {
        id: Id::Save,
        name: "save",
        kind: Kind::Choice(&[""]),
        default: "",
        change: Change::Never,
        about: "Always empty: checkpoints follow the log's growth, not a timetable.",
    },
    Row {
        id: Id::Databases,
        name: "databases",
        // A database's number is one byte in the log's entries, and 16 is what the keyspace maps.
        kind: Kind::Integer { min: 1, max: 16 },
        default: "16",
        change: Change::AtStart,
        about: "Databases that SELECT knows on a standalone node; a cluster has one.",
    },
    Row {
        id: Id::IoThreads,
        name: "io-threads",
        // Redis' own bound.
        kind: Kind::Integer { min: 0, max: 128 },
        default: "0",
        change: Change::AtStart,
        about: "Threads that serve clients; 0 is one for every two cores.",
    },
    Row {
        id: Id::ReadConsistency,
        name: "read-consistency",
        kind: Kind::Choice(READ_CONSISTENCY),
        default: "lease",
        change: Change::Live,
        about: "How a leader makes sure that it still leads before it reads: lease trusts that \
                clocks run at about the same rate, read-index asks a quorum each time.",
    },
    Row {
        id: Id::Redirect,
        name: "redirect",
        kind: Kind::Choice(REDIRECT),
        default: "moved",
        change: Change::Live,
        about: "What a client gets that asks for another shard's key: moved tells it where to go, \
                forward fetches the answer for it.",
    },
    Row {
        id: Id::ForwardTimeoutMs,
        name: "forward-timeout-ms",
        kind: Kind::Integer { min: 10, max: 600_000 },
        // Long enough for an election and its retry, short enough for clients' own timeouts.
        default: "5000",
        change: Change::Live,
        about: "Milliseconds that a forwarded command waits for its answer.",
    },
    Row {
        id: Id::ClusterEnabled,
        name: "cluster-enabled",
        kind: Kind::Bool,
        default: "no",
        change: Change::Never,
        about: "Whether this node was started as part of a cluster.",
    },
    Row {
        id: Id::ClusterNodeTimeout,
        name: "cluster-node-timeout",
        kind: Kind::Alias(Id::RaftElectionMs),
        default: "",
        change: Change::AtStart,
        about: "Redis' name for raft-election-ms.",
    },
    Row {
        id: Id::ClusterRequireFullCoverage,
        name: "cluster-require-full-coverage",
        kind: Kind::Bool,
        default: "yes",
        change: Change::Live,
        about: "Whether CLUSTER INFO says fail while any shard has no leader; the other shards serve \
                either way.",
    },
    Row {
        id: Id::RaftHeartbeatMs,
        name: "raft-heartbeat-ms",
        kind: Kind::Integer { min: 5, max: 60_000 },
        // Short beside the patience below, so that four in a row may be late or lost, as happens
        // when the processors are saturated.
        default: "75",
        change: Change::AtStart,
        about: "Milliseconds between a leader's heartbeats.",
    },
    Row {
        id: Id::RaftElectionMs,
        name: "raft-election-ms",
        kind: Kind::Integer { min: 20, max: 600_000 },
        // An outage of about half a second after a leader's death.
        default: "450",
        change: Change::AtStart,
        about: "Milliseconds without a leader after which a replica may stand for election; each \
                waits a random time between this and half as much again; the same on all nodes.",
    },
    Row {
        id: Id::CheckpointEntries,
        name: "checkpoint-entries",
        kind: Kind::Integer { min: 10, max: i64::MAX as u64 },
        default: "100000",
        change: Change::AtStart,
        about: "Log entries (batches of commands) after which the state is checkpointed and the \
                log shortened.",
    },
    Row {
        id: Id::CheckpointLogBytes,
        name: "checkpoint-log-bytes",
        kind: Kind::Bytes { min: 64 << 10, max: i64::MAX as u64 },
        // Four segments of the log: a restart replays them in about a second.
        default: "256mb",
        change: Change::AtStart,
        about: "Bytes of log after which the state is checkpointed, if that comes first.",
    },
    Row {
        id: Id::BatchBytesMax,
        name: "batch-bytes-max",
        kind: Kind::Bytes { min: 1024, max: 64 << 20 },
        // A quarter of what gRPC takes in one message, so that several batches fit.
        default: "1mb",
        change: Change::Live,
        about: "Bytes at which a batch of writes is closed; a larger command is a batch alone.",
    },
    Row {
        id: Id::BatchCommandsMax,
        name: "batch-commands-max",
        kind: Kind::Integer { min: 1, max: 1_000_000 },
        // Three times what 50 clients with pipelines of 64 have in flight.
        default: "10000",
        change: Change::Live,
        about: "Commands at which a batch of writes is closed.",
    },
];

/// How many settings there are.
pub(super) const COUNT: usize = ROWS.len();

const _: () = {
    let mut index = 0;
    while index < ROWS.len() {
        assert!(ROWS[index].id as usize == index, "rows stand in the order of Id");
        index += 1;
    }
    assert!(Id::BatchCommandsMax as usize + 1 == ROWS.len(), "every Id has a row");
};

impl Id {
    /// Its row.
    pub(crate) const fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }
}

/// The row of that name, case ignored as everywhere in Redis' configuration.
pub(crate) fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `RINGFORT_BLESS=1 cargo test` writes the page anew.
    #[test]
    fn the_page_of_settings_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
        if std::env::var_os("RINGFORT_BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(page, markdown(), "docs/settings.md is stale: RINGFORT_BLESS=1 writes it");
    }

    /// What values a row takes, in words.
    fn values(row: &Row) -> String {
        match row.kind {
            Kind::Bool => "yes or no".into(),
            Kind::Integer { min, max } if max >= i32::MAX as u64 => format!("a number from {min}"),
            Kind::Integer { min, max } => format!("{min} to {max}"),
            Kind::Bytes { .. } => "bytes, with kb, mb or gb".into(),
            Kind::Choice(words) => words.join(", "),
            Kind::OutputLimits => "class hard soft seconds, repeated".into(),
            Kind::Secret => "any text".into(),
            Kind::Alias(id) => format!("as {}", id.row().name),
        }
    }

    /// What `docs/settings.md` has to be.
    fn markdown() -> String {
        let mut page = String::from(
            "# Settings\n\nWritten from the table in `server/src/settings/table.rs`; change it there.\n\n\
             A setting can be given in the configuration file under `[settings]`, on the command line \
             as `--set name=value`, and, where the table says *live*, by `CONFIG SET` while the node \
             runs.\n\n| name | values | default | changes | |\n|---|---|---|---|---|\n",
        );
        for row in ROWS {
            let changes = match row.change {
                Change::Live => "live",
                Change::AtStart => "at start",
                Change::Never => "never",
            };
            let default =
                if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
            page.push_str(&format!(
                "| `{}` | {} | {} | {} | {} |\n",
                row.name,
                values(row),
                default,
                changes,
                row.about
            ));
        }
        page.push_str(
            "\n## Sizes of encodings\n\nReplicated within a shard, since replicas must store alike: \
             `CONFIG SET` on any node changes them for its shard, and what a configuration file asks \
             for is set when its node first leads.\n\n\
             | name | older name | default | |\n|---|---|---|---|\n",
        );
        for row in &keyspace::limits::LIMITS {
            let alias = row.alias.map_or(String::new(), |alias| format!("`{alias}`"));
            page.push_str(&format!(
                "| `{}` | {alias} | `{}` | {} |\n",
                row.name, row.default, row.about
            ));
        }
        page
    }
}
