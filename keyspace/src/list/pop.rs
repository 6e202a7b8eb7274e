//! LPOP and RPOP; BLPOP and BRPOP, which wait for an element in the first of several lists.

use std::borrow::Cow;

use resp::Reply;

use super::element::{End, Taken};
use super::{KEY, List, NodeLimit, TIMEOUT, node_limit};
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Block, Command, Flags, Group, Keys, Run, Spec};
use crate::number::parse_i64;
use crate::timeout::timeout_ms;
use crate::txn::Edit;
use crate::value::WrongType;

pub(super) const LPOP: Command = Command {
    spec: row("lpop", "Takes a list's first elements out and returns them."),
    run: Run::Write(|txn, args| settle(pop(txn, args, End::Left))),
};

pub(super) const RPOP: Command = Command {
    spec: row("rpop", "Takes a list's last elements out and returns them, the last first."),
    run: Run::Write(|txn, args| settle(pop(txn, args, End::Right))),
};

const ARGS: &[Arg] = &[KEY, Arg::new("count", ArgKind::Integer).optional()];

const fn row(name: &'static str, summary: &'static str) -> Spec {
    Spec {
        name,
        group: Group::List,
        since: "1.0.0",
        complexity: "O(N) for N elements returned",
        summary,
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: ARGS,
    }
}

fn pop(txn: &mut Txn<'_>, args: Args<'_>, end: End) -> Answer<'static> {
    let limit = node_limit(txn);
    let key = args[1];
    match args[2..] {
        [] => Ok(take_one(txn, key, end, limit)?.map_or(Reply::Null, Taken::reply)),
        [count] => {
            let count = parse_i64(count).and_then(|count| usize::try_from(count).ok());
            let count = count.ok_or(OUT_OF_RANGE)?;
            Ok(take(txn, key, end, count, limit)?.map_or(Reply::NullArray, Reply::Array))
        }
        _ => Err(match end {
            End::Left => Reply::error("ERR wrong number of arguments for 'lpop' command"),
            End::Right => Reply::error("ERR wrong number of arguments for 'rpop' command"),
        }),
    }
}

const OUT_OF_RANGE: Reply<'static> = Reply::error("ERR value is out of range, must be positive");

/// Takes an element out; `None`: no such key.
pub(super) fn take_one(
    txn: &mut Txn<'_>,
    key: &[u8],
    end: End,
    limit: NodeLimit,
) -> Result<Option<Taken>, WrongType> {
    let taken = txn.edit(key, |list: &mut Edit<'_, List>| {
        let taken = list.pop(end);
        list.shrink(limit);
        taken
    })?;
    Ok(taken.flatten())
}

/// Takes elements out, so many or all there are, the one at the end first; `None`: no such key.
pub(super) fn take(
    txn: &mut Txn<'_>,
    key: &[u8],
    end: End,
    count: usize,
    limit: NodeLimit,
) -> Result<Option<Vec<Reply<'static>>>, WrongType> {
    txn.edit(key, |list: &mut Edit<'_, List>| {
        let count = count.min(list.len());
        if count == 0 {
            list.unchanged();
            return Vec::new();
        }
        let mut replies = Vec::with_capacity(count);
        let copies = |value| Taken::from(value).reply();
        match end {
            End::Left => replies.extend(list.iter().take(count).map(copies)),
            End::Right => replies.extend(list.iter().rev().take(count).map(copies)),
        }
        list.remove_at_end(end, count);
        list.shrink(limit);
        replies
    })
}

pub(super) const BLPOP: Command = Command {
    spec: waiting_row("blpop", "Takes the first element out of the first list that has one."),
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(pop_first(txn, args, End::Left))),
        timeout_ms: last_timeout_ms,
        later: |_, _| None,
        waits_out_types: true,
    }),
};

pub(super) const BRPOP: Command = Command {
    spec: waiting_row("brpop", "Takes the last element out of the first list that has one."),
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(pop_first(txn, args, End::Right))),
        timeout_ms: last_timeout_ms,
        later: |_, _| None,
        waits_out_types: true,
    }),
};

const WAITING_ARGS: &[Arg] = &[KEY.multiple(), TIMEOUT];

const fn waiting_row(name: &'static str, summary: &'static str) -> Spec {
    Spec {
        name,
        group: Group::List,
        since: "2.0.0",
        complexity: "O(N) for N keys",
        summary,
        arity: -3,
        keys: Keys::Range { first: 1, last: -2, step: 1 },
        flags: Flags::WRITE.and(Flags::NOSCRIPT).and(Flags::BLOCKING),
        args: WAITING_ARGS,
    }
}

/// The timeout of commands that have it as the last argument.
pub(super) fn last_timeout_ms(args: Args<'_>) -> Option<u64> {
    args.last().and_then(|seconds| timeout_ms(seconds, 0).ok())
}

fn pop_first(txn: &mut Txn<'_>, args: Args<'_>, end: End) -> Answer<'static> {
    let (timeout, keys) = args[1..].split_last().expect("the row wants a key and a timeout");
    timeout_ms(timeout, txn.now_ms())?;
    let limit = node_limit(txn);
    for key in keys {
        if let Some(taken) = take_one(txn, key, end, limit)? {
            return Ok(Reply::Array(vec![named(key), taken.reply()]));
        }
    }
    Ok(Reply::NullArray)
}

/// A key in an answer about what it held.
pub(super) fn named(key: &[u8]) -> Reply<'static> {
    Reply::Bulk(Cow::Owned(key.to_vec()))
}
