//! Sets made of sets: SINTER, SUNION, SDIFF, their STORE forms, SINTERCARD.
//!
//! A key that does not exist is an empty set. The order of an answer follows from the sets alone:
//! an intersection is in the order of its smallest set, a union in the order in which its members
//! are met (integers ascend if there is nothing else), a difference in the order of its first set.

use std::collections::HashSet;

use resp::Reply;

use super::Set;
use super::data::integer;
use crate::access::{Txn, View};
use crate::argument::{self, Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::limits::Limits;
use crate::listpack::Listpack;
use crate::object::Data;
use crate::value::{StringValue, Ttl, WrongType};

const KEYS: &[Arg] = &[Arg::key("key").multiple()];
const DESTINATION_AND_KEYS: &[Arg] = &[Arg::key("destination"), Arg::key("key").multiple()];
const STORES: Flags = Flags::WRITE.and(Flags::DENYOOM);

pub(super) const SINTER: Command = Command {
    spec: Spec {
        name: "sinter",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N*M) at worst for M sets of which the smallest has N members",
        summary: "Returns the members that several sets have in common.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::READONLY,
        args: KEYS,
    },
    run: Run::Read(|view, args| settle(sinter(view, args))),
};

fn sinter<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let sets = sets(view, &args[1..])?;
    Ok(answer(intersection(&all_present(&sets))))
}

pub(super) const SINTERSTORE: Command = Command {
    spec: Spec {
        name: "sinterstore",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N*M) at worst for M sets of which the smallest has N members",
        summary: "Stores the members that several sets have in common at a key.",
        arity: -3,
        keys: Keys::EVERY,
        flags: STORES,
        args: DESTINATION_AND_KEYS,
    },
    run: Run::Write(|txn, args| settle(sinterstore(txn, args))),
};

fn sinterstore(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let limits = txn.limits();
    let sets = by_size(&all_present(&sets(txn, &args[2..])?));
    // As in Redis: an intset if the smallest set is one, else a listpack to begin with.
    let mut result = match sets.first() {
        Some(Set::Ints(_)) | None => Set::default(),
        Some(Set::Small(_) | Set::Large(_)) => Set::Small(Listpack::new()),
    };
    let mut only_integers = true;
    for member in intersection(&sets) {
        only_integers &= integer(member).is_some();
        result.add(member, &limits);
    }
    if only_integers {
        result.narrow(&limits);
    }
    Ok(store(txn, args[1], result))
}

pub(super) const SINTERCARD: Command = Command {
    spec: Spec {
        name: "sintercard",
        group: Group::Set,
        since: "7.0.0",
        complexity: "O(N*M) at worst for M sets of which the smallest has N members",
        summary: "Returns how many members several sets have in common.",
        arity: -3,
        keys: Keys::Counted { at: 1 },
        flags: Flags::READONLY.and(Flags::MOVABLE_KEYS),
        args: &[
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key").multiple(),
            Arg::new("limit", ArgKind::Integer).after("LIMIT").optional(),
        ],
    },
    run: Run::Read(|view, args| settle(sintercard(view, args))),
};

fn sintercard<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let numkeys = argument::integer(args[1]).ok().and_then(|count| usize::try_from(count).ok());
    let numkeys = numkeys.filter(|count| *count > 0);
    let numkeys = numkeys.ok_or(Reply::error("ERR numkeys should be greater than 0"))?;
    let Some((keys, mut rest)) = args[2..].split_at_checked(numkeys) else {
        return Err(Reply::error("ERR Number of keys can't be greater than number of args"));
    };
    let mut limit = 0;
    while let [option, value, tail @ ..] = rest {
        if !is(option, "LIMIT") {
            return Err(SYNTAX);
        }
        let value = argument::integer(value).ok().and_then(|limit| usize::try_from(limit).ok());
        limit = value.ok_or(Reply::error("ERR LIMIT can't be negative"))?;
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(SYNTAX);
    }
    let limit = if limit == 0 { usize::MAX } else { limit };
    let sets = sets(view, keys)?;
    Ok(Reply::Integer(intersection(&all_present(&sets)).take(limit).count() as i64))
}

pub(super) const SUNION: Command = Command {
    spec: Spec {
        name: "sunion",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N) for N members of all the sets",
        summary: "Returns every member of several sets.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::READONLY,
        args: KEYS,
    },
    run: Run::Read(|view, args| settle(sunion(view, args))),
};

fn sunion<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let sets: Vec<&Set> = sets(view, &args[1..])?.into_iter().flatten().collect();
    if sets.iter().all(|set| matches!(set, Set::Ints(_))) {
        let mut integers: Vec<i64> =
            sets.iter().flat_map(|set| set.iter()).filter_map(integer).collect();
        integers.sort_unstable();
        integers.dedup();
        return Ok(answer(integers.into_iter().map(StringValue::Int)));
    }
    let mut met = HashSet::new();
    let members = sets.iter().flat_map(|set| set.iter());
    Ok(answer(members.filter(|member| met.insert(canonical(*member)))))
}

/// The same for the same member of whatever set.
fn canonical(member: StringValue<'_>) -> StringValue<'_> {
    integer(member).map_or(member, StringValue::Int)
}

pub(super) const SUNIONSTORE: Command = Command {
    spec: Spec {
        name: "sunionstore",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N) for N members of all the sets",
        summary: "Stores every member of several sets at a key.",
        arity: -3,
        keys: Keys::EVERY,
        flags: STORES,
        args: DESTINATION_AND_KEYS,
    },
    run: Run::Write(|txn, args| settle(sunionstore(txn, args))),
};

fn sunionstore(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let limits = txn.limits();
    let mut result = Set::default();
    for set in sets(txn, &args[2..])?.into_iter().flatten() {
        add_all(&mut result, set, &limits);
    }
    Ok(store(txn, args[1], result))
}

pub(super) const SDIFF: Command = Command {
    spec: Spec {
        name: "sdiff",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N) for N members of all the sets",
        summary: "Returns the members of the first set that are in none of the others.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::READONLY,
        args: KEYS,
    },
    run: Run::Read(|view, args| settle(sdiff(view, args))),
};

fn sdiff<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    Ok(match Difference::plan(&sets(view, &args[1..])?) {
        Difference::Nothing => Reply::Set(Vec::new()),
        Difference::BySearch(first, others) => answer(remaining(first, &others)),
        Difference::ByRemoval(first, others) => {
            let gone = gone(first, &others);
            answer(first.iter().filter(|member| !gone.contains(&canonical(*member))))
        }
    })
}

pub(super) const SDIFFSTORE: Command = Command {
    spec: Spec {
        name: "sdiffstore",
        group: Group::Set,
        since: "1.0.0",
        complexity: "O(N) for N members of all the sets",
        summary: "Stores the members of the first set that are in none of the others at a key.",
        arity: -3,
        keys: Keys::EVERY,
        flags: STORES,
        args: DESTINATION_AND_KEYS,
    },
    run: Run::Write(|txn, args| settle(sdiffstore(txn, args))),
};

fn sdiffstore(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let limits = txn.limits();
    let mut result = Set::default();
    match Difference::plan(&sets(txn, &args[2..])?) {
        Difference::Nothing => {}
        Difference::BySearch(first, others) => {
            for member in remaining(first, &others) {
                result.add(member, &limits);
            }
        }
        Difference::ByRemoval(first, others) => {
            // Redis does just this, so the encoding may be that of the whole first set.
            add_all(&mut result, first, &limits);
            for member in others.iter().flat_map(|set| set.iter()) {
                result.remove(member);
            }
        }
    }
    Ok(store(txn, args[1], result))
}

/// How a difference is made.
enum Difference<'v> {
    /// It is empty.
    Nothing,
    /// Each member of the first set is looked for in the others.
    BySearch(&'v Set, Vec<&'v Set>),
    /// Each member of the others is taken out.
    ByRemoval(&'v Set, Vec<&'v Set>),
}

impl<'v> Difference<'v> {
    fn plan(sets: &[Option<&'v Set>]) -> Difference<'v> {
        let Some((Some(first), others)) = sets.split_first() else { return Difference::Nothing };
        let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
        if others.iter().any(|other| std::ptr::eq(*other, *first)) {
            return Difference::Nothing;
        }
        let search = first.len().saturating_mul(others.len() + 1);
        let removal = others.iter().fold(first.len(), |sum, other| sum + other.len());
        // A search ends at the first set that has the member, which half of the time comes early.
        if search / 2 > removal {
            return Difference::ByRemoval(first, others);
        }
        // Larger sets are likelier to have it.
        others.sort_by_key(|other| std::cmp::Reverse(other.len()));
        Difference::BySearch(first, others)
    }
}

/// Members of the first set that are in none of the others.
fn remaining<'v>(first: &'v Set, others: &[&Set]) -> impl Iterator<Item = StringValue<'v>> {
    first.iter().filter(|member| !others.iter().any(|other| other.contains(*member)))
}

/// Members of the first set that are in one of the others.
fn gone<'v>(first: &Set, others: &[&'v Set]) -> HashSet<StringValue<'v>> {
    let members = others.iter().flat_map(|other| other.iter());
    members.filter(|member| first.contains(*member)).map(canonical).collect()
}

/// The sets at these keys, all looked at before anything is done: one of another type refuses the
/// command.
fn sets<'v>(view: &'v View<'_>, keys: &[&[u8]]) -> Result<Vec<Option<&'v Set>>, WrongType> {
    keys.iter().map(|key| view.data::<Set>(key)).collect()
}

/// The sets, or none at all if one is missing.
fn all_present<'v>(sets: &[Option<&'v Set>]) -> Vec<&'v Set> {
    sets.iter().copied().collect::<Option<Vec<&Set>>>().unwrap_or_default()
}

/// The smallest first.
fn by_size<'v>(sets: &[&'v Set]) -> Vec<&'v Set> {
    let mut sets = sets.to_vec();
    sets.sort_by_key(|set| set.len());
    sets
}

/// What all these sets have in common, in the order of the smallest.
fn intersection<'v>(sets: &[&'v Set]) -> impl Iterator<Item = StringValue<'v>> + use<'v> {
    let mut others = by_size(sets).into_iter();
    let first = others.next();
    let others: Vec<&Set> =
        others.filter(|other| first.is_none_or(|first| !std::ptr::eq(first, *other))).collect();
    let is_in_all =
        move |member: &StringValue<'_>| others.iter().all(|other| other.contains(*member));
    first.into_iter().flat_map(Set::iter).filter(is_in_all)
}

fn add_all(result: &mut Set, set: &Set, limits: &Limits) {
    for member in set.iter() {
        result.add(member, limits);
    }
}

/// Sets `key` to a result, or deletes it if that is empty; answers with the number of members.
fn store(txn: &mut Txn<'_>, key: &[u8], result: Set) -> Reply<'static> {
    let len = result.len();
    if result.is_empty() {
        txn.remove(key);
    } else {
        txn.put(key, result, Ttl::Clear);
    }
    Reply::Integer(len as i64)
}

fn answer<'v>(members: impl Iterator<Item = StringValue<'v>>) -> Reply<'v> {
    Reply::Set(members.map(|member| member.reply()).collect())
}
