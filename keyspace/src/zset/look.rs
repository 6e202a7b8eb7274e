//! Single members and counts, read: ZSCORE, ZMSCORE, ZCARD, ZCOUNT, ZLEXCOUNT, ZRANK, ZREVRANK.

use resp::Reply;

use super::Zset;
use super::bounds::{Bounds, LexRange, ScoreRange};
use crate::access::View;
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

const FLAGS: Flags = Flags::READONLY.and(Flags::FAST);

pub(super) const ZSCORE: Command = Command {
    spec: Spec {
        name: "zscore",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: "O(1)",
        summary: "Returns the score of a member of a sorted set.",
        arity: 3,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String)],
    },
    run: Run::Read(|view, args| settle(zscore(view, args))),
};

fn zscore<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let zset = view.data::<Zset>(args[1])?;
    Ok(score_reply(zset, args[2]))
}

fn score_reply(zset: Option<&Zset>, member: &[u8]) -> Reply<'static> {
    zset.and_then(|zset| zset.score(member)).map_or(Reply::Null, Reply::Double)
}

pub(super) const ZMSCORE: Command = Command {
    spec: Spec {
        name: "zmscore",
        group: Group::SortedSet,
        since: "6.2.0",
        complexity: "O(N) for N members asked for",
        summary: "Returns the scores of members of a sorted set.",
        arity: -3,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String).multiple()],
    },
    run: Run::Read(|view, args| settle(zmscore(view, args))),
};

fn zmscore<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let zset = view.data::<Zset>(args[1])?;
    Ok(Reply::Array(args[2..].iter().map(|member| score_reply(zset, member)).collect()))
}

pub(super) const ZCARD: Command = Command {
    spec: Spec {
        name: "zcard",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: "O(1)",
        summary: "Returns the number of members in a sorted set.",
        arity: 2,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(zcard(view, args))),
};

fn zcard<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    Ok(count(view.data::<Zset>(args[1])?.map_or(0, Zset::len)))
}

pub(super) const ZCOUNT: Command = Command {
    spec: Spec {
        name: "zcount",
        group: Group::SortedSet,
        since: "2.0.0",
        complexity: "O(log(N)) with N members in the sorted set",
        summary: "Counts the members whose scores are within a range.",
        arity: 4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[
            Arg::key("key"),
            Arg::new("min", ArgKind::Double),
            Arg::new("max", ArgKind::Double),
        ],
    },
    run: Run::Read(|view, args| settle(zcount(view, args))),
};

fn zcount<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let bounds = Bounds::Scores(ScoreRange::read(args[2], args[3])?);
    count_within(view, args[1], &bounds)
}

pub(super) const ZLEXCOUNT: Command = Command {
    spec: Spec {
        name: "zlexcount",
        group: Group::SortedSet,
        since: "2.8.9",
        complexity: "O(log(N)) with N members in the sorted set",
        summary: "Counts the members whose bytes are within a range, where all scores are equal.",
        arity: 4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[
            Arg::key("key"),
            Arg::new("min", ArgKind::String),
            Arg::new("max", ArgKind::String),
        ],
    },
    run: Run::Read(|view, args| settle(zlexcount(view, args))),
};

fn zlexcount<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let bounds = Bounds::Lex(LexRange::read(args[2], args[3])?);
    count_within(view, args[1], &bounds)
}

fn count_within<'v>(view: &View<'_>, key: &[u8], bounds: &Bounds<'_>) -> Answer<'v> {
    let zset = view.data::<Zset>(key)?;
    Ok(count(zset.map_or(0, |zset| zset.within(bounds, false).len())))
}

fn count(members: usize) -> Reply<'static> {
    Reply::Integer(members as i64)
}

const RANK_ARGS: &[Arg] = &[
    Arg::key("key"),
    Arg::new("member", ArgKind::String),
    Arg::keyword("withscore", "WITHSCORE").optional(),
];

pub(super) const ZRANK: Command = Command {
    spec: Spec {
        name: "zrank",
        group: Group::SortedSet,
        since: "2.0.0",
        complexity: "O(log(N)) with N members in the sorted set",
        summary: "Returns how many members of a sorted set come before one.",
        arity: -3,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: RANK_ARGS,
    },
    run: Run::Read(|view, args| settle(rank(view, args, false))),
};

pub(super) const ZREVRANK: Command = Command {
    spec: Spec {
        name: "zrevrank",
        group: Group::SortedSet,
        since: "2.0.0",
        complexity: "O(log(N)) with N members in the sorted set",
        summary: "Returns how many members of a sorted set come behind one.",
        arity: -3,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: RANK_ARGS,
    },
    run: Run::Read(|view, args| settle(rank(view, args, true))),
};

fn rank<'v>(view: &'v View<'_>, args: Args<'_>, reverse: bool) -> Answer<'v> {
    let with_score = match &args[3..] {
        [] => false,
        [option] if is(option, "WITHSCORE") => true,
        _ => return Err(SYNTAX),
    };
    let zset = view.data::<Zset>(args[1])?;
    let Some((zset, (rank, score))) = zset.and_then(|zset| Some((zset, zset.rank(args[2])?)))
    else {
        return Ok(if with_score { Reply::NullArray } else { Reply::Null });
    };
    let rank = count(if reverse { zset.len() - 1 - rank } else { rank });
    Ok(if with_score { Reply::Array(vec![rank, Reply::Double(score)]) } else { rank })
}
