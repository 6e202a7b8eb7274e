//! MODULE: there are none, and none can be loaded.

use keyspace::command::{Arg, ArgKind, Flags};
use keyspace::{Args, Spec};
use resp::Reply;

use super::server::BASE;
use super::{Scope, ServerCommand, ServerRun, errors};

/// The container.
pub(super) const MODULE: ServerCommand = ServerCommand {
    spec: Spec {
        name: "module",
        since: "4.0.0",
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about modules, of which there are none.",
        arity: -2,
        ..BASE
    },
    run: ServerRun::Container(&[
        ServerCommand {
            spec: Spec {
                name: "help",
                since: "5.0.0",
                summary: "Lists the subcommands of MODULE.",
                arity: 2,
                flags: Flags::LOADING.and(Flags::STALE),
                ..BASE
            },
            run: ServerRun::Session(help),
        },
        ServerCommand {
            spec: Spec {
                name: "list",
                since: "4.0.0",
                summary: "Lists no modules.",
                arity: 2,
                flags: ADMIN,
                ..BASE
            },
            run: ServerRun::Session(list),
        },
        refused(
            "load",
            "4.0.0",
            -3,
            &[PATH, Arg::new("arg", ArgKind::String).optional().multiple()],
        ),
        refused("loadex", "7.0.0", -3, LOADEX),
        refused("unload", "4.0.0", 3, &[Arg::new("name", ArgKind::String)]),
    ]),
};

const PATH: Arg = Arg::new("path", ArgKind::String);

const LOADEX: &[Arg] = &[
    PATH,
    Arg::new(
        "configs",
        ArgKind::Block(&[Arg::new("name", ArgKind::String), Arg::new("value", ArgKind::String)]),
    )
    .after("CONFIG")
    .optional()
    .multiple(),
    Arg::new("args", ArgKind::Block(&[Arg::new("arg", ArgKind::String)]))
        .after("ARGS")
        .optional()
        .multiple(),
];

const ADMIN: Flags = Flags::ADMIN.and(Flags::NOSCRIPT);

const fn refused(
    name: &'static str,
    since: &'static str,
    arity: i32,
    args: &'static [Arg],
) -> ServerCommand {
    let spec = Spec {
        name,
        since,
        summary: "Is refused: a module is foreign code inside the server.",
        arity,
        flags: ADMIN,
        args,
        ..BASE
    };
    ServerCommand { spec, run: ServerRun::Session(refuse) }
}

fn list(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    Reply::Array(Vec::new())
}

fn refuse(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let name = errors::word(args[1]).to_ascii_uppercase();
    let text = format!("ERR MODULE {name} is not available: no foreign code runs in the server");
    Reply::Error(text.into())
}

fn help(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    errors::help("MODULE", &["LIST", "    List the modules: there are none."])
}
