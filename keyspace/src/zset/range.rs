//! Ranges of members: ZRANGE, which can all, its elders, which can a part each, and ZRANGESTORE.

use std::ops::Range;

use resp::Reply;

use super::Zset;
use super::bounds::{Bounds, LexRange, ScoreRange};
use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::{StringValue, Ttl};

const COMPLEXITY: &str = "O(log(N)+M) for M members returned of N";

const BY: Arg = Arg::new(
    "sortby",
    ArgKind::OneOf(&[Arg::keyword("byscore", "BYSCORE"), Arg::keyword("bylex", "BYLEX")]),
)
.optional();
const REV: Arg = Arg::keyword("rev", "REV").optional();
const LIMIT: Arg = Arg::new(
    "offset_count",
    ArgKind::Block(&[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]),
)
.after("LIMIT")
.optional();
const WITHSCORES: Arg = Arg::keyword("withscores", "WITHSCORES").optional();

pub(super) const ZRANGE: Command = Command {
    spec: Spec {
        name: "zrange",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: COMPLEXITY,
        summary: "Returns the members of a range of ranks, scores or bytes.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("start", ArgKind::String),
            Arg::new("stop", ArgKind::String),
            BY,
            REV,
            LIMIT,
            WITHSCORES,
        ],
    },
    run: Run::Read(|view, args| settle(range(view, args, Form::Any))),
};

pub(super) const ZREVRANGE: Command = Command {
    spec: Spec {
        name: "zrevrange",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: COMPLEXITY,
        summary: "Returns the members of a range of ranks, counted from the end.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("start", ArgKind::Integer),
            Arg::new("stop", ArgKind::Integer),
            WITHSCORES,
        ],
    },
    run: Run::Read(|view, args| settle(range(view, args, Form::Fixed(By::Ranks, true)))),
};

pub(super) const ZRANGEBYSCORE: Command = Command {
    spec: Spec {
        name: "zrangebyscore",
        group: Group::SortedSet,
        since: "1.0.5",
        complexity: COMPLEXITY,
        summary: "Returns the members whose scores are within a range.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("min", ArgKind::Double),
            Arg::new("max", ArgKind::Double),
            WITHSCORES,
            LIMIT,
        ],
    },
    run: Run::Read(|view, args| settle(range(view, args, Form::Fixed(By::Scores, false)))),
};

pub(super) const ZREVRANGEBYSCORE: Command = Command {
    spec: Spec {
        name: "zrevrangebyscore",
        group: Group::SortedSet,
        since: "2.2.0",
        complexity: COMPLEXITY,
        summary: "Returns the members whose scores are within a range, the last one first.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("max", ArgKind::Double),
            Arg::new("min", ArgKind::Double),
            WITHSCORES,
            LIMIT,
        ],
    },
    run: Run::Read(|view, args| settle(range(view, args, Form::Fixed(By::Scores, true)))),
};

pub(super) const ZRANGEBYLEX: Command = Command {
    spec: Spec {
        name: "zrangebylex",
        group: Group::SortedSet,
        since: "2.8.9",
        complexity: COMPLEXITY,
        summary: "Returns the members whose bytes are within a range, where all scores are equal.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("min", ArgKind::String),
            Arg::new("max", ArgKind::String),
            LIMIT,
        ],
    },
    run: Run::Read(|view, args| settle(range(view, args, Form::Fixed(By::Lex, false)))),
};

pub(super) const ZREVRANGEBYLEX: Command = Command {
    spec: Spec {
        name: "zrevrangebylex",
        group: Group::SortedSet,
        since: "2.8.9",
        complexity: COMPLEXITY,
        summary: "Returns the members whose bytes are within a range, the last one first.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("max", ArgKind::String),
            Arg::new("min", ArgKind::String),
            LIMIT,
        ],
    },
    run: Run::Read(|view, args| settle(range(view, args, Form::Fixed(By::Lex, true)))),
};

fn range<'v>(view: &'v View<'_>, args: Args<'_>, form: Form) -> Answer<'v> {
    let query = Query::read(&args[2..], form)?;
    let Some(zset) = view.data::<Zset>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let pairs = zset.pairs(query.ranks(zset), query.reverse);
    Ok(if query.with_scores {
        Reply::FlatPairs(
            pairs.map(|(member, score)| (member.reply(), Reply::Double(score))).collect(),
        )
    } else {
        Reply::Array(pairs.map(|(member, _)| member.reply()).collect())
    })
}

pub(super) const ZRANGESTORE: Command = Command {
    spec: Spec {
        name: "zrangestore",
        group: Group::SortedSet,
        since: "6.2.0",
        complexity: "O(log(N)+M) for M members stored of N",
        summary: "Stores the members of a range of ranks, scores or bytes at another key.",
        arity: -5,
        keys: Keys::FIRST_TWO,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("dst"),
            Arg::key("src"),
            Arg::new("min", ArgKind::String),
            Arg::new("max", ArgKind::String),
            BY,
            REV,
            LIMIT,
        ],
    },
    run: Run::Write(|txn, args| settle(zrangestore(txn, args))),
};

fn zrangestore(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let query = Query::read(&args[3..], Form::Stored)?;
    let limits = txn.limits();
    let stored = txn.data::<Zset>(args[2])?.and_then(|zset| {
        let ranks = query.ranks(zset);
        let pairs: Vec<(StringValue<'_>, f64)> = zset.pairs(ranks, false).collect();
        (!pairs.is_empty()).then(|| (pairs.len(), Zset::from_sorted(&pairs, &limits)))
    });
    Ok(store(txn, args[1], stored))
}

/// Stores a command's result and its number of members, or deletes the key if there is none.
pub(crate) fn store(
    txn: &mut Txn<'_>,
    key: &[u8],
    result: Option<(usize, Zset)>,
) -> Reply<'static> {
    let Some((members, zset)) = result else {
        txn.remove(key);
        return Reply::Integer(0);
    };
    txn.put(key, zset, Ttl::Clear);
    Reply::Integer(members as i64)
}

/// By what a range is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Ranks,
    Scores,
    Lex,
}

/// What a command lets its arguments say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// By what, and in which direction.
    Any,
    /// The same, but there are no scores to return.
    Stored,
    /// The command's name has said it, and whether in reverse.
    Fixed(By, bool),
}

struct Query<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    /// Negative: all.
    count: i64,
}

impl<'a> Query<'a> {
    /// Reads both ends and the options behind them.
    fn read(args: &[&'a [u8]], form: Form) -> Result<Query<'a>, Reply<'static>> {
        let (mut by, mut reverse) = match form {
            Form::Any | Form::Stored => (None, false),
            Form::Fixed(by, reverse) => (Some(by), reverse),
        };
        let (mut with_scores, mut offset, mut count) = (false, 0, -1);
        let mut rest = &args[2..];
        while let [option, tail @ ..] = rest {
            rest = tail;
            if form != Form::Stored && is(option, "WITHSCORES") {
                with_scores = true;
            } else if let [first, second, tail @ ..] = rest
                && is(option, "LIMIT")
            {
                (offset, count) = (integer(first)?, integer(second)?);
                rest = tail;
            } else if !matches!(form, Form::Fixed(..)) && !reverse && is(option, "REV") {
                reverse = true;
            } else if by.is_none() && is(option, "BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && is(option, "BYSCORE") {
                by = Some(By::Scores);
            } else {
                return Err(SYNTAX);
            }
        }
        let by = by.unwrap_or(By::Ranks);
        if count != -1 && by == By::Ranks {
            return Err(Reply::error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or \
                 BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(Reply::error(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (min, max) = if reverse { (args[1], args[0]) } else { (args[0], args[1]) };
        let bounds = match by {
            By::Ranks => Bounds::Ranks(integer(args[0])?, integer(args[1])?),
            By::Scores => Bounds::Scores(ScoreRange::read(min, max)?),
            By::Lex => Bounds::Lex(LexRange::read(min, max)?),
        };
        Ok(Query { bounds, reverse, with_scores, offset, count })
    }

    /// The ranks that are meant.
    fn ranks(&self, zset: &Zset) -> Range<usize> {
        let ranks = zset.within(&self.bounds, self.reverse);
        if matches!(self.bounds, Bounds::Ranks(..)) {
            return ranks;
        }
        // A negative offset skips everything.
        let offset = usize::try_from(self.offset).unwrap_or(usize::MAX).min(ranks.len());
        let left = ranks.len() - offset;
        let count = usize::try_from(self.count).map_or(left, |count| count.min(left));
        if self.reverse {
            let end = ranks.end - offset;
            end - count..end
        } else {
            let start = ranks.start + offset;
            start..start + count
        }
    }
}
