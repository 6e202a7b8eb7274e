//! Members removed: ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use resp::Reply;

use super::Zset;
use super::bounds::{Bounds, LexRange, ScoreRange};
use crate::access::Txn;
use crate::argument::{Answer, integer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const ZREM: Command = Command {
    spec: Spec {
        name: "zrem",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: "O(M*log(N)) for M members removed from N",
        summary: "Removes members from a sorted set.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String).multiple()],
    },
    run: Run::Write(|txn, args| settle(zrem(txn, args))),
};

fn zrem(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let removed = txn.edit::<Zset, _>(args[1], |zset| {
        let removed = args[2..].iter().filter(|member| zset.remove(member).is_some()).count();
        if removed == 0 {
            zset.unchanged();
        }
        removed
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0) as i64))
}

pub(super) const ZREMRANGEBYRANK: Command = Command {
    spec: Spec {
        name: "zremrangebyrank",
        group: Group::SortedSet,
        since: "2.0.0",
        complexity: "O(log(N)+M) for M members removed from N",
        summary: "Removes the members of a range of ranks.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE,
        args: &[
            Arg::key("key"),
            Arg::new("start", ArgKind::Integer),
            Arg::new("stop", ArgKind::Integer),
        ],
    },
    run: Run::Write(|txn, args| {
        let ranks = || Ok(Bounds::Ranks(integer(args[2])?, integer(args[3])?));
        settle(ranks().and_then(|bounds| remove_within(txn, args[1], &bounds)))
    }),
};

pub(super) const ZREMRANGEBYSCORE: Command = Command {
    spec: Spec {
        name: "zremrangebyscore",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: "O(log(N)+M) for M members removed from N",
        summary: "Removes the members whose scores are within a range.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE,
        args: &[
            Arg::key("key"),
            Arg::new("min", ArgKind::Double),
            Arg::new("max", ArgKind::Double),
        ],
    },
    run: Run::Write(|txn, args| {
        let range = ScoreRange::read(args[2], args[3]).map(Bounds::Scores);
        settle(range.and_then(|bounds| remove_within(txn, args[1], &bounds)))
    }),
};

pub(super) const ZREMRANGEBYLEX: Command = Command {
    spec: Spec {
        name: "zremrangebylex",
        group: Group::SortedSet,
        since: "2.8.9",
        complexity: "O(log(N)+M) for M members removed from N",
        summary: "Removes the members whose bytes are within a range, where all scores are equal.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE,
        args: &[
            Arg::key("key"),
            Arg::new("min", ArgKind::String),
            Arg::new("max", ArgKind::String),
        ],
    },
    run: Run::Write(|txn, args| {
        let range = LexRange::read(args[2], args[3]).map(Bounds::Lex);
        settle(range.and_then(|bounds| remove_within(txn, args[1], &bounds)))
    }),
};

fn remove_within(txn: &mut Txn<'_>, key: &[u8], bounds: &Bounds<'_>) -> Answer<'static> {
    let removed = txn.edit::<Zset, _>(key, |zset| {
        let ranks = zset.within(bounds, false);
        let count = ranks.len();
        if count == 0 {
            zset.unchanged();
        } else {
            zset.remove_range(ranks);
        }
        count
    })?;
    Ok(Reply::Integer(removed.unwrap_or(0) as i64))
}
