//! PING, ECHO, QUIT, RESET, SELECT, and the rows of AUTH and HELLO.
//!
//! Leaves out CLIENT (`client`) and what AUTH and HELLO do (`auth`).

use std::sync::atomic::Ordering;

use keyspace::command::{Arg, ArgKind, Flags, Group, Keys};
use keyspace::{Args, Spec};
use resp::Reply;

use super::{Scope, ServerCommand, ServerRun, auth, client, errors};

/// The family.
pub(super) const COMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "auth",
            since: "1.0.0",
            complexity: "O(N) where N is the number of passwords of the user",
            summary: "Proves who the client is by a password.",
            arity: -2,
            flags: BEFORE_AUTH,
            args: &[
                Arg::new("username", ArgKind::String).optional(),
                Arg::new("password", ArgKind::String),
            ],
            ..BASE
        },
        run: ServerRun::Session(auth::auth),
    },
    client::CLIENT,
    ServerCommand {
        spec: Spec {
            name: "echo",
            since: "1.0.0",
            summary: "Returns the given string.",
            arity: 2,
            flags: ANYTIME,
            args: &[Arg::new("message", ArgKind::String)],
            ..BASE
        },
        run: ServerRun::Session(echo),
    },
    ServerCommand {
        spec: Spec {
            name: "hello",
            since: "6.0.0",
            summary: "Introduces the client and chooses the protocol's version.",
            arity: -1,
            flags: BEFORE_AUTH,
            args: HELLO_ARGS,
            ..BASE
        },
        run: ServerRun::Session(auth::hello),
    },
    ServerCommand {
        spec: Spec {
            name: "ping",
            since: "1.0.0",
            summary: "Answers PONG, or the given string.",
            arity: -1,
            flags: Flags::FAST,
            args: &[Arg::new("message", ArgKind::String).optional()],
            ..BASE
        },
        run: ServerRun::Session(ping),
    },
    ServerCommand {
        spec: Spec {
            name: "quit",
            since: "1.0.0",
            summary: "Closes the connection after the replies that are due.",
            arity: -1,
            flags: BEFORE_AUTH,
            ..BASE
        },
        run: ServerRun::Session(quit),
    },
    ServerCommand {
        spec: Spec {
            name: "reset",
            since: "6.2.0",
            summary: "Makes the connection's state as it was at its start.",
            arity: 1,
            flags: BEFORE_AUTH,
            ..BASE
        },
        run: ServerRun::Session(reset),
    },
    ServerCommand {
        spec: Spec {
            name: "select",
            since: "1.0.0",
            summary: "Changes the selected database.",
            arity: 2,
            flags: ANYTIME,
            args: &[Arg::new("index", ArgKind::Integer)],
            ..BASE
        },
        run: ServerRun::Session(select),
    },
];

/// What all rows of the family share.
pub(super) const BASE: Spec = Spec {
    name: "",
    group: Group::Connection,
    since: "",
    complexity: "O(1)",
    summary: "",
    arity: 0,
    keys: Keys::None,
    flags: Flags::NONE,
    args: &[],
};

/// Harmless, so allowed while data is loading or stale.
const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE).and(Flags::FAST);

/// Allowed before AUTH.
const BEFORE_AUTH: Flags = ANYTIME.and(Flags::NOSCRIPT).and(Flags::NO_AUTH);

const HELLO_ARGS: &[Arg] = &[Arg::new(
    "arguments",
    ArgKind::Block(&[
        Arg::new("protover", ArgKind::Integer),
        Arg::new(
            "auth",
            ArgKind::Block(&[
                Arg::new("username", ArgKind::String),
                Arg::new("password", ArgKind::String),
            ]),
        )
        .optional()
        .after("AUTH"),
        Arg::new("clientname", ArgKind::String).optional().after("SETNAME"),
    ]),
)
.optional()];

fn echo(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    Reply::Bulk(args[1].to_vec().into())
}

fn ping(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    match args {
        // As a message, which is all that such a client expects.
        [_] | [_, _] if super::only_listens(scope.session) => {
            let message = args.get(1).map_or(Vec::new(), |message| message.to_vec());
            Reply::Array(vec![Reply::Bulk(b"pong".into()), Reply::Bulk(message.into())])
        }
        [_] => Reply::Status("PONG".into()),
        [_, message] => Reply::Bulk(message.to_vec().into()),
        // The arity has no upper bound because Redis' has none.
        _ => errors::wrong_arguments("ping"),
    }
}

fn quit(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    scope.session.closing = true;
    Reply::OK
}

fn reset(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    if let Some(watch) = scope.session.watch.take() {
        scope.node.forget_watch(&watch);
    }
    scope.session.reset(!scope.node.config.settings.requires_password());
    let client = &scope.session.client;
    for flag in [&client.readonly, &client.no_evict, &client.no_touch] {
        flag.store(false, Ordering::Relaxed);
    }
    client.watch_len.store(0, Ordering::Relaxed);
    Reply::Status("RESET".into())
}

fn select(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let settings = &scope.node.config.settings;
    match database(args[1], settings.databases(), settings.cluster_enabled()) {
        Ok(db) => {
            scope.session.select(db);
            Reply::OK
        }
        Err(error) => error,
    }
}

/// The database that a SELECT names.
fn database(index: &[u8], databases: u8, cluster: bool) -> Result<u8, Reply<'static>> {
    let index = errors::integer(index)?;
    if i32::try_from(index).is_err() {
        return Err(Reply::error(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    if cluster && index != 0 {
        return Err(Reply::error("ERR SELECT is not allowed in cluster mode"));
    }
    match u8::try_from(index) {
        Ok(db) if db < databases => Ok(db),
        _ => Err(Reply::error("ERR DB index is out of range")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn select_takes_what_redis_takes() {
        let error = |index: &str, cluster| match database(index.as_bytes(), 16, cluster) {
            Err(Reply::Error(text)) => text.into_owned(),
            other => panic!("{other:?}"),
        };
        assert_eq!(database(b"15", 16, false), Ok(15));
        assert_eq!(database(b"0", 16, true), Ok(0));
        assert_eq!(error("16", false), "ERR DB index is out of range");
        assert_eq!(error("-1", false), "ERR DB index is out of range");
        assert_eq!(error("1", true), "ERR SELECT is not allowed in cluster mode");
        assert_eq!(error("x", true), "ERR value is not an integer or out of range");
        assert_eq!(error("01", false), "ERR value is not an integer or out of range");
        assert_eq!(
            error("99999999999", false),
            "ERR value is out of range, value must between -2147483648 and 2147483647"
        );
    }
}
