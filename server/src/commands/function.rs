//! FUNCTION: there are none, and none can be loaded yet. Tools that clean up after themselves ask
//! for all of them to be deleted, which is then done.

use keyspace::command::{Arg, ArgKind, Flags, Group};
use keyspace::{Args, Spec};
use resp::Reply;

use super::server::BASE;
use super::{Scope, ServerCommand, ServerRun, errors};

const OF_FUNCTIONS: Spec = Spec { group: Group::Scripting, ..BASE };

/// The container.
pub(super) const FUNCTION: ServerCommand = ServerCommand {
    spec: Spec {
        name: "function",
        since: "7.0.0",
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about functions, of which there are none.",
        arity: -2,
        ..OF_FUNCTIONS
    },
    run: ServerRun::Container(&[
        ServerCommand {
            spec: Spec {
                name: "flush",
                since: "7.0.0",
                summary: "Deletes all libraries of functions, of which there are none.",
                arity: -2,
                flags: Flags::NOSCRIPT,
                args: &[Arg::new(
                    "flush-type",
                    ArgKind::OneOf(&[Arg::keyword("async", "ASYNC"), Arg::keyword("sync", "SYNC")]),
                )
                .optional()],
                ..OF_FUNCTIONS
            },
            run: ServerRun::Session(flush),
        },
        ServerCommand {
            spec: Spec {
                name: "help",
                since: "7.0.0",
                summary: "Lists the subcommands of FUNCTION.",
                arity: 2,
                flags: Flags::LOADING.and(Flags::STALE),
                ..OF_FUNCTIONS
            },
            run: ServerRun::Session(help),
        },
        ServerCommand {
            spec: Spec {
                name: "list",
                since: "7.0.0",
                summary: "Lists no libraries of functions.",
                arity: -2,
                flags: Flags::NOSCRIPT,
                args: &[
                    Arg::new("library-name-pattern", ArgKind::String)
                        .after("LIBRARYNAME")
                        .optional(),
                    Arg::keyword("withcode", "WITHCODE").optional(),
                ],
                ..OF_FUNCTIONS
            },
            run: ServerRun::Session(list),
        },
    ]),
};

fn flush(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    match args[2..] {
        [] => Reply::OK,
        [how] if [&b"ASYNC"[..], b"SYNC"].iter().any(|word| how.eq_ignore_ascii_case(word)) => {
            Reply::OK
        }
        _ => Reply::error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"),
    }
}

fn list(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let mut rest = &args[2..];
    loop {
        rest = match rest {
            [] => return Reply::Array(Vec::new()),
            [word, tail @ ..] if word.eq_ignore_ascii_case(b"WITHCODE") => tail,
            [word, _, tail @ ..] if word.eq_ignore_ascii_case(b"LIBRARYNAME") => tail,
            [word] if word.eq_ignore_ascii_case(b"LIBRARYNAME") => {
                return Reply::error("ERR library name argument was not given");
            }
            [word, ..] => {
                let text = format!("ERR Unknown argument {}", errors::word(word));
                return Reply::Error(text.into());
            }
        };
    }
}

fn help(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    const LINES: &[&str] = &[
        "FLUSH [ASYNC|SYNC]",
        "    Delete all libraries.",
        "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
        "    List the libraries: there are none.",
    ];
    errors::help("FUNCTION", LINES)
}
