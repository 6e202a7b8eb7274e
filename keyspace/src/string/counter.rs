//! Strings that are numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

use resp::Reply;

use crate::access::Txn;
use crate::argument::{Answer, NOT_AN_INTEGER, integer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::number::{Extended, parse_i64};
use crate::value::{StringValue, Ttl};

const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);

pub(super) const INCR: Command = Command {
    spec: Spec {
        name: "incr",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Adds one to the integer at a key; a missing key counts as 0.",
        arity: 2,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key")],
    },
    run: Run::Write(|txn, args| settle(add(txn, args[1], 1))),
};

pub(super) const DECR: Command = Command {
    spec: Spec {
        name: "decr",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Subtracts one from the integer at a key; a missing key counts as 0.",
        arity: 2,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key")],
    },
    run: Run::Write(|txn, args| settle(add(txn, args[1], -1))),
};

pub(super) const INCRBY: Command = Command {
    spec: Spec {
        name: "incrby",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Adds to the integer at a key; a missing key counts as 0.",
        arity: 3,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key"), Arg::new("increment", ArgKind::Integer)],
    },
    run: Run::Write(|txn, args| settle(incrby(txn, args))),
};

fn incrby(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    add(txn, args[1], integer(args[2])?)
}

pub(super) const DECRBY: Command = Command {
    spec: Spec {
        name: "decrby",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Subtracts from the integer at a key; a missing key counts as 0.",
        arity: 3,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key"), Arg::new("decrement", ArgKind::Integer)],
    },
    run: Run::Write(|txn, args| settle(decrby(txn, args))),
};

fn decrby(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    match integer(args[2])?.checked_neg() {
        Some(increment) => add(txn, args[1], increment),
        None => Err(Reply::error("ERR decrement would overflow")),
    }
}

fn add(txn: &mut Txn<'_>, key: &[u8], increment: i64) -> Answer<'static> {
    let before = match txn.string(key)? {
        None => 0,
        Some(StringValue::Int(number)) => number,
        // Some strings are not stored as the integers they spell (APPEND, INCRBYFLOAT made them).
        Some(StringValue::Bytes(bytes)) => parse_i64(bytes).ok_or(NOT_AN_INTEGER)?,
    };
    let Some(after) = before.checked_add(increment) else {
        return Err(Reply::error("ERR increment or decrement would overflow"));
    };
    txn.set(key, StringValue::Int(after), Ttl::Keep);
    Ok(Reply::Integer(after))
}

pub(super) const INCRBYFLOAT: Command = Command {
    spec: Spec {
        name: "incrbyfloat",
        group: Group::String,
        since: "2.6.0",
        complexity: "O(1)",
        summary: "Adds to the floating point number at a key; a missing key counts as 0.",
        arity: 3,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key"), Arg::new("increment", ArgKind::Double)],
    },
    run: Run::Write(|txn, args| settle(incrbyfloat(txn, args))),
};

fn incrbyfloat(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let before = match txn.string(args[1])? {
        None => Extended::parse(b"0"),
        Some(value) => Extended::parse(&value.to_bytes()),
    };
    let (Some(before), Some(increment)) = (before, Extended::parse(args[2])) else {
        return Err(Reply::error("ERR value is not a valid float"));
    };
    let Some(after) = before.add(increment) else {
        return Err(Reply::error("ERR increment would produce NaN or Infinity"));
    };
    let text = after.to_text().into_bytes();
    // Stored as text even when it spells an integer: OBJECT ENCODING says so in Redis, too.
    txn.set(args[1], StringValue::Bytes(&text), Ttl::Keep);
    Ok(Reply::Bulk(text.into()))
}
