//! MEMORY: what a key takes.
//!
//! Leaves out: what the whole process takes (DOCTOR, STATS, PURGE).

use std::borrow::Cow;

use resp::Reply;

use crate::access::View;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const MEMORY: Command = Command {
    spec: Spec {
        name: "memory",
        group: Group::Server,
        since: "4.0.0",
        complexity: "Depends on the subcommand",
        summary: "Holds commands that look at memory.",
        arity: -2,
        keys: Keys::None,
        flags: Flags::NONE,
        args: &[],
    },
    run: Run::Container(&[HELP, USAGE]),
};

const USAGE: Command = Command {
    spec: Spec {
        name: "usage",
        group: Group::Server,
        since: "4.0.0",
        complexity: "O(1)",
        summary: "Returns the bytes of memory that a key and its value take.",
        arity: -3,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::READONLY,
        args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).after("SAMPLES").optional()],
    },
    run: Run::Read(|view, args| settle(usage(view, args))),
};

/// Redis estimates from some samples of a collection; here every collection knows its size, so the
/// number of samples is only checked.
fn usage<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let mut rest = &args[3..];
    while let [option, count, tail @ ..] = rest {
        if !is(option, "SAMPLES") || integer(count)? < 0 {
            return Err(SYNTAX);
        }
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(SYNTAX);
    }
    let found = view.peek(args[2]);
    Ok(found.map_or(Reply::Null, |found| Reply::Integer(found.memory_bytes() as i64)))
}

const HELP: Command = Command {
    spec: Spec {
        name: "help",
        group: Group::Server,
        since: "4.0.0",
        complexity: "O(1)",
        summary: "Lists the subcommands of MEMORY.",
        arity: 2,
        keys: Keys::None,
        flags: Flags::LOADING.and(Flags::STALE),
        args: &[],
    },
    run: Run::Read(help),
};

fn help<'v>(_: &'v View<'_>, _: Args<'_>) -> Reply<'v> {
    const LINES: [&str; 6] = [
        "MEMORY <subcommand> [<key>]. The subcommands:",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes that the key and its value take; nothing is sampled, whatever the count.",
        "HELP",
        "    This text.",
        "What the whole server takes is in INFO memory.",
    ];
    Reply::Array(LINES.iter().map(|&line| Reply::Status(Cow::Borrowed(line))).collect())
}
