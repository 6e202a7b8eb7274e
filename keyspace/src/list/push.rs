//! LPUSH, RPUSH, and LPUSHX and RPUSHX, which create no list.

use resp::Reply;

use super::element::End;
use super::{ELEMENT, KEY, List, NodeLimit, node_limit};
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const LPUSH: Command = Command {
    spec: row("lpush", "1.0.0", "Adds elements before a list's first, one after the other."),
    run: Run::Write(|txn, args| settle(push(txn, args, End::Left))),
};

pub(super) const RPUSH: Command = Command {
    spec: row("rpush", "1.0.0", "Adds elements behind a list's last, in order."),
    run: Run::Write(|txn, args| settle(push(txn, args, End::Right))),
};

pub(super) const LPUSHX: Command = Command {
    spec: row("lpushx", "2.2.0", "Adds elements before a list's first, if the list exists."),
    run: Run::Write(|txn, args| settle(push_if_there(txn, args, End::Left))),
};

pub(super) const RPUSHX: Command = Command {
    spec: row("rpushx", "2.2.0", "Adds elements behind a list's last, if the list exists."),
    run: Run::Write(|txn, args| settle(push_if_there(txn, args, End::Right))),
};

const ARGS: &[Arg] = &[KEY, ELEMENT.multiple()];

const fn row(name: &'static str, since: &'static str, summary: &'static str) -> Spec {
    Spec {
        name,
        group: Group::List,
        since,
        complexity: "O(N) for N elements added",
        summary,
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: ARGS,
    }
}

fn push(txn: &mut Txn<'_>, args: Args<'_>, end: End) -> Answer<'static> {
    let limit = node_limit(txn);
    let len = txn.edit_or_create(args[1], |list| add(list, &args[2..], end, limit))?;
    Ok(Reply::Integer(len as i64))
}

fn push_if_there(txn: &mut Txn<'_>, args: Args<'_>, end: End) -> Answer<'static> {
    let limit = node_limit(txn);
    let len = txn.edit(args[1], |list| add(list, &args[2..], end, limit))?;
    Ok(Reply::Integer(len.unwrap_or(0) as i64))
}

/// Adds elements one after the other; the list's length then.
fn add(list: &mut List, values: &[&[u8]], end: End, limit: NodeLimit) -> usize {
    list.make_room(values, limit);
    for value in values {
        list.push(end, value, limit);
    }
    list.len()
}
