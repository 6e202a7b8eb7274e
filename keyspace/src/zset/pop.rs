//! Members taken from an end: ZPOPMIN, ZPOPMAX, ZMPOP, and BZPOPMIN, BZPOPMAX, BZMPOP, which wait
//! for one.

use resp::Reply;

use super::Zset;
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Block, Command, Flags, Group, Keys, Run, Spec};
use crate::timeout::timeout_ms;
use crate::value::WrongType;

const END: Arg =
    Arg::new("where", ArgKind::OneOf(&[Arg::keyword("min", "MIN"), Arg::keyword("max", "MAX")]));
const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").optional();

pub(super) const ZPOPMIN: Command = Command {
    spec: Spec {
        name: "zpopmin",
        group: Group::SortedSet,
        since: "5.0.0",
        complexity: "O(log(N)*M) for M members removed from N",
        summary: "Removes the members with the lowest scores and returns them.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).optional()],
    },
    run: Run::Write(|txn, args| settle(zpop(txn, args, End::Min))),
};

pub(super) const ZPOPMAX: Command = Command {
    spec: Spec {
        name: "zpopmax",
        group: Group::SortedSet,
        since: "5.0.0",
        complexity: "O(log(N)*M) for M members removed from N",
        summary: "Removes the members with the highest scores and returns them.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("count", ArgKind::Integer).optional()],
    },
    run: Run::Write(|txn, args| settle(zpop(txn, args, End::Max))),
};

fn zpop(txn: &mut Txn<'_>, args: Args<'_>, end: End) -> Answer<'static> {
    let count = match args[2..] {
        [] => None,
        [count] => Some(number(count, 0, "ERR value is out of range, must be positive")?),
        _ => return Err(SYNTAX),
    };
    let popped = pop(txn, args[1], end, count.unwrap_or(1))?;
    Ok(match count {
        Some(_) => Reply::FlatPairs(popped),
        // A single pair is not wrapped even in RESP3.
        None => {
            Reply::Array(popped.into_iter().flat_map(|(member, score)| [member, score]).collect())
        }
    })
}

pub(super) const ZMPOP: Command = Command {
    spec: Spec {
        name: "zmpop",
        group: Group::SortedSet,
        since: "7.0.0",
        complexity: "O(K)+O(M*log(N)) for K keys and M members removed from N",
        summary: "Removes members from an end of the first sorted set that has any, and returns \
                  them.",
        arity: -4,
        keys: Keys::Counted { at: 1 },
        flags: Flags::WRITE.and(Flags::MOVABLE_KEYS),
        args: &[Arg::new("numkeys", ArgKind::Integer), Arg::key("key").multiple(), END, COUNT],
    },
    run: Run::Write(|txn, args| settle(zmpop(txn, &args[1..]))),
};

fn zmpop(txn: &mut Txn<'_>, args: &[&[u8]]) -> Answer<'static> {
    let wanted = Wanted::read(args)?;
    pop_first(txn, &wanted)
}

pub(super) const BZPOPMIN: Command = Command {
    spec: Spec {
        name: "bzpopmin",
        group: Group::SortedSet,
        since: "5.0.0",
        complexity: "O(log(N)) with N members in the sorted set",
        summary: "Removes the member with the lowest score of the first sorted set that has any, \
                  and returns it; waits for one if there is none.",
        arity: -3,
        keys: Keys::Range { first: 1, last: -2, step: 1 },
        flags: Flags::WRITE.and(Flags::NOSCRIPT).and(Flags::BLOCKING).and(Flags::FAST),
        args: &[Arg::key("key").multiple(), Arg::new("timeout", ArgKind::Double)],
    },
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(bzpop(txn, args, End::Min))),
        timeout_ms: |args| timeout_ms(args[args.len() - 1], 0).ok(),
        later: |_, _| None,
        waits_out_types: true,
    }),
};

pub(super) const BZPOPMAX: Command = Command {
    spec: Spec {
        name: "bzpopmax",
        group: Group::SortedSet,
        since: "5.0.0",
        complexity: "O(log(N)) with N members in the sorted set",
        summary: "Removes the member with the highest score of the first sorted set that has any, \
                  and returns it; waits for one if there is none.",
        arity: -3,
        keys: Keys::Range { first: 1, last: -2, step: 1 },
        flags: Flags::WRITE.and(Flags::NOSCRIPT).and(Flags::BLOCKING).and(Flags::FAST),
        args: &[Arg::key("key").multiple(), Arg::new("timeout", ArgKind::Double)],
    },
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(bzpop(txn, args, End::Max))),
        timeout_ms: |args| timeout_ms(args[args.len() - 1], 0).ok(),
        later: |_, _| None,
        waits_out_types: true,
    }),
};

fn bzpop(txn: &mut Txn<'_>, args: Args<'_>, end: End) -> Answer<'static> {
    let [_, keys @ .., timeout] = args else { unreachable!("the arity says so") };
    timeout_ms(timeout, txn.now_ms())?;
    let Some((key, popped)) = pop_from(txn, keys, end, 1)? else { return Ok(Reply::NullArray) };
    let pair = popped.into_iter().flat_map(|(member, score)| [member, score]);
    Ok(Reply::Array(std::iter::once(key).chain(pair).collect()))
}

pub(super) const BZMPOP: Command = Command {
    spec: Spec {
        name: "bzmpop",
        group: Group::SortedSet,
        since: "7.0.0",
        complexity: "O(K)+O(M*log(N)) for K keys and M members removed from N",
        summary: "Removes members from an end of the first sorted set that has any, and returns \
                  them; waits for one if there is none.",
        arity: -5,
        keys: Keys::Counted { at: 2 },
        flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLE_KEYS),
        args: &[
            Arg::new("timeout", ArgKind::Double),
            Arg::new("numkeys", ArgKind::Integer),
            Arg::key("key").multiple(),
            END,
            COUNT,
        ],
    },
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(bzmpop(txn, args))),
        timeout_ms: |args| timeout_ms(args[1], 0).ok(),
        later: |_, _| None,
        waits_out_types: true,
    }),
};

fn bzmpop(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let wanted = Wanted::read(&args[2..])?;
    timeout_ms(args[1], txn.now_ms())?;
    pop_first(txn, &wanted)
}

/// Which members are taken first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

/// What ZMPOP's arguments say, from the number of keys on.
struct Wanted<'k, 'a> {
    keys: &'k [&'a [u8]],
    end: End,
    count: usize,
}

impl<'k, 'a> Wanted<'k, 'a> {
    fn read(args: &'k [&'a [u8]]) -> Result<Wanted<'k, 'a>, Reply<'static>> {
        let keys = number(args[0], 1, "ERR numkeys should be greater than 0")?;
        let (keys, rest) = args[1..].split_at_checked(keys).ok_or(SYNTAX)?;
        let (end, rest) = rest.split_first().ok_or(SYNTAX)?;
        let end = if is(end, "MIN") {
            End::Min
        } else if is(end, "MAX") {
            End::Max
        } else {
            return Err(SYNTAX);
        };
        let count = match rest {
            [] => 1,
            [option, count, rest @ ..] if is(option, "COUNT") => {
                let count = number(count, 1, "ERR count should be greater than 0")?;
                if !rest.is_empty() {
                    return Err(SYNTAX);
                }
                count
            }
            _ => return Err(SYNTAX),
        };
        Ok(Wanted { keys, end, count })
    }
}

/// A number of at least `min`, or an error that does not tell what is wrong with it.
fn number(argument: &[u8], min: i64, error: &'static str) -> Result<usize, Reply<'static>> {
    let number = integer(argument).ok().filter(|number| *number >= min);
    number.and_then(|number| usize::try_from(number).ok()).ok_or(Reply::error(error))
}

/// Members as they are answered, with their scores.
type Popped = Vec<(Reply<'static>, Reply<'static>)>;

/// ZMPOP's answer.
fn pop_first(txn: &mut Txn<'_>, wanted: &Wanted<'_, '_>) -> Answer<'static> {
    let Some((key, popped)) = pop_from(txn, wanted.keys, wanted.end, wanted.count)? else {
        return Ok(Reply::NullArray);
    };
    let pairs = popped.into_iter().map(|(member, score)| Reply::Array(vec![member, score]));
    Ok(Reply::Array(vec![key, Reply::Array(pairs.collect())]))
}

/// Pops from the first key that exists.
fn pop_from(
    txn: &mut Txn<'_>,
    keys: &[&[u8]],
    end: End,
    count: usize,
) -> Result<Option<(Reply<'static>, Popped)>, WrongType> {
    for key in keys {
        let popped = pop(txn, key, end, count)?;
        if !popped.is_empty() {
            return Ok(Some((Reply::Bulk(key.to_vec().into()), popped)));
        }
    }
    Ok(None)
}

/// Takes up to `count` members from an end.
fn pop(txn: &mut Txn<'_>, key: &[u8], end: End, count: usize) -> Result<Popped, WrongType> {
    let popped = txn.edit::<Zset, _>(key, |zset| {
        let len = zset.len();
        let count = count.min(len);
        if count == 0 {
            zset.unchanged();
        }
        let ranks = if end == End::Min { 0..count } else { len - count..len };
        let pairs = zset.pairs(ranks.clone(), end == End::Max);
        let popped = pairs
            .map(|(member, score)| (member.reply().into_owned(), Reply::Double(score)))
            .collect();
        zset.remove_range(ranks);
        popped
    })?;
    Ok(popped.unwrap_or_default())
}
