//! SUBSCRIBE, PUBLISH and PUBSUB: the rows and what they answer. The lists are in `crate::pubsub`.

use keyspace::command::{Arg, ArgKind, Flags, Group, Keys};
use keyspace::{Args, Spec};
use resp::Reply;

use super::{Scope, ServerCommand, ServerRun, errors};
use crate::pubsub::{Kind, Subscriptions};
use crate::session::Session;
use crate::settings::Redirect;

const ANYTIME: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);

/// Those that change what is listened to.
const LISTENING: Flags = ANYTIME.and(Flags::NOSCRIPT);

const BASE: Spec = Spec {
    name: "",
    group: Group::PubSub,
    since: "2.0.0",
    complexity: "O(N) for N names",
    summary: "",
    arity: -2,
    keys: Keys::None,
    flags: LISTENING,
    args: &[],
};

const CHANNELS: &[Arg] = &[Arg::new("channel", ArgKind::String).multiple()];
const SHARD_CHANNELS: &[Arg] = &[Arg::new("shardchannel", ArgKind::String).multiple()];

/// Channels of shards have slots, as keys have.
const IN_SLOTS: Keys = Keys::Range { first: 1, last: -1, step: 1 };

/// The family.
pub(super) const COMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec { name: "subscribe", summary: "Listens to channels.", args: CHANNELS, ..BASE },
        run: ServerRun::Several(|scope, args| subscribe(scope, Kind::Channel, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "unsubscribe",
            summary: "Stops listening to channels, or to all of them.",
            arity: -1,
            args: &[Arg::new("channel", ArgKind::String).multiple().optional()],
            ..BASE
        },
        run: ServerRun::Several(|scope, args| unsubscribe(scope, Kind::Channel, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "psubscribe",
            summary: "Listens to the channels whose names match patterns.",
            args: &[Arg::new("pattern", ArgKind::Block(&[Arg::new("pattern", ArgKind::Pattern)]))
                .multiple()],
            ..BASE
        },
        run: ServerRun::Several(|scope, args| subscribe(scope, Kind::Pattern, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "punsubscribe",
            summary: "Stops listening to patterns, or to all of them.",
            arity: -1,
            args: &[Arg::new("pattern", ArgKind::Pattern).multiple().optional()],
            ..BASE
        },
        run: ServerRun::Several(|scope, args| unsubscribe(scope, Kind::Pattern, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "ssubscribe",
            since: "7.0.0",
            summary: "Listens to channels of this shard.",
            keys: IN_SLOTS,
            args: SHARD_CHANNELS,
            ..BASE
        },
        run: ServerRun::Several(|scope, args| subscribe(scope, Kind::Shard, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "sunsubscribe",
            since: "7.0.0",
            summary: "Stops listening to channels of this shard, or to all of them.",
            arity: -1,
            keys: IN_SLOTS,
            args: &[Arg::new("shardchannel", ArgKind::String).multiple().optional()],
            ..BASE
        },
        run: ServerRun::Several(|scope, args| unsubscribe(scope, Kind::Shard, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "publish",
            complexity: "O(N+M) for N listeners of the channel and M patterns of anyone",
            summary: "Sends a message to who listens to a channel, on all nodes.",
            arity: 3,
            flags: ANYTIME.and(Flags::FAST),
            args: &[Arg::new("channel", ArgKind::String), Arg::new("message", ArgKind::String)],
            ..BASE
        },
        run: ServerRun::Ordered(|scope, args| publish(scope, Kind::Channel, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "spublish",
            since: "7.0.0",
            complexity: "O(N) for N listeners of the channel",
            summary: "Sends a message to who listens to a channel of this shard.",
            arity: 3,
            keys: Keys::Range { first: 1, last: 1, step: 1 },
            flags: ANYTIME.and(Flags::FAST),
            args: &[
                Arg::new("shardchannel", ArgKind::String),
                Arg::new("message", ArgKind::String),
            ],
            ..BASE
        },
        run: ServerRun::Ordered(|scope, args| publish(scope, Kind::Shard, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "pubsub",
            since: "2.8.0",
            complexity: "Depends on the subcommand.",
            summary: "Holds the commands that look at subscriptions.",
            flags: Flags::NONE,
            ..BASE
        },
        run: ServerRun::Container(LOOKS),
    },
];

const LOOK: Spec = Spec { since: "2.8.0", flags: ANYTIME, ..BASE };

const LOOKS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "channels",
            summary: "Lists the channels that anyone of this node listens to.",
            args: &[Arg::new("pattern", ArgKind::Pattern).optional()],
            ..LOOK
        },
        run: ServerRun::Session(|scope, args| channels(scope, Kind::Channel, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "help",
            since: "6.2.0",
            complexity: "O(1)",
            summary: "Says what the subcommands are.",
            arity: 2,
            flags: Flags::LOADING.and(Flags::STALE),
            ..LOOK
        },
        run: ServerRun::Session(help),
    },
    ServerCommand {
        spec: Spec {
            name: "numpat",
            complexity: "O(1)",
            summary: "Counts the patterns that anyone of this node listens to.",
            arity: 2,
            ..LOOK
        },
        run: ServerRun::Session(|scope, _| integer(scope.node.pubsub.count(Kind::Pattern))),
    },
    ServerCommand {
        spec: Spec {
            name: "numsub",
            summary: "Counts who of this node listens to channels.",
            args: &[Arg::new("channel", ArgKind::String).multiple().optional()],
            ..LOOK
        },
        run: ServerRun::Session(|scope, args| listeners(scope, Kind::Channel, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "shardchannels",
            since: "7.0.0",
            summary: "Lists the channels of the shard that anyone of this node listens to.",
            args: &[Arg::new("pattern", ArgKind::Pattern).optional()],
            ..LOOK
        },
        run: ServerRun::Session(|scope, args| channels(scope, Kind::Shard, args)),
    },
    ServerCommand {
        spec: Spec {
            name: "shardnumsub",
            since: "7.0.0",
            summary: "Counts who of this node listens to channels of the shard.",
            args: &[Arg::new("shardchannel", ArgKind::String).multiple().optional()],
            ..LOOK
        },
        run: ServerRun::Session(|scope, args| listeners(scope, Kind::Shard, args)),
    },
];

fn integer(count: usize) -> Reply<'static> {
    Reply::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn bulk(bytes: &[u8]) -> Reply<'static> {
    Reply::Bulk(bytes.to_vec().into())
}

/// What is said about one name: the word, the name, and how many names are listened to now.
fn told(word: &'static str, name: Reply<'static>, count: usize) -> Reply<'static> {
    Reply::Push(vec![Reply::Bulk(word.as_bytes().into()), name, integer(count)])
}

fn subscribe(scope: &mut Scope<'_>, kind: Kind, args: Args<'_>) -> Vec<Reply<'static>> {
    let word = match kind {
        Kind::Channel => "subscribe",
        Kind::Pattern => "psubscribe",
        Kind::Shard => "ssubscribe",
    };
    let node = scope.node;
    let client = scope.session.client.clone();
    let subscriptions = scope.session.subscriptions.get_or_insert_with(|| {
        let settings = node.config.settings.clone();
        Box::new(Subscriptions::new(node.pubsub.clone(), client, settings))
    });
    let add = |name: &&[u8]| {
        subscriptions.add(kind, name);
        told(word, bulk(name), subscriptions.count(kind))
    };
    args[1..].iter().map(add).collect()
}

fn unsubscribe(scope: &mut Scope<'_>, kind: Kind, args: Args<'_>) -> Vec<Reply<'static>> {
    let word = match kind {
        Kind::Channel => "unsubscribe",
        Kind::Pattern => "punsubscribe",
        Kind::Shard => "sunsubscribe",
    };
    let mut subscriptions = scope.session.subscriptions.as_mut();
    let names: Vec<Vec<u8>> = match &subscriptions {
        _ if args.len() > 1 => args[1..].iter().map(|name| name.to_vec()).collect(),
        Some(subscriptions) => subscriptions.names(kind),
        None => Vec::new(),
    };
    let count = |subscriptions: &Option<&mut Box<Subscriptions>>| {
        subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.count(kind))
    };
    let mut replies = Vec::with_capacity(names.len().max(1));
    if names.is_empty() {
        replies.push(told(word, Reply::Null, count(&subscriptions)));
    }
    for name in names {
        if let Some(subscriptions) = &mut subscriptions {
            subscriptions.remove(kind, &name);
        }
        replies.push(told(word, Reply::Bulk(name.into()), count(&subscriptions)));
    }
    replies
}

/// Whether a client that speaks RESP2 listens: then it may do little else, since it could not tell
/// a message from a reply.
pub fn only_listens(session: &Session) -> bool {
    session.protocol == resp::Protocol::Resp2
        && session.subscriptions.as_ref().is_some_and(|subscriptions| !subscriptions.is_empty())
}

/// The refusal of what [`only_listens`] forbids.
pub fn refused_while_listening(spec: &Spec) -> Option<Reply<'static>> {
    const ALLOWED: [&str; 9] = [
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "ssubscribe",
        "sunsubscribe",
        "ping",
        "quit",
        "reset",
    ];
    let refused = !ALLOWED.contains(&spec.name);
    refused.then(|| {
        let name = super::table::full_name(spec);
        let text = format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
             RESET are allowed in this context"
        );
        Reply::Error(text.into())
    })
}

fn publish(scope: &mut Scope<'_>, kind: Kind, args: Args<'_>) -> Reply<'static> {
    let (node, channel, message) = (scope.node, args[1], args[2]);
    let receivers = node.pubsub.publish(kind, channel, message);
    if node.clustered {
        // With forwarding on, any node may have listeners of any shard.
        let everywhere =
            kind != Kind::Shard || node.config.settings.redirect() == Redirect::Forward;
        let owner = node.topology.owner(keyspace::slot::slot_of(channel));
        let others = node.topology.replicas().filter(|(shard, replica)| {
            replica.node_id != node.id && (everywhere || shard.id == owner)
        });
        node.spread.publish(others.map(|(_, other)| other.node_id), kind, channel, message);
    }
    integer(receivers)
}

fn channels(scope: &mut Scope<'_>, kind: Kind, args: Args<'_>) -> Reply<'static> {
    match args[2..] {
        [] | [_] => {
            let names = scope.node.pubsub.names(kind, args.get(2).copied());
            Reply::Array(names.into_iter().map(|name| Reply::Bulk(name.into())).collect())
        }
        _ => {
            let word = errors::word(args[1]);
            let text = format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try PUBSUB HELP."
            );
            Reply::Error(text.into())
        }
    }
}

fn listeners(scope: &mut Scope<'_>, kind: Kind, args: Args<'_>) -> Reply<'static> {
    let one = |name: &&[u8]| [bulk(name), integer(scope.node.pubsub.listeners(kind, name))];
    Reply::Array(args[2..].iter().flat_map(one).collect())
}

fn help(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    errors::help(
        "PUBSUB",
        &[
            "CHANNELS [<pattern>]",
            "    Lists the channels listened to here, or those of them that match.",
            "NUMPAT",
            "    Counts the patterns listened to here.",
            "NUMSUB [<channel> ...]",
            "    Counts who listens to these channels here, but for those who do by a pattern.",
            "SHARDCHANNELS [<pattern>]",
            "    Lists the shard's channels listened to here, or those of them that match.",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Counts who listens to these channels of the shard here.",
        ],
    )
}
