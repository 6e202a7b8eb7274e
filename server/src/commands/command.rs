//! COMMAND: what the command table says, as clients ask for it.

use keyspace::command::{Arg, ArgKind, Flags, Group, Keys};
use keyspace::{Args, Spec};
use resp::Reply;

use super::{Row, Scope, ServerCommand, ServerRun, describe, errors, table};

/// The container.
pub(super) const COMMAND: ServerCommand =
    ServerCommand { spec: COMMAND_SPEC, run: ServerRun::Container(SUBCOMMANDS) };

/// COMMAND is the one container that also answers without a subcommand.
static ALONE: ServerCommand =
    ServerCommand { spec: COMMAND_SPEC, run: ServerRun::Session(everything) };

/// What a container's name alone runs, if anything.
pub(super) fn alone(name: &str) -> Option<&'static ServerCommand> {
    (name == COMMAND_SPEC.name).then_some(&ALONE)
}

const COMMAND_SPEC: Spec = Spec {
    name: "command",
    since: "2.8.13",
    complexity: "O(N) where N is the number of commands",
    summary: "Describes all commands.",
    arity: -1,
    ..BASE
};

const BASE: Spec = Spec {
    name: "",
    group: Group::Server,
    since: "",
    complexity: "",
    summary: "",
    arity: 0,
    keys: Keys::None,
    flags: Flags::LOADING.and(Flags::STALE),
    args: &[],
};

const SUBCOMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "count",
            since: "2.8.13",
            complexity: "O(1)",
            summary: "Counts the commands.",
            arity: 2,
            ..BASE
        },
        run: ServerRun::Session(count),
    },
    ServerCommand {
        spec: Spec {
            name: "docs",
            since: "7.0.0",
            complexity: "O(N) where N is the number of commands to look up",
            summary: "Describes commands in words, with their arguments.",
            arity: -2,
            args: &[Arg::new("command-name", ArgKind::String).multiple().optional()],
            ..BASE
        },
        run: ServerRun::Session(docs),
    },
    ServerCommand {
        spec: Spec {
            name: "getkeys",
            since: "2.8.13",
            complexity: "O(N) where N is the number of arguments to the command",
            summary: "Finds the keys in a full command.",
            arity: FULL_COMMAND,
            ..BASE
        },
        run: ServerRun::Session(getkeys),
    },
    ServerCommand {
        spec: Spec {
            name: "getkeysandflags",
            since: "7.0.0",
            complexity: "O(N) where N is the number of arguments to the command",
            summary: "Finds the keys in a full command, and what it does to each.",
            arity: FULL_COMMAND,
            ..BASE
        },
        run: ServerRun::Session(getkeysandflags),
    },
    ServerCommand {
        spec: Spec {
            name: "help",
            since: "5.0.0",
            complexity: "O(1)",
            summary: "Lists the subcommands of COMMAND.",
            arity: 2,
            ..BASE
        },
        run: ServerRun::Session(help),
    },
    ServerCommand {
        spec: Spec {
            name: "info",
            since: "2.8.13",
            complexity: "O(N) where N is the number of commands to look up",
            summary: "Describes commands for programs: arity, flags, keys.",
            arity: -2,
            args: &[Arg::new("command-name", ArgKind::String).multiple().optional()],
            ..BASE
        },
        run: ServerRun::Session(info),
    },
    ServerCommand {
        spec: Spec {
            name: "list",
            since: "7.0.0",
            complexity: "O(N) where N is the number of commands",
            summary: "Lists the commands' names.",
            arity: -2,
            args: FILTER,
            ..BASE
        },
        run: ServerRun::Session(list),
    },
];

/// Redis 7.0's count: a command and two arguments. Too many by one, but every command with keys
/// has at least two words.
const FULL_COMMAND: i32 = -4;

const FILTER: &[Arg] = &[Arg::new(
    "filterby",
    ArgKind::OneOf(&[
        Arg::new("module-name", ArgKind::String).after("MODULE"),
        Arg::new("category", ArgKind::String).after("ACLCAT"),
        Arg::new("pattern", ArgKind::Pattern).after("PATTERN"),
    ]),
)
.optional()
.after("FILTERBY")];

fn everything(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    Reply::Array(table::all().map(describe::info).collect())
}

fn count(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    Reply::Integer(i64::try_from(table::all().count()).expect("there are a few hundred commands"))
}

fn info(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    if args.len() == 2 {
        return Reply::Array(table::all().map(describe::info).collect());
    }
    // An unknown name has a null in its place.
    let of = |name: &&[u8]| table::by_full_name(name).map_or(Reply::Null, describe::info);
    Reply::Array(args[2..].iter().map(of).collect())
}

fn docs(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    if args.len() == 2 {
        return Reply::Map(table::all().map(describe::docs).collect());
    }
    // An unknown name is left out.
    let found = args[2..].iter().filter_map(|name| table::by_full_name(name));
    Reply::Map(found.map(describe::docs).collect())
}

fn list(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let (by, wanted) = match args {
        [_, _] => return names(table::all()),
        [_, _, filterby, by, wanted] if filterby.eq_ignore_ascii_case(b"FILTERBY") => (by, wanted),
        _ => return errors::SYNTAX,
    };
    let wanted = wanted.to_ascii_lowercase();
    let every = table::all().flat_map(|row| std::iter::once(row).chain(row.subcommands()));
    if by.eq_ignore_ascii_case(b"MODULE") {
        Reply::Array(Vec::new())
    } else if by.eq_ignore_ascii_case(b"ACLCAT") {
        let has = |row: &Row| {
            describe::categories(*row).iter().any(|category| category.as_bytes()[1..] == *wanted)
        };
        names(every.filter(has))
    } else if by.eq_ignore_ascii_case(b"PATTERN") {
        let fits =
            |row: &Row| keyspace::glob::matches(&wanted, table::full_name(row.spec()).as_bytes());
        names(every.filter(fits))
    } else {
        errors::SYNTAX
    }
}

fn getkeys(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let args = &args[2..];
    match keys(args) {
        Ok((_, keys)) => {
            let key = |index: usize| Reply::Bulk(args[index].to_vec().into());
            Reply::Array(keys.into_iter().map(key).collect())
        }
        Err(error) => error,
    }
}

fn getkeysandflags(_: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let args = &args[2..];
    match keys(args) {
        Ok((spec, keys)) => {
            let each = keys.into_iter().enumerate();
            let key = |(ordinal, index)| describe::key_and_flags(spec, args, index, ordinal);
            Reply::Array(each.map(key).collect())
        }
        Err(error) => error,
    }
}

/// The row of a command and the indexes of its keys.
fn keys(args: Args<'_>) -> Result<(&'static Spec, Vec<usize>), Reply<'static>> {
    let row = table::lookup(args).ok_or(Reply::error("ERR Invalid command specified"))?;
    let spec = row.spec();
    if matches!(spec.keys, Keys::None) {
        return Err(Reply::error("ERR The command has no key arguments"));
    }
    if !spec.accepts(args.len()) {
        return Err(Reply::error("ERR Invalid number of arguments specified for command"));
    }
    let mut indexes = Vec::new();
    match spec.key_indexes(args, &mut |index| indexes.push(index)) {
        Ok(()) => Ok((spec, indexes)),
        Err(_) => Err(Reply::error("ERR Invalid arguments specified for command")),
    }
}

fn names(rows: impl Iterator<Item = Row>) -> Reply<'static> {
    let name =
        |row: Row| Reply::Bulk(table::full_name(row.spec()).into_owned().into_bytes().into());
    Reply::Array(rows.map(name).collect())
}

fn help(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    errors::help("COMMAND", HELP)
}

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Describe all commands.",
    "COUNT",
    "    Count the commands.",
    "DOCS [<command-name> ...]",
    "    Describe commands, or all of them, in words.",
    "GETKEYS <command> [<arg> ...]",
    "    Find the keys in a full command.",
    "GETKEYSANDFLAGS <command> [<arg> ...]",
    "    Find the keys in a full command, and what it does to each.",
    "INFO [<command-name> ...]",
    "    Describe commands, or all of them, for programs.",
    "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    List the commands' names.",
];
