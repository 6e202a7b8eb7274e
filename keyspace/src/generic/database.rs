//! Whole databases: DBSIZE, FLUSHALL, FLUSHDB, SWAPDB.

use resp::Reply;

use crate::access::{Txn, View};
use crate::argument::{Answer, NO_SUCH_DB, SYNTAX, is, settle, small_integer};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::number::parse_i64;

pub(super) const DBSIZE: Command = Command {
    spec: Spec {
        name: "dbsize",
        group: Group::Server,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Counts the keys of the database, those that just expired among them.",
        arity: 1,
        keys: Keys::None,
        flags: Flags::READONLY.and(Flags::FAST).and(Flags::KEYLESS_DATA),
        args: &[],
    },
    run: Run::Read(dbsize),
};

fn dbsize<'v>(view: &'v View<'_>, _: Args<'_>) -> Reply<'v> {
    Reply::Integer(view.len() as i64)
}

const FLUSH_ARGS: &[Arg] = &[Arg::new(
    "flush-type",
    ArgKind::OneOf(&[Arg::keyword("async", "ASYNC"), Arg::keyword("sync", "SYNC")]),
)
.optional()];

const FLUSH_FLAGS: Flags = Flags::WRITE.and(Flags::DANGEROUS).and(Flags::KEYLESS_DATA);

pub(super) const FLUSHALL: Command = Command {
    spec: Spec {
        name: "flushall",
        group: Group::Server,
        since: "1.0.0",
        complexity: "O(N) for N keys",
        summary: "Deletes every key of every database.",
        arity: -1,
        keys: Keys::None,
        flags: FLUSH_FLAGS,
        args: FLUSH_ARGS,
    },
    run: Run::Write(|txn, args| settle(flush(txn, args, Txn::flush_all))),
};

pub(super) const FLUSHDB: Command = Command {
    spec: Spec {
        name: "flushdb",
        group: Group::Server,
        since: "1.0.0",
        complexity: "O(N) for N keys",
        summary: "Deletes every key of the database.",
        arity: -1,
        keys: Keys::None,
        flags: FLUSH_FLAGS,
        args: FLUSH_ARGS,
    },
    run: Run::Write(|txn, args| settle(flush(txn, args, Txn::flush_db))),
};

/// ASYNC and SYNC mean the same here: who frees the memory, and when, is below the handlers.
fn flush<'t>(txn: &mut Txn<'t>, args: Args<'_>, empty: fn(&mut Txn<'t>)) -> Answer<'static> {
    match args {
        [_] => {}
        [_, how] if is(how, "ASYNC") || is(how, "SYNC") => {}
        _ => return Err(SYNTAX),
    }
    empty(txn);
    Ok(Reply::OK)
}

pub(super) const SWAPDB: Command = Command {
    spec: Spec {
        name: "swapdb",
        group: Group::Server,
        since: "4.0.0",
        complexity: "O(N) for N watched keys",
        summary: "Exchanges two databases.",
        arity: 3,
        keys: Keys::None,
        flags: Flags::WRITE
            .and(Flags::FAST)
            .and(Flags::DANGEROUS)
            .and(Flags::KEYLESS_DATA)
            .and(Flags::OTHER_DB),
        args: &[Arg::new("index1", ArgKind::Integer), Arg::new("index2", ArgKind::Integer)],
    },
    run: Run::Write(|txn, args| settle(swapdb(txn, args))),
};

fn swapdb(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let index = |argument: &[u8], error: &'static str| {
        let index = parse_i64(argument).and_then(|index| i32::try_from(index).ok());
        index.ok_or(Reply::error(error))
    };
    let first = index(args[1], "ERR invalid first DB index")?;
    let second = index(args[2], "ERR invalid second DB index")?;
    let (first, second) = (known_database(txn, first)?, known_database(txn, second)?);
    txn.swap_db(first, second);
    Ok(Reply::OK)
}

/// The database that an argument names.
pub(super) fn database(view: &View<'_>, argument: &[u8]) -> Result<u8, Reply<'static>> {
    known_database(view, small_integer(argument)?)
}

fn known_database(view: &View<'_>, index: i32) -> Result<u8, Reply<'static>> {
    u8::try_from(index).ok().filter(|&db| db < view.databases()).ok_or(NO_SUCH_DB)
}
