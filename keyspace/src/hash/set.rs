//! Setting fields and taking them out: HSET, HMSET, HSETNX, HDEL.

use std::borrow::Cow;

use resp::Reply;

use super::Hash;
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::StringValue;

const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);

const FIELD_VALUES: &[Arg] = &[
    Arg::key("key"),
    Arg::new(
        "field_value",
        ArgKind::Block(&[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]),
    )
    .multiple(),
];

pub(super) const HSET: Command = Command {
    spec: Spec {
        name: "hset",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) for N fields",
        summary: "Sets fields of a hash, which is created if it does not exist.",
        arity: -4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: FIELD_VALUES,
    },
    run: Run::Write(|txn, args| settle(hset(txn, args))),
};

fn hset(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    Ok(Reply::Integer(set_all(txn, args, "hset")?))
}

pub(super) const HMSET: Command = Command {
    spec: Spec {
        name: "hmset",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) for N fields",
        summary: "Sets fields of a hash; HSET does the same and tells how many were new.",
        arity: -4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: FIELD_VALUES,
    },
    run: Run::Write(|txn, args| settle(hmset(txn, args))),
};

fn hmset(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    set_all(txn, args, "hmset")?;
    Ok(Reply::OK)
}

/// How many of the fields were new.
fn set_all(txn: &mut Txn<'_>, args: Args<'_>, command: &str) -> Result<i64, Reply<'static>> {
    let (pairs, []) = args[2..].as_chunks() else {
        let text = format!("ERR wrong number of arguments for '{command}' command");
        return Err(Reply::Error(Cow::Owned(text)));
    };
    let limits = txn.limits();
    let created = txn.edit_or_create::<Hash, _>(args[1], |hash| {
        hash.expect(pairs, &limits);
        let mut created = 0;
        for [field, value] in pairs {
            created += i64::from(hash.set(field, StringValue::Bytes(value), &limits));
        }
        created
    })?;
    Ok(created)
}

pub(super) const HSETNX: Command = Command {
    spec: Spec {
        name: "hsetnx",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(1)",
        summary: "Sets a field of a hash if the hash does not have it.",
        arity: 4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[
            Arg::key("key"),
            Arg::new("field", ArgKind::String),
            Arg::new("value", ArgKind::String),
        ],
    },
    run: Run::Write(|txn, args| settle(hsetnx(txn, args))),
};

fn hsetnx(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (field, value, limits) = (args[2], args[3], txn.limits());
    let is_new = txn.edit_or_create::<Hash, _>(args[1], |hash| {
        let is_new = hash.get(field).is_none();
        if is_new {
            hash.expect(&[[field, value]], &limits);
            hash.set(field, StringValue::Bytes(value), &limits);
        } else {
            hash.unchanged();
        }
        is_new
    })?;
    Ok(Reply::Integer(is_new.into()))
}

pub(super) const HDEL: Command = Command {
    spec: Spec {
        name: "hdel",
        group: Group::Hash,
        since: "2.0.0",
        complexity: "O(N) for N fields to take out",
        summary: "Takes fields out of a hash, and deletes it with the last one.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("field", ArgKind::String).multiple()],
    },
    run: Run::Write(|txn, args| settle(hdel(txn, args))),
};

fn hdel(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let removed = txn.edit::<Hash, _>(args[1], |hash| {
        let mut removed = 0;
        for field in &args[2..] {
            removed += i64::from(hash.remove(field));
        }
        if removed == 0 {
            hash.unchanged();
        }
        removed
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0)))
}
