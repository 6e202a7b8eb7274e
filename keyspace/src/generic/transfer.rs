//! Values under another key or in another database: COPY, MOVE, RENAME, RENAMENX.
//!
//! Whether other databases exist is the server's to check beforehand: in a cluster they do not,
//! and there MOVE and COPY's DB have errors of their own.

use resp::Reply;

use super::database::database;
use crate::access::{Place, Txn};
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

const SAME_OBJECT: Reply<'static> = Reply::error("ERR source and destination objects are the same");
const NO_SUCH_KEY: Reply<'static> = Reply::error("ERR no such key");

pub(super) const COPY: Command = Command {
    spec: Spec {
        name: "copy",
        group: Group::Generic,
        since: "6.2.0",
        complexity: "O(1) for strings, O(N) for collections of N elements",
        summary: "Copies the value and the TTL of a key to another key.",
        arity: -3,
        keys: Keys::FIRST_TWO,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::OTHER_DB),
        args: &[
            Arg::key("source"),
            Arg::key("destination"),
            Arg::new("destination-db", ArgKind::Integer).after("DB").optional(),
            Arg::keyword("replace", "REPLACE").optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(copy(txn, args))),
};

fn copy(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let from = Place { db: txn.db(), key: args[1] };
    let mut to = Place { db: txn.db(), key: args[2] };
    let mut replace = false;
    let mut rest = &args[3..];
    while let [option, tail @ ..] = rest {
        rest = tail;
        if is(option, "REPLACE") {
            replace = true;
        } else if is(option, "DB")
            && let [index, tail @ ..] = rest
        {
            to.db = database(txn, index)?;
            rest = tail;
        } else {
            return Err(SYNTAX);
        }
    }
    if from == to {
        return Err(SAME_OBJECT);
    }
    if !replace && txn.peek_at(to).is_some() {
        return Ok(Reply::Integer(0));
    }
    Ok(Reply::Integer(i64::from(txn.copy(from, to))))
}

pub(super) const MOVE: Command = Command {
    spec: Spec {
        name: "move",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Moves a key to another database.",
        arity: 3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST).and(Flags::OTHER_DB),
        args: &[Arg::key("key"), Arg::new("db", ArgKind::Integer)],
    },
    run: Run::Write(|txn, args| settle(move_key(txn, args))),
};

fn move_key(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let from = Place { db: txn.db(), key: args[1] };
    let to = Place { db: database(txn, args[2])?, key: args[1] };
    if from == to {
        return Err(SAME_OBJECT);
    }
    if txn.peek_at(to).is_some() {
        return Ok(Reply::Integer(0));
    }
    Ok(Reply::Integer(i64::from(txn.rename(from, to))))
}

const RENAME_ARGS: &[Arg] = &[Arg::key("key"), Arg::key("newkey")];

pub(super) const RENAME: Command = Command {
    spec: Spec {
        name: "rename",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Renames a key, in place of one that has the new name.",
        arity: 3,
        keys: Keys::FIRST_TWO,
        flags: Flags::WRITE,
        args: RENAME_ARGS,
    },
    run: Run::Write(|txn, args| settle(rename(txn, args))),
};

fn rename(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let db = txn.db();
    match txn.rename(Place { db, key: args[1] }, Place { db, key: args[2] }) {
        true => Ok(Reply::OK),
        false => Err(NO_SUCH_KEY),
    }
}

pub(super) const RENAMENX: Command = Command {
    spec: Spec {
        name: "renamenx",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Renames a key if no key has the new name.",
        arity: 3,
        keys: Keys::FIRST_TWO,
        flags: Flags::WRITE.and(Flags::FAST),
        args: RENAME_ARGS,
    },
    run: Run::Write(|txn, args| settle(renamenx(txn, args))),
};

fn renamenx(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    if !txn.contains(args[1]) {
        return Err(NO_SUCH_KEY);
    }
    if txn.contains(args[2]) {
        return Ok(Reply::Integer(0));
    }
    rename(txn, args)?;
    Ok(Reply::Integer(1))
}
