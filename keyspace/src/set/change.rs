//! Adding members and taking them out: SADD, SREM, SMOVE.

use resp::Reply;

use super::Set;
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::StringValue;

pub(super) const SADD: Command = Command {
    spec: Spec {
        name: "sadd",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N) for N members to add",
        summary: "Adds members to a set, which is created if it does not exist.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String).multiple()],
    },
    run: Run::Write(|txn, args| settle(sadd(txn, args))),
};

fn sadd(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (members, limits) = (&args[2..], txn.limits());
    let added = txn.edit_or_create::<Set, _>(args[1], |set| {
        set.expect(StringValue::Bytes(members[0]), members.len(), &limits);
        let mut added = 0;
        for member in members {
            added += i64::from(set.add(StringValue::Bytes(member), &limits));
        }
        if added == 0 {
            set.unchanged();
        }
        added
    })?;
    Ok(Reply::Integer(added))
}

pub(super) const SREM: Command = Command {
    spec: Spec {
        name: "srem",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N) for N members to take out",
        summary: "Takes members out of a set, and deletes it with the last one.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String).multiple()],
    },
    run: Run::Write(|txn, args| settle(srem(txn, args))),
};

fn srem(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let removed = txn.edit::<Set, _>(args[1], |set| {
        let mut removed = 0;
        for member in &args[2..] {
            removed += i64::from(set.remove(StringValue::Bytes(member)));
        }
        if removed == 0 {
            set.unchanged();
        }
        removed
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0)))
}

pub(super) const SMOVE: Command = Command {
    spec: Spec {
        name: "smove",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Takes a member out of one set and adds it to another.",
        arity: 4,
        keys: Keys::FIRST_TWO,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("source"), Arg::key("destination"), Arg::new("member", ArgKind::String)],
    },
    run: Run::Write(|txn, args| settle(smove(txn, args))),
};

fn smove(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (source, destination, member) = (args[1], args[2], StringValue::Bytes(args[3]));
    // Only a source that exists makes the destination's type matter.
    let Some(set) = txn.data::<Set>(source)? else { return Ok(Reply::Integer(0)) };
    let exists = txn.data::<Set>(destination)?.is_some();
    let is_member = set.contains(member);
    if !is_member || source == destination {
        return Ok(Reply::Integer(is_member.into()));
    }
    let limits = txn.limits();
    txn.edit::<Set, _>(source, |set| set.remove(member))?;
    txn.edit_or_create::<Set, _>(destination, |set| {
        if !exists {
            set.expect(member, 1, &limits);
        }
        if !set.add(member, &limits) {
            set.unchanged();
        }
    })?;
    Ok(Reply::Integer(1))
}
