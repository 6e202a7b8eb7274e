//! CLIENT's rows, and the subcommands that touch only the client's own session.
//!
//! Leaves out LIST and KILL, which look at everyone (`client_list`).

use std::sync::atomic::{AtomicBool, Ordering};

use keyspace::command::{Arg, ArgKind, Flags};
use keyspace::{Args, Spec};
use resp::Reply;

use super::connection::BASE;
use super::{Scope, ServerCommand, ServerRun, client_list, errors};
use crate::blocked::Ending;
use crate::session::ReplyMode;

/// The container.
pub(super) const CLIENT: ServerCommand = ServerCommand {
    spec: Spec {
        name: "client",
        since: "2.4.0",
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about client connections.",
        arity: -2,
        ..BASE
    },
    run: ServerRun::Container(SUBCOMMANDS),
};

const SUBCOMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "getname",
            since: "2.6.9",
            summary: "Returns the connection's name.",
            arity: 2,
            flags: OWN,
            ..BASE
        },
        run: ServerRun::Session(getname),
    },
    ServerCommand {
        spec: Spec {
            name: "help",
            since: "5.0.0",
            summary: "Lists the subcommands of CLIENT.",
            arity: 2,
            flags: Flags::LOADING.and(Flags::STALE),
            ..BASE
        },
        run: ServerRun::Session(help),
    },
    ServerCommand {
        spec: Spec {
            name: "id",
            since: "5.0.0",
            summary: "Returns the connection's number, unique in this process.",
            arity: 2,
            flags: OWN,
            ..BASE
        },
        run: ServerRun::Session(id),
    },
    ServerCommand {
        spec: Spec {
            name: "info",
            since: "6.2.0",
            summary: "Describes this connection.",
            arity: 2,
            flags: OWN,
            ..BASE
        },
        run: ServerRun::Session(client_list::info),
    },
    ServerCommand {
        spec: Spec {
            name: "kill",
            since: "2.4.0",
            complexity: "O(N) where N is the number of client connections",
            summary: "Closes the connections that a filter names.",
            arity: -3,
            flags: ADMIN,
            args: client_list::KILL_ARGS,
            ..BASE
        },
        run: ServerRun::Session(client_list::kill),
    },
    ServerCommand {
        spec: Spec {
            name: "list",
            since: "2.4.0",
            complexity: "O(N) where N is the number of client connections",
            summary: "Describes the open connections.",
            arity: -2,
            flags: ADMIN,
            args: client_list::LIST_ARGS,
            ..BASE
        },
        run: ServerRun::Session(client_list::list),
    },
    ServerCommand {
        spec: Spec {
            name: "no-evict",
            since: "7.0.0",
            summary: "Marks the connection as one not to close when memory is short.",
            arity: 3,
            flags: ADMIN,
            args: &[Arg::new("enabled", ArgKind::OneOf(ON_OFF))],
            ..BASE
        },
        run: ServerRun::Session(no_evict),
    },
    ServerCommand {
        spec: Spec {
            name: "no-touch",
            since: "7.2.0",
            summary: "Chooses whether this connection's reads count as use of a key.",
            arity: 3,
            flags: OWN,
            args: &[Arg::new("enabled", ArgKind::OneOf(ON_OFF))],
            ..BASE
        },
        run: ServerRun::Session(no_touch),
    },
    ServerCommand {
        spec: Spec {
            name: "reply",
            since: "3.2.0",
            summary: "Chooses whether this connection gets replies.",
            arity: 3,
            flags: OWN,
            args: &[Arg::new(
                "action",
                ArgKind::OneOf(&[
                    Arg::keyword("on", "ON"),
                    Arg::keyword("off", "OFF"),
                    Arg::keyword("skip", "SKIP"),
                ]),
            )],
            ..BASE
        },
        run: ServerRun::Session(reply),
    },
    ServerCommand {
        spec: Spec {
            name: "setinfo",
            since: "7.2.0",
            summary: "Tells which library the client uses.",
            arity: 4,
            flags: OWN,
            args: &[Arg::new(
                "attr",
                ArgKind::OneOf(&[
                    Arg::new("libname", ArgKind::String).after("LIB-NAME"),
                    Arg::new("libver", ArgKind::String).after("LIB-VER"),
                ]),
            )],
            ..BASE
        },
        run: ServerRun::Session(setinfo),
    },
    ServerCommand {
        spec: Spec {
            name: "setname",
            since: "2.6.9",
            summary: "Names the connection.",
            arity: 3,
            flags: OWN,
            args: &[Arg::new("connection-name", ArgKind::String)],
            ..BASE
        },
        run: ServerRun::Session(setname),
    },
    ServerCommand {
        spec: Spec {
            name: "unblock",
            since: "5.0.0",
            complexity: "O(log N) where N is the number of client connections",
            summary: "Ends another client's wait in a blocking command.",
            arity: -3,
            flags: ADMIN,
            args: &[
                Arg::new("client-id", ArgKind::Integer),
                Arg::new(
                    "unblock-type",
                    ArgKind::OneOf(&[
                        Arg::keyword("timeout", "TIMEOUT"),
                        Arg::keyword("error", "ERROR"),
                    ]),
                )
                .optional(),
            ],
            ..BASE
        },
        run: ServerRun::Ordered(unblock),
    },
];

/// About the caller alone.
const OWN: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);

/// About others.
const ADMIN: Flags = OWN.and(Flags::ADMIN);

const ON_OFF: &[Arg] = &[Arg::keyword("on", "ON"), Arg::keyword("off", "OFF")];

/// A client's name, if it may be one: it appears in CLIENT LIST's lines, so nothing that could
/// break a line or a field.
pub(super) fn valid_name(name: &[u8]) -> Result<Vec<u8>, Reply<'static>> {
    attribute(name, "Client names")
}

fn attribute(value: &[u8], what: &str) -> Result<Vec<u8>, Reply<'static>> {
    if value.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(value.to_vec());
    }
    let text = format!("ERR {what} cannot contain spaces, newlines or special characters.");
    Err(Reply::Error(text.into()))
}

fn getname(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    let name = scope.session.client.names().name;
    if name.is_empty() { Reply::Null } else { Reply::Bulk(name.into()) }
}

fn id(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    Reply::Integer(i64::try_from(scope.session.client.id).expect("counted from 1"))
}

fn setname(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    match valid_name(args[2]) {
        Ok(name) => {
            scope.session.client.set_name(name);
            Reply::OK
        }
        Err(error) => error,
    }
}

fn setinfo(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let is_name = args[2].eq_ignore_ascii_case(b"LIB-NAME");
    if !is_name && !args[2].eq_ignore_ascii_case(b"LIB-VER") {
        let text = format!("ERR Unrecognized option '{}'", errors::word(args[2]));
        return Reply::Error(text.into());
    }
    match attribute(args[3], if is_name { "lib-name" } else { "lib-ver" }) {
        Ok(value) => {
            scope.session.client.set_library(|names| {
                *(if is_name { &mut names.lib_name } else { &mut names.lib_ver }) = value;
            });
            Reply::OK
        }
        Err(error) => error,
    }
}

/// CLIENT UNBLOCK id [TIMEOUT | ERROR]
fn unblock(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let ending = match &args[3..] {
        [] => Ending::TimedOut,
        [word] if word.eq_ignore_ascii_case(b"TIMEOUT") => Ending::TimedOut,
        [word] if word.eq_ignore_ascii_case(b"ERROR") => Ending::Unblocked,
        [_] => {
            return Reply::error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        }
        _ => {
            let name = errors::word(args[1]);
            let text = format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try CLIENT HELP."
            );
            return Reply::Error(text.into());
        }
    };
    let Some(id) = errors::strict_integer(args[2]) else { return errors::NOT_AN_INTEGER };
    let client = u64::try_from(id).ok().and_then(|id| scope.node.clients.get(id));
    let Some(ticket) = client.and_then(|client| client.blocked_on()) else {
        return Reply::Integer(0);
    };
    scope.node.end_wait(&ticket, ending);
    Reply::Integer(1)
}

fn no_evict(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    switch(&scope.session.client.no_evict, args[2])
}

fn no_touch(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    switch(&scope.session.client.no_touch, args[2])
}

fn switch(flag: &AtomicBool, word: &[u8]) -> Reply<'static> {
    let on = word.eq_ignore_ascii_case(b"ON");
    if !on && !word.eq_ignore_ascii_case(b"OFF") {
        return errors::SYNTAX;
    }
    flag.store(on, Ordering::Relaxed);
    Reply::OK
}

/// The connection looks at the mode when it writes, so OFF and SKIP are answered too and dropped.
fn reply(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let mode = &mut scope.session.reply_mode;
    if args[2].eq_ignore_ascii_case(b"ON") {
        *mode = ReplyMode::On;
    } else if args[2].eq_ignore_ascii_case(b"OFF") {
        *mode = ReplyMode::Off;
    } else if args[2].eq_ignore_ascii_case(b"SKIP") {
        if *mode != ReplyMode::Off {
            *mode = ReplyMode::SkipNext;
        }
    } else {
        return errors::SYNTAX;
    }
    Reply::OK
}

fn help(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    errors::help("CLIENT", HELP)
}

const HELP: &[&str] = &[
    "GETNAME",
    "    Return this connection's name.",
    "ID",
    "    Return this connection's id.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    Close the connection from that address.",
    "KILL <option> <value> [<option> <value> ...]",
    "    Close all connections that match every option:",
    "    * ID <client-id>",
    "    * ADDR <ip:port>: the client's address",
    "    * LADDR <ip:port>: the server's address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "    * USER <username>",
    "    * SKIPME (YES|NO): whether to spare this connection (default: yes)",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [<client-id> ...]]",
    "    Describe the open connections.",
    "NO-EVICT (ON|OFF)",
    "    Protect this connection from being closed when memory is short.",
    "NO-TOUCH (ON|OFF)",
    "    Choose whether this connection's reads count as use of a key.",
    "REPLY (ON|OFF|SKIP)",
    "    Choose whether this connection gets replies.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Tell which library the client uses.",
    "SETNAME <name>",
    "    Name this connection.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    End the wait of a client in a blocking command.",
];
