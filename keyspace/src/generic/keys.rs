//! Keys as such: DEL, EXISTS, TOUCH, TYPE, UNLINK.

use std::borrow::Cow;

use resp::Reply;

use crate::access::{Txn, View};
use crate::command::{Arg, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const DEL: Command = Command {
    spec: Spec {
        name: "del",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(N) for N keys, and for their elements",
        summary: "Deletes keys.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::WRITE,
        args: &[Arg::key("key").multiple()],
    },
    run: Run::Write(del),
};

pub(super) const UNLINK: Command = Command {
    spec: Spec {
        name: "unlink",
        group: Group::Generic,
        since: "4.0.0",
        complexity: "O(N) for N keys, and for their elements",
        summary: "Deletes keys. Redis frees their memory later; here it is the same as DEL.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key").multiple()],
    },
    run: Run::Write(del),
};

fn del(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    let mut removed = 0;
    for key in &args[1..] {
        removed += i64::from(txn.remove(key));
    }
    Reply::Integer(removed)
}

pub(super) const EXISTS: Command = Command {
    spec: Spec {
        name: "exists",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(N) for N keys",
        summary: "Counts how many of the keys exist; one named twice counts twice.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key").multiple()],
    },
    run: Run::Read(exists),
};

fn exists<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    let existing = args[1..].iter().filter(|key| view.contains(key));
    Reply::Integer(existing.count() as i64)
}

pub(super) const TOUCH: Command = Command {
    spec: Spec {
        name: "touch",
        group: Group::Generic,
        since: "3.2.1",
        complexity: "O(N) for N keys",
        summary: "Marks keys as used just now and counts those that exist.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key").multiple()],
    },
    run: Run::Read(touch),
};

fn touch<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    let existing = args[1..].iter().filter(|key| view.find(key).is_some());
    Reply::Integer(existing.count() as i64)
}

pub(super) const TYPE: Command = Command {
    spec: Spec {
        name: "type",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Returns the type of the value at a key.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key")],
    },
    run: Run::Read(kind),
};

fn kind<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    let name = view.peek(args[1]).map_or("none", |found| found.kind().name());
    Reply::Status(Cow::Borrowed(name))
}
