//! Looking at hashes: HGET, HMGET, HEXISTS, HSTRLEN, HLEN, HGETALL, HKEYS, HVALS, HSCAN.

use resp::Reply;

use super::Hash;
use crate::access::View;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::scan_options::{self, ScanOptions};
use crate::value::StringValue;

const FAST: Flags = Flags::READONLY.and(Flags::FAST);

pub(super) const HGET: Command = Command {
    spec: Spec {
        name: "hget",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(1)",
        summary: "Returns the value of a field of a hash.",
        arity: 3,
        keys: Keys::FIRST,
        flags: FAST,
        args: &[Arg::key("key"), Arg::new("field", ArgKind::String)],
    },
    run: Run::Read(|view, args| settle(hget(view, args))),
};

fn hget<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let hash = view.data::<Hash>(args[1])?;
    Ok(value(hash, args[2]))
}

pub(super) const HMGET: Command = Command {
    spec: Spec {
        name: "hmget",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) for N fields asked for",
        summary: "Returns the values of several fields of a hash.",
        arity: -3,
        keys: Keys::FIRST,
        flags: FAST,
        args: &[Arg::key("key"), Arg::new("field", ArgKind::String).multiple()],
    },
    run: Run::Read(|view, args| settle(hmget(view, args))),
};

fn hmget<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let hash = view.data::<Hash>(args[1])?;
    Ok(Reply::Array(args[2..].iter().map(|field| value(hash, field)).collect()))
}

fn value<'v>(hash: Option<&'v Hash>, field: &[u8]) -> Reply<'v> {
    hash.and_then(|hash| hash.get(field)).map_or(Reply::Null, |value| value.reply())
}

pub(super) const HEXISTS: Command = Command {
    spec: Spec {
        name: "hexists",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(1)",
        summary: "Tells whether a hash has a field.",
        arity: 3,
        keys: Keys::FIRST,
        flags: FAST,
        args: &[Arg::key("key"), Arg::new("field", ArgKind::String)],
    },
    run: Run::Read(|view, args| settle(hexists(view, args))),
};

fn hexists<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let value = view.data::<Hash>(args[1])?.and_then(|hash| hash.get(args[2]));
    Ok(Reply::Integer(value.is_some().into()))
}

pub(super) const HSTRLEN: Command = Command {
    spec: Spec {
        name: "hstrlen",
        group: Group::Hash,
        since: "3.2.0",
        complexity: "O(1)",
        summary: "Returns the length of the value of a field of a hash, in bytes.",
        arity: 3,
        keys: Keys::FIRST,
        flags: FAST,
        args: &[Arg::key("key"), Arg::new("field", ArgKind::String)],
    },
    run: Run::Read(|view, args| settle(hstrlen(view, args))),
};

fn hstrlen<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let value = view.data::<Hash>(args[1])?.and_then(|hash| hash.get(args[2]));
    Ok(Reply::Integer(value.map_or(0, |value| value.len()) as i64))
}

pub(super) const HLEN: Command = Command {
    spec: Spec {
        name: "hlen",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(1)",
        summary: "Returns the number of a hash's fields.",
        arity: 2,
        keys: Keys::FIRST,
        flags: FAST,
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(hlen(view, args))),
};

fn hlen<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let hash = view.data::<Hash>(args[1])?;
    Ok(Reply::Integer(hash.map_or(0, Hash::len) as i64))
}

pub(super) const HGETALL: Command = Command {
    spec: Spec {
        name: "hgetall",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) for a hash of N fields",
        summary: "Returns every field of a hash with its value.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(hgetall(view, args))),
};

fn hgetall<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let pairs = pairs(view, args[1])?;
    Ok(Reply::Map(pairs.map(|(field, value)| (field.reply(), value.reply())).collect()))
}

pub(super) const HKEYS: Command = Command {
    spec: Spec {
        name: "hkeys",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) for a hash of N fields",
        summary: "Returns every field of a hash.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(hkeys(view, args))),
};

fn hkeys<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    Ok(Reply::Array(pairs(view, args[1])?.map(|(field, _)| field.reply()).collect()))
}

pub(super) const HVALS: Command = Command {
    spec: Spec {
        name: "hvals",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) for a hash of N fields",
        summary: "Returns the values of all fields of a hash.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(hvals(view, args))),
};

fn hvals<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    Ok(Reply::Array(pairs(view, args[1])?.map(|(_, value)| value.reply()).collect()))
}

/// All fields with their values; none if there is no such key.
fn pairs<'v>(
    view: &'v View<'_>,
    key: &[u8],
) -> Result<impl Iterator<Item = (StringValue<'v>, StringValue<'v>)> + use<'v>, Reply<'static>> {
    Ok(view.data::<Hash>(key)?.into_iter().flat_map(Hash::iter))
}

pub(super) const HSCAN: Command = Command {
    spec: Spec {
        name: "hscan",
        group: Group::Hash,
        since: "2.8.0",
        complexity: "O(1) for each call, O(N) for a walk over N fields",
        summary: "Walks over the fields of a hash and their values, some at each call.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: scan_options::OF_ELEMENTS,
    },
    run: Run::Read(|view, args| settle(hscan(view, args))),
};

fn hscan<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let cursor = scan_options::cursor(args[2])?;
    let Some(hash) = view.data::<Hash>(args[1])? else {
        return Ok(scan_options::reply(0, Vec::new()));
    };
    let options = ScanOptions::of_elements(&args[3..])?;
    let mut found = Vec::new();
    let next = hash.scan(cursor, options.count, &mut |field, value| {
        if options.admits(field.as_bytes(&mut itoa::Buffer::new())) {
            found.extend([field.reply(), value.reply()]);
        }
    });
    Ok(scan_options::reply(next, found))
}
