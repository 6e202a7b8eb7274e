//! OBJECT: how a value is stored and how it was used.
//!
//! A missing key answers null for every subcommand.

use std::borrow::Cow;

use resp::Reply;

use crate::access::{Found, View};
use crate::command::{Arg, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::StringValue;

pub(super) const OBJECT: Command = Command {
    spec: Spec {
        name: "object",
        group: Group::Generic,
        since: "2.2.3",
        complexity: "Depends on the subcommand",
        summary: "Holds commands that look at how values are stored.",
        arity: -2,
        keys: Keys::None,
        flags: Flags::NONE,
        args: &[],
    },
    run: Run::Container(&[ENCODING, FREQ, HELP, IDLETIME, REFCOUNT]),
};

const ENCODING: Command = Command {
    spec: about_key("encoding", "2.2.3", "Returns the encoding of the value at a key."),
    run: Run::Read(|view, args| {
        about(view, args, |found| Reply::Bulk(found.encoding().as_bytes().into()))
    }),
};

const FREQ: Command = Command {
    spec: about_key("freq", "4.0.0", "Returns the logarithmic count of accesses to a key."),
    run: Run::Read(|view, args| {
        about(view, args, |found| match view.lfu() {
            true => Reply::Integer(i64::from(found.frequency())),
            false => Reply::error(
                "ERR An LFU maxmemory policy is not selected, access frequency not tracked. \
                 Please note that when switching between policies at runtime LRU and LFU data \
                 will take some time to adjust.",
            ),
        })
    }),
};

const IDLETIME: Command = Command {
    spec: about_key("idletime", "2.2.3", "Returns the seconds since the last access to a key."),
    run: Run::Read(|view, args| {
        about(view, args, |found| match view.lfu() {
            false => Reply::Integer(found.idle_seconds() as i64),
            true => Reply::error(
                "ERR An LFU maxmemory policy is selected, idle time not tracked. \
                 Please note that when switching between policies at runtime LRU and LFU data \
                 will take some time to adjust.",
            ),
        })
    }),
};

const REFCOUNT: Command = Command {
    spec: about_key("refcount", "2.2.3", "Returns how often the value at a key is referred to."),
    run: Run::Read(|view, args| about(view, args, |found| Reply::Integer(references(&found)))),
};

const HELP: Command = Command {
    spec: Spec {
        name: "help",
        group: Group::Generic,
        since: "6.2.0",
        complexity: "O(1)",
        summary: "Lists the subcommands.",
        arity: 2,
        keys: Keys::None,
        flags: Flags::LOADING.and(Flags::STALE),
        args: &[],
    },
    run: Run::Read(help),
};

const KEY: &[Arg] = &[Arg::key("key")];

const fn about_key(name: &'static str, since: &'static str, summary: &'static str) -> Spec {
    Spec {
        name,
        group: Group::Generic,
        since,
        complexity: "O(1)",
        summary,
        arity: 3,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::READONLY,
        args: KEY,
    }
}

fn about<'v>(
    view: &'v View<'_>,
    args: Args<'_>,
    answer: impl FnOnce(Found<'v>) -> Reply<'v>,
) -> Reply<'v> {
    view.peek(args[2]).map_or(Reply::Null, answer)
}

/// Nothing is shared here. Redis keeps one object for each integer up to here and calls it shared
/// for ever; clients' tests look at that number, so it is said.
const SHARED_INTEGERS: i64 = 10_000;

fn references(found: &Found<'_>) -> i64 {
    match found.string() {
        Ok(StringValue::Int(0..SHARED_INTEGERS)) => i64::from(i32::MAX),
        _ => 1,
    }
}

fn help<'v>(_: &'v View<'_>, _: Args<'_>) -> Reply<'v> {
    const LINES: [&str; 11] = [
        "OBJECT <subcommand> [<key>]. The subcommands:",
        "ENCODING <key>",
        "    How the value is stored.",
        "FREQ <key>",
        "    How often the key was used, on a logarithmic scale (LFU policies only).",
        "IDLETIME <key>",
        "    Seconds since the key was used last (not with LFU policies).",
        "REFCOUNT <key>",
        "    How many keys share the value.",
        "HELP",
        "    This text.",
    ];
    Reply::Array(LINES.iter().map(|&line| Reply::Status(Cow::Borrowed(line))).collect())
}
