//! CLUSTER, READONLY, READWRITE, ASKING.
//!
//! What is asked is answered from the topology and the group (`cluster_view`); what would change
//! the topology is refused, because the topology is replicated state that `ringfort admin` changes,
//! not a rumour that every node may start.

use std::sync::atomic::Ordering;

use keyspace::command::{Arg, ArgKind, Flags, Group, Keys};
use keyspace::slot::{SLOTS, slot_of};
use keyspace::{Args, Spec};
use resp::Reply;

use super::cluster_view::View;
use super::{Scope, ServerCommand, ServerRun, errors};

/// The family.
pub(super) const COMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "asking",
            since: "3.0.0",
            summary: "Lets the next command reach a slot that is being imported.",
            arity: 1,
            flags: Flags::FAST,
            ..BASE
        },
        run: ServerRun::Session(asking),
    },
    ServerCommand {
        spec: Spec {
            name: "cluster",
            since: "3.0.0",
            complexity: "Depends on subcommand.",
            summary: "Holds the commands about the cluster.",
            arity: -2,
            ..BASE
        },
        run: ServerRun::Container(SUBCOMMANDS),
    },
    ServerCommand {
        spec: Spec {
            name: "readonly",
            since: "3.0.0",
            summary: "Lets this connection read what a replica has, which may lag.",
            arity: 1,
            flags: MODE,
            ..BASE
        },
        run: ServerRun::Session(readonly),
    },
    ServerCommand {
        spec: Spec {
            name: "readwrite",
            since: "3.0.0",
            summary: "Ends READONLY.",
            arity: 1,
            flags: MODE,
            ..BASE
        },
        run: ServerRun::Session(readwrite),
    },
];

const SUBCOMMANDS: &[ServerCommand] = &[
    refused("addslots", "3.0.0", -3, &[SLOT.multiple()]),
    refused("addslotsrange", "7.0.0", -4, SLOT_RANGES),
    refused("bumpepoch", "3.0.0", 2, &[]),
    flagged(
        asked(
            "count-failure-reports",
            "3.0.0",
            NODES,
            "Counts the reports of a node's failure: none, as nodes do not gossip.",
            &[NODE_ID],
        ),
        Flags::ADMIN,
    ),
    asked("countkeysinslot", "3.0.0", "O(1)", "Counts the keys of a slot on this node.", &[SLOT]),
    refused("delslots", "3.0.0", -3, &[SLOT.multiple()]),
    refused("delslotsrange", "7.0.0", -4, SLOT_RANGES),
    refused("failover", "3.0.0", -2, FAILOVER),
    refused("flushslots", "3.0.0", 2, &[]),
    refused("forget", "3.0.0", 3, &[NODE_ID]),
    asked(
        "getkeysinslot",
        "3.0.0",
        "O(N) where N is the number of keys listed",
        "Lists keys of a slot on this node.",
        &[SLOT, Arg::new("count", ArgKind::Integer)],
    ),
    flagged(
        asked("help", "5.0.0", "O(1)", "Lists the subcommands of CLUSTER.", &[]),
        Flags::LOADING,
    ),
    asked("info", "3.0.0", NODES, "Tells whether the cluster serves all slots, and its size.", &[]),
    asked(
        "keyslot",
        "3.0.0",
        "O(N) where N is the number of bytes in the key",
        "Computes a key's slot.",
        &[Arg::new("key", ArgKind::String)],
    ),
    asked("links", "7.0.0", NODES, "Lists this node's links to its peers.", &[]),
    refused("meet", "3.0.0", -4, MEET),
    asked("myid", "3.0.0", "O(1)", "Returns this node's name.", &[]),
    asked("myshardid", "7.2.0", "O(1)", "Returns the name of this node's shard.", &[]),
    asked("nodes", "3.0.0", NODES, "Lists all nodes with their roles and slots.", &[]),
    flagged(
        asked("replicas", "5.0.0", NODES, "Lists a master's replicas.", &[NODE_ID]),
        Flags::ADMIN,
    ),
    refused("replicate", "3.0.0", 3, &[NODE_ID]),
    flagged(refused("reset", "3.0.0", -2, RESET), Flags::NOSCRIPT),
    refused("saveconfig", "3.0.0", 2, &[]),
    refused("set-config-epoch", "3.0.0", 3, &[Arg::new("config-epoch", ArgKind::Integer)]),
    refused("setslot", "3.0.0", -4, SETSLOT),
    asked("shards", "7.0.0", NODES, "Lists the shards with their slots and nodes.", &[]),
    flagged(
        asked("slaves", "3.0.0", NODES, "Lists a master's replicas, by an old name.", &[NODE_ID]),
        Flags::ADMIN,
    ),
    asked(
        "slots",
        "3.0.0",
        "O(N) where N is the number of ranges of slots",
        "Lists the ranges of slots with their nodes.",
        &[],
    ),
];

const BASE: Spec = Spec {
    name: "",
    group: Group::Cluster,
    since: "",
    complexity: "O(1)",
    summary: "",
    arity: 0,
    keys: Keys::None,
    flags: Flags::NONE,
    args: &[],
};

const MODE: Flags = Flags::FAST.and(Flags::LOADING).and(Flags::STALE);

const NODES: &str = "O(N) where N is the number of nodes";

const NODE_ID: Arg = Arg::new("node-id", ArgKind::String);
const SLOT: Arg = Arg::new("slot", ArgKind::Integer);

const SLOT_RANGES: &[Arg] = &[Arg::new(
    "range",
    ArgKind::Block(&[
        Arg::new("start-slot", ArgKind::Integer),
        Arg::new("end-slot", ArgKind::Integer),
    ]),
)
.multiple()];

const FAILOVER: &[Arg] = &[Arg::new(
    "options",
    ArgKind::OneOf(&[Arg::keyword("force", "FORCE"), Arg::keyword("takeover", "TAKEOVER")]),
)
.optional()];

const MEET: &[Arg] = &[
    Arg::new("ip", ArgKind::String),
    Arg::new("port", ArgKind::Integer),
    Arg::new("cluster-bus-port", ArgKind::Integer).optional(),
];

const RESET: &[Arg] = &[Arg::new(
    "how",
    ArgKind::OneOf(&[Arg::keyword("hard", "HARD"), Arg::keyword("soft", "SOFT")]),
)
.optional()];

const SETSLOT: &[Arg] = &[
    SLOT,
    Arg::new(
        "state",
        ArgKind::OneOf(&[
            NODE_ID.after("IMPORTING"),
            NODE_ID.after("MIGRATING"),
            NODE_ID.after("NODE"),
            Arg::keyword("stable", "STABLE"),
        ]),
    ),
];

const DISABLED: Reply<'static> = Reply::error("ERR This instance has cluster support disabled");

/// A question; its arguments are all required.
const fn asked(
    name: &'static str,
    since: &'static str,
    complexity: &'static str,
    summary: &'static str,
    args: &'static [Arg],
) -> ServerCommand {
    let spec = Spec {
        name,
        since,
        complexity,
        summary,
        arity: 2 + args.len() as i32,
        flags: Flags::STALE,
        args,
        ..BASE
    };
    ServerCommand { spec, run: ServerRun::Ordered(ask) }
}

/// The same row with more flags.
const fn flagged(row: ServerCommand, more: Flags) -> ServerCommand {
    let flags = row.spec.flags.and(more);
    ServerCommand { spec: Spec { flags, ..row.spec }, run: row.run }
}

/// A change of the topology.
const fn refused(
    name: &'static str,
    since: &'static str,
    arity: i32,
    args: &'static [Arg],
) -> ServerCommand {
    let spec = Spec {
        name,
        since,
        summary: "Is refused: the topology is changed by `ringfort admin`.",
        arity,
        flags: Flags::ADMIN.and(Flags::STALE),
        args,
        ..BASE
    };
    ServerCommand { spec, run: ServerRun::Session(refuse) }
}

fn asking(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    if !scope.node.clustered {
        return DISABLED;
    }
    scope.session.asking = true;
    Reply::OK
}

fn readonly(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    set_readonly(scope, true)
}

fn readwrite(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    set_readonly(scope, false)
}

fn set_readonly(scope: &mut Scope<'_>, readonly: bool) -> Reply<'static> {
    if !scope.node.clustered {
        return DISABLED;
    }
    scope.session.readonly = readonly;
    scope.session.client.readonly.store(readonly, Ordering::Relaxed);
    Reply::OK
}

fn refuse(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    if !scope.node.clustered {
        return DISABLED;
    }
    let name = errors::word(args[1]).to_ascii_uppercase();
    let instead = match name.as_str() {
        "FAILOVER" => "leadership is moved by `ringfort admin transfer-leader`",
        _ => "the topology is changed by `ringfort admin`",
    };
    Reply::Error(format!("ERR CLUSTER {name} is not available: {instead}").into())
}

/// All questions, behind the one gate they share.
fn ask(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let node = scope.node;
    if !node.clustered {
        return DISABLED;
    }
    let question = args[1].to_ascii_lowercase();
    let answer = match question.as_slice() {
        b"count-failure-reports" => View::of(node).find(args[2]).map(|_| Reply::Integer(0)),
        b"countkeysinslot" => slot(args[2]).map(|slot| count(node.keyspace.slot_len(slot))),
        b"getkeysinslot" => slot_and_count(args).map(|(slot, limit)| {
            let keys = node.keyspace.slot_keys(slot, limit).into_iter();
            Reply::Array(keys.map(|key| Reply::Bulk(key.into())).collect())
        }),
        b"help" => Ok(errors::help("CLUSTER", HELP)),
        b"info" => {
            let full_coverage = node.config.settings.requires_full_coverage();
            Ok(Reply::Verbatim("txt", View::of(node).info(full_coverage).into()))
        }
        b"keyslot" => Ok(Reply::Integer(slot_of(args[2]).into())),
        b"links" => Ok(View::of(node).links(node.started_at_ms)),
        b"myid" => Ok(text(node.topology.node_name(node.id))),
        b"myshardid" => Ok(text(node.topology.shard_name(node.shard))),
        b"nodes" => Ok(Reply::Verbatim("txt", View::of(node).nodes().into())),
        b"replicas" | b"slaves" => View::of(node).replicas(args[2]),
        b"shards" => Ok(View::of(node).shards()),
        b"slots" => Ok(View::of(node).slots()),
        _ => unreachable!("only rows of this table come here"),
    };
    answer.unwrap_or_else(|error| error)
}

fn slot(word: &[u8]) -> Result<u16, Reply<'static>> {
    let number = errors::integer(word)?;
    let slot = u16::try_from(number).ok().filter(|slot| *slot < SLOTS);
    slot.ok_or(Reply::error("ERR Invalid slot"))
}

fn slot_and_count(args: Args<'_>) -> Result<(u16, usize), Reply<'static>> {
    let number = errors::integer(args[2])?;
    let limit = errors::integer(args[3])?;
    let slot = u16::try_from(number).ok().filter(|slot| *slot < SLOTS);
    match (slot, usize::try_from(limit)) {
        (Some(slot), Ok(limit)) => Ok((slot, limit)),
        _ => Err(Reply::error("ERR Invalid slot or number of keys")),
    }
}

fn count(count: usize) -> Reply<'static> {
    Reply::Integer(i64::try_from(count).expect("keys fit in memory"))
}

fn text(text: String) -> Reply<'static> {
    Reply::Bulk(text.into_bytes().into())
}

const HELP: &[&str] = &[
    "COUNT-FAILURE-REPORTS <node-id>",
    "    Return 0: nodes do not report each other.",
    "COUNTKEYSINSLOT <slot>",
    "    Count the slot's keys on this node.",
    "GETKEYSINSLOT <slot> <count>",
    "    List keys of the slot on this node.",
    "INFO",
    "    Tell whether all slots are served, and the cluster's size.",
    "KEYSLOT <key>",
    "    Return the key's slot.",
    "LINKS",
    "    List this node's links to its peers.",
    "MYID",
    "    Return this node's name.",
    "MYSHARDID",
    "    Return the name of this node's shard.",
    "NODES",
    "    List all nodes, a line each:",
    "    <id> <host:port@peer-port> <flags> <master> 0 0 <epoch> <link> <slot> ...",
    "REPLICAS <node-id>",
    "    List the master's replicas.",
    "SHARDS",
    "    List the shards with their slots and nodes.",
    "SLOTS",
    "    List the ranges of slots, each with its master and replicas.",
];

#[cfg(test)]
mod tests {
    use super::super::testing::error_text;
    use super::*;

    #[test]
    fn slots_are_checked_with_redis_words() {
        assert_eq!(slot(b"16383"), Ok(16_383));
        assert_eq!(error_text(slot(b"16384")), "ERR Invalid slot");
        assert_eq!(error_text(slot(b"-1")), "ERR Invalid slot");
        assert_eq!(error_text(slot(b"x")), "ERR value is not an integer or out of range");
        let pair = |slot: &str, count: &str| {
            slot_and_count(&[b"cluster", b"getkeysinslot", slot.as_bytes(), count.as_bytes()])
        };
        assert_eq!(pair("0", "10"), Ok((0, 10)));
        let wrong = "ERR Invalid slot or number of keys";
        assert_eq!(error_text(pair("99999", "1")), wrong);
        assert_eq!(error_text(pair("1", "-1")), wrong);
        assert_eq!(error_text(pair("1", "x")), "ERR value is not an integer or out of range");
    }

    #[test]
    fn every_question_takes_all_its_arguments() {
        for row in SUBCOMMANDS.iter().filter(|row| matches!(row.run, ServerRun::Ordered(_))) {
            assert!(row.spec.accepts(2 + row.spec.args.len()), "{}", row.spec.name);
        }
    }
}
