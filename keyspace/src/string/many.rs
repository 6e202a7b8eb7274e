//! Several strings at once: MGET, MSET, MSETNX.

use resp::Reply;

use crate::access::{Txn, View};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::{StringValue, Ttl};

const PAIRS: &[Arg] =
    &[Arg::new("data", ArgKind::Block(&[Arg::key("key"), Arg::new("value", ArgKind::String)]))
        .multiple()];

pub(super) const MGET: Command = Command {
    spec: Spec {
        name: "mget",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(N) for N keys",
        summary: "Returns the strings at several keys.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key").multiple()],
    },
    run: Run::Read(mget),
};

/// A key of another type answers null, as a missing one does.
fn mget<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    let value = |key: &&[u8]| match view.string(key) {
        Ok(Some(value)) => value.reply(),
        Ok(None) | Err(_) => Reply::Null,
    };
    Reply::Array(args[1..].iter().map(value).collect())
}

pub(super) const MSET: Command = Command {
    spec: Spec {
        name: "mset",
        group: Group::String,
        since: "1.0.1",
        complexity: "O(N) for N keys",
        summary: "Sets several keys to strings, as one change.",
        arity: -3,
        keys: Keys::PAIRS,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: PAIRS,
    },
    run: Run::Write(mset),
};

fn mset(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    let (pairs, []) = args[1..].as_chunks() else {
        return Reply::error("ERR wrong number of arguments for 'mset' command");
    };
    set_all(txn, pairs);
    Reply::OK
}

pub(super) const MSETNX: Command = Command {
    spec: Spec {
        name: "msetnx",
        group: Group::String,
        since: "1.0.1",
        complexity: "O(N) for N keys",
        summary: "Sets several keys to strings, as one change, if none of them exists.",
        arity: -3,
        keys: Keys::PAIRS,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: PAIRS,
    },
    run: Run::Write(msetnx),
};

fn msetnx(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    let (pairs, []) = args[1..].as_chunks() else {
        return Reply::error("ERR wrong number of arguments for 'msetnx' command");
    };
    if pairs.iter().any(|[key, _]| txn.contains(key)) {
        return Reply::Integer(0);
    }
    set_all(txn, pairs);
    Reply::Integer(1)
}

fn set_all(txn: &mut Txn<'_>, pairs: &[[&[u8]; 2]]) {
    for [key, value] in pairs {
        txn.set(key, StringValue::encode(value), Ttl::Clear);
    }
}
