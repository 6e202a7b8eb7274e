//! Looking at sets: SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SSCAN.

use resp::Reply;

use super::Set;
use crate::access::View;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::scan_options::{self, ScanOptions};
use crate::value::StringValue;

pub(super) const SCARD: Command = Command {
    spec: Spec {
        name: "scard",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Returns the number of a set's members.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(scard(view, args))),
};

fn scard<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let set = view.data::<Set>(args[1])?;
    Ok(Reply::Integer(set.map_or(0, Set::len) as i64))
}

pub(super) const SISMEMBER: Command = Command {
    spec: Spec {
        name: "sismember",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Tells whether a string is a member of a set.",
        arity: 3,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String)],
    },
    run: Run::Read(|view, args| settle(sismember(view, args))),
};

fn sismember<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let set = view.data::<Set>(args[1])?;
    Ok(is_member(set, args[2]))
}

pub(super) const SMISMEMBER: Command = Command {
    spec: Spec {
        name: "smismember",
        group: Group::Set,
        since: "6.2.0",
        complexity: "O(N) for N members asked about",
        summary: "Tells of each of several strings whether it is a member of a set.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String).multiple()],
    },
    run: Run::Read(|view, args| settle(smismember(view, args))),
};

fn smismember<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let set = view.data::<Set>(args[1])?;
    Ok(Reply::Array(args[2..].iter().map(|member| is_member(set, member)).collect()))
}

fn is_member(set: Option<&Set>, member: &[u8]) -> Reply<'static> {
    Reply::Integer(set.is_some_and(|set| set.contains(StringValue::Bytes(member))).into())
}

pub(super) const SMEMBERS: Command = Command {
    spec: Spec {
        name: "smembers",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N) for a set of N members",
        summary: "Returns every member of a set.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(smembers(view, args))),
};

fn smembers<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let set = view.data::<Set>(args[1])?;
    Ok(Reply::Set(set.into_iter().flat_map(Set::iter).map(|member| member.reply()).collect()))
}

pub(super) const SSCAN: Command = Command {
    spec: Spec {
        name: "sscan",
        group: Group::Set,
        since: "2.8.0",
        complexity: "O(1) for each call, O(N) for a walk over N members",
        summary: "Walks over the members of a set, some at each call.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: scan_options::OF_ELEMENTS,
    },
    run: Run::Read(|view, args| settle(sscan(view, args))),
};

fn sscan<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let cursor = scan_options::cursor(args[2])?;
    let Some(set) = view.data::<Set>(args[1])? else {
        return Ok(scan_options::reply(0, Vec::new()));
    };
    let options = ScanOptions::of_elements(&args[3..])?;
    let mut found = Vec::new();
    let next = set.scan(cursor, options.count, &mut |member| {
        if options.admits(member.as_bytes(&mut itoa::Buffer::new())) {
            found.push(member.reply());
        }
    });
    Ok(scan_options::reply(next, found))
}
