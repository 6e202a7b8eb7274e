//! Members drawn at random: SPOP, SRANDMEMBER.

use resp::Reply;

use super::Set;
use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, integer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::draw::{self, Count};
use crate::value::StringValue;

pub(super) const SPOP: Command = Command {
    spec: Spec {
        name: "spop",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(1) without a count, otherwise O(N) for N members returned",
        summary: "Takes members drawn at random out of a set and returns them.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).optional()],
    },
    run: Run::Write(|txn, args| settle(spop(txn, args))),
};

fn spop(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    match args[2..] {
        [] => spop_one(txn, args[1]),
        [count] => spop_many(txn, args[1], count),
        _ => Err(SYNTAX),
    }
}

fn spop_one(txn: &mut Txn<'_>, key: &[u8]) -> Answer<'static> {
    let Some(set) = txn.data::<Set>(key)? else { return Ok(Reply::Null) };
    let place = draw::place(txn, set.len());
    let popped = txn.edit::<Set, _>(key, |set| {
        let popped = set.at(place).reply().into_owned();
        set.remove_all_at(&[place]);
        popped
    })?;
    Ok(popped.expect("looked at just now"))
}

fn spop_many(txn: &mut Txn<'_>, key: &[u8], count: &[u8]) -> Answer<'static> {
    // Redis words it the same for what is no number at all.
    let count = integer(count).ok().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(Reply::error("ERR value is out of range, must be positive"))?;
    let Some(set) = txn.data::<Set>(key)? else { return Ok(Reply::Set(Vec::new())) };
    if count == 0 {
        return Ok(Reply::Set(Vec::new()));
    }
    if count >= set.len() {
        let all = set.iter().map(|member| member.reply().into_owned()).collect();
        txn.remove(key);
        return Ok(Reply::Set(all));
    }
    let places = draw::different(txn, set.len(), count);
    let popped = txn.edit::<Set, _>(key, |set| {
        let popped = set.at_all(&places).iter().map(|member| member.reply().into_owned()).collect();
        set.remove_all_at(&places);
        popped
    })?;
    Ok(Reply::Set(popped.expect("looked at just now")))
}

pub(super) const SRANDMEMBER: Command = Command {
    spec: Spec {
        name: "srandmember",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(1) without a count, otherwise O(N) for N members returned",
        summary: "Returns members drawn at random; with a negative count some may come twice.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).optional()],
    },
    run: Run::Read(|view, args| settle(srandmember(view, args))),
};

fn srandmember<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let count = match args[2..] {
        [] => None,
        [count] => Some(Count::read(count)?),
        _ => return Err(SYNTAX),
    };
    let set = view.data::<Set>(args[1])?;
    let Some(count) = count else {
        return Ok(set.map_or(Reply::Null, |set| set.at(draw::place(view, set.len())).reply()));
    };
    let Some(set) = set else { return Ok(Reply::Array(Vec::new())) };
    let drawn = set.at_all(&count.places(view, set.len())?);
    if count.repeats() {
        draw::check_bytes(drawn.iter().map(StringValue::len))?;
    }
    Ok(Reply::Array(drawn.iter().map(StringValue::reply).collect()))
}
