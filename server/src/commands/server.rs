//! The rows of the server family, and its small commands: TIME, SAVE, BGSAVE.
//!
//! Leaves out what has its own file: CONFIG (`config`), COMMAND (`command`), INFO (`info`), FUNCTION
//! (`function`), MODULE (`module`), ROLE and WAIT (`replication`), and what is refused (`refused`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use keyspace::command::{Arg, ArgKind, Flags, Group, Keys};
use keyspace::{Args, Spec};
use resp::Reply;

use super::{
    Scope, ServerCommand, ServerRun, command, config, errors, function, info, module, replication,
};

/// The family.
pub(super) const COMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "bgsave",
            since: "1.0.0",
            summary: "Makes a checkpoint of this node's data in the background.",
            arity: -1,
            flags: SAVING,
            args: &[Arg::keyword("schedule", "SCHEDULE").optional()],
            ..BASE
        },
        run: ServerRun::Ordered(bgsave),
    },
    command::COMMAND,
    config::CONFIG,
    ServerCommand {
        spec: Spec {
            name: "info",
            since: "1.0.0",
            summary: "Describes the node: versions, clients, memory, replication, keys.",
            arity: -1,
            flags: Flags::LOADING.and(Flags::STALE).and(Flags::DANGEROUS),
            args: &[Arg::new("section", ArgKind::String).multiple().optional()],
            ..BASE
        },
        run: ServerRun::Ordered(info::info),
    },
    function::FUNCTION,
    module::MODULE,
    ServerCommand {
        spec: Spec {
            name: "role",
            since: "2.8.12",
            summary: "Tells whether this node leads its shard, and who follows whom.",
            arity: 1,
            flags: Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST),
            ..BASE
        },
        run: ServerRun::Ordered(replication::role),
    },
    ServerCommand {
        spec: Spec {
            name: "save",
            since: "1.0.0",
            complexity: "O(N) where N is the number of keys changed since the last checkpoint",
            summary: "Makes a checkpoint of this node's data and waits until it is on disk.",
            arity: 1,
            flags: SAVING.and(Flags::NO_MULTI),
            ..BASE
        },
        run: ServerRun::Deferred(save, None),
    },
    ServerCommand {
        spec: Spec {
            name: "time",
            since: "2.6.0",
            summary: "Returns the node's clock.",
            arity: 1,
            flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
            ..BASE
        },
        run: ServerRun::Session(time),
    },
    ServerCommand {
        spec: Spec {
            name: "wait",
            group: Group::Generic,
            since: "3.0.0",
            summary: "Waits until replicas have this connection's last write on disk.",
            arity: 3,
            flags: Flags::NOSCRIPT,
            args: &[
                Arg::new("numreplicas", ArgKind::Integer),
                Arg::new("timeout", ArgKind::Integer),
            ],
            ..BASE
        },
        run: ServerRun::Deferred(replication::wait, Some(replication::wait_no_longer)),
    },
];

/// What all rows of the family share.
pub(super) const BASE: Spec = Spec {
    name: "",
    group: Group::Server,
    since: "",
    complexity: "O(1)",
    summary: "",
    arity: 0,
    keys: Keys::None,
    flags: Flags::NONE,
    args: &[],
};

const SAVING: Flags = Flags::ADMIN.and(Flags::NOSCRIPT);

/// A background checkpoint of this process is under way: clients cannot pile up more.
static SAVING_NOW: AtomicBool = AtomicBool::new(false);

fn time(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    // A clock before 1970 is broken; it reads as 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let digits = |number: String| Reply::Bulk(number.into_bytes().into());
    Reply::Array(vec![digits(now.as_secs().to_string()), digits(now.subsec_micros().to_string())])
}

fn save(scope: &mut Scope<'_>, _: Args<'_>) -> LocalBoxFuture<'static, Reply<'static>> {
    let node = scope.node.clone();
    async move {
        match node.group.checkpoint_now().await {
            Ok(()) => Reply::OK,
            Err(trouble) => Reply::Error(format!("ERR the checkpoint failed: {trouble}").into()),
        }
    }
    .boxed_local()
}

fn bgsave(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    match args {
        [_] => {}
        [_, word] if word.eq_ignore_ascii_case(b"SCHEDULE") => {}
        _ => return errors::SYNTAX,
    }
    if SAVING_NOW.swap(true, Ordering::AcqRel) {
        return Reply::error("ERR Background save already in progress");
    }
    let node = scope.node.clone();
    tokio::spawn(async move {
        if let Err(trouble) = node.group.checkpoint_now().await {
            tracing::error!("the checkpoint that BGSAVE asked for failed: {trouble}");
        }
        SAVING_NOW.store(false, Ordering::Release);
    });
    Reply::Status("Background saving started".into())
}

/// Whether BGSAVE is under way.
pub(super) fn saving_now() -> bool {
    SAVING_NOW.load(Ordering::Acquire)
}
