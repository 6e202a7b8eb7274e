//! Commands that change a list anywhere: LINSERT, LREM, LSET, LTRIM.

use resp::Reply;

use super::element::{End, Wanted};
use super::look::place;
use super::{ELEMENT, KEY, List, node_limit};
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, index_range, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::txn::Edit;

pub(super) const LSET: Command = Command {
    spec: Spec {
        name: "lset",
        group: Group::List,
        since: "1.0.0",
        complexity: "O(N) for N elements between the place and the nearer end, \
                     which are passed many at a time",
        summary: "Puts an element in the place of another.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[KEY, Arg::new("index", ArgKind::Integer), ELEMENT],
    },
    run: Run::Write(|txn, args| settle(lset(txn, args))),
};

fn lset(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let Some(list) = txn.data::<List>(args[1])? else {
        return Err(Reply::error("ERR no such key"));
    };
    let Some(index) = place(integer(args[2])?, list.len()) else {
        return Err(Reply::error("ERR index out of range"));
    };
    let limit = node_limit(txn);
    txn.edit(args[1], |list: &mut Edit<'_, List>| {
        list.make_room(&args[3..], limit);
        list.set(index, args[3], limit);
        // A small element may have taken a large one's place.
        list.shrink(limit);
    })?;
    Ok(Reply::OK)
}

pub(super) const LINSERT: Command = Command {
    spec: Spec {
        name: "linsert",
        group: Group::List,
        since: "2.2.0",
        complexity: "O(N) for N elements up to the pivot",
        summary: "Adds an element before or after the first that equals the pivot.",
        arity: 5,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            KEY,
            Arg::new(
                "where",
                ArgKind::OneOf(&[Arg::keyword("before", "BEFORE"), Arg::keyword("after", "AFTER")]),
            ),
            Arg::new("pivot", ArgKind::String),
            ELEMENT,
        ],
    },
    run: Run::Write(|txn, args| settle(linsert(txn, args))),
};

fn linsert(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let behind = match args[2] {
        before if is(before, "BEFORE") => 0,
        after if is(after, "AFTER") => 1,
        _ => return Err(SYNTAX),
    };
    let Some(list) = txn.data::<List>(args[1])? else { return Ok(Reply::Integer(0)) };
    let pivot = Wanted::new(args[3]);
    let Some(pivot) = list.iter().position(|element| pivot.is(element)) else {
        return Ok(Reply::Integer(-1));
    };
    let limit = node_limit(txn);
    let len = txn.edit(args[1], |list: &mut Edit<'_, List>| {
        list.make_room(&args[4..], limit);
        list.insert(pivot + behind, args[4], limit);
        list.len()
    })?;
    Ok(Reply::Integer(len.unwrap_or(0) as i64))
}

pub(super) const LREM: Command = Command {
    spec: Spec {
        name: "lrem",
        group: Group::List,
        since: "1.0.0",
        complexity: "O(N) for N elements of the list",
        summary: "Takes elements out that are equal to one.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE,
        args: &[KEY, Arg::new("count", ArgKind::Integer), ELEMENT],
    },
    run: Run::Write(|txn, args| settle(lrem(txn, args))),
};

fn lrem(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (count_max, from) = match integer(args[2])? {
        0 => (usize::MAX, End::Left),
        count @ 1.. => (usize::try_from(count).unwrap_or(usize::MAX), End::Left),
        count => (usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX), End::Right),
    };
    let limit = node_limit(txn);
    let removed = txn.edit(args[1], |list: &mut Edit<'_, List>| {
        let removed = list.remove_equal(Wanted::new(args[3]), count_max, from, limit);
        if removed > 0 {
            list.shrink(limit);
        } else {
            list.unchanged();
        }
        removed
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0) as i64))
}

pub(super) const LTRIM: Command = Command {
    spec: Spec {
        name: "ltrim",
        group: Group::List,
        since: "1.0.0",
        complexity: "O(N) for N elements taken out",
        summary: "Takes all elements out but those between two places.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE,
        args: &[KEY, Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
    },
    run: Run::Write(|txn, args| settle(ltrim(txn, args))),
};

fn ltrim(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let limit = node_limit(txn);
    txn.edit(args[1], |list: &mut Edit<'_, List>| {
        let len = list.len();
        let kept = index_range(start, stop, len);
        list.remove_at_end(End::Right, len - kept.end);
        list.remove_at_end(End::Left, kept.start);
        list.shrink(limit);
    })?;
    Ok(Reply::OK)
}
