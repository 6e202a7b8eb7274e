//! Scores set and changed: ZADD, ZINCRBY.

use resp::Reply;

use super::Zset;
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, double, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);

pub(super) const ZADD: Command = Command {
    spec: Spec {
        name: "zadd",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: "O(log(N)) for each member, with N members in the sorted set",
        summary: "Adds members to a sorted set, or changes their scores.",
        arity: -4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[
            Arg::key("key"),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[Arg::keyword("nx", "NX"), Arg::keyword("xx", "XX")]),
            )
            .optional(),
            Arg::new(
                "comparison",
                ArgKind::OneOf(&[Arg::keyword("gt", "GT"), Arg::keyword("lt", "LT")]),
            )
            .optional(),
            Arg::keyword("change", "CH").optional(),
            Arg::keyword("increment", "INCR").optional(),
            Arg::new(
                "score_member",
                ArgKind::Block(&[
                    Arg::new("score", ArgKind::Double),
                    Arg::new("member", ArgKind::String),
                ]),
            )
            .multiple(),
        ],
    },
    run: Run::Write(|txn, args| settle(add(txn, args, Options::default()))),
};

pub(super) const ZINCRBY: Command = Command {
    spec: Spec {
        name: "zincrby",
        group: Group::SortedSet,
        since: "1.2.0",
        complexity: "O(log(N)) with N members in the sorted set",
        summary: "Adds to a member's score; a missing member counts as 0.",
        arity: 4,
        keys: Keys::FIRST,
        flags: FLAGS,
        args: &[
            Arg::key("key"),
            Arg::new("increment", ArgKind::Integer),
            Arg::new("member", ArgKind::String),
        ],
    },
    run: Run::Write(|txn, args| {
        settle(add(txn, args, Options { increment: true, ..Options::default() }))
    }),
};

/// When and how a score is set.
#[derive(Clone, Copy, Default)]
pub(crate) struct Options {
    pub(crate) only_new: bool,
    pub(crate) only_old: bool,
    pub(crate) only_greater: bool,
    pub(crate) only_less: bool,
    pub(crate) count_changes: bool,
    pub(crate) increment: bool,
}

impl Options {
    /// Takes note of a keyword; whether it is one.
    fn read(&mut self, argument: &[u8]) -> bool {
        let options = [
            ("NX", &mut self.only_new),
            ("XX", &mut self.only_old),
            ("GT", &mut self.only_greater),
            ("LT", &mut self.only_less),
            ("CH", &mut self.count_changes),
            ("INCR", &mut self.increment),
        ];
        let found = options.into_iter().find(|(keyword, _)| is(argument, keyword));
        found.map(|(_, option)| *option = true).is_some()
    }

    fn check(&self, members: usize) -> Result<(), Reply<'static>> {
        let Options { only_new, only_old, only_greater, only_less, .. } = *self;
        if only_new && only_old {
            return Err(Reply::error("ERR XX and NX options at the same time are not compatible"));
        }
        if (only_new && (only_greater || only_less)) || (only_greater && only_less) {
            return Err(Reply::error(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.increment && members > 1 {
            return Err(Reply::error("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// A member's score from now on, or why it stays as it is.
    fn decide(&self, before: Option<f64>, given: f64) -> Outcome {
        let Some(before) = before else {
            return if self.only_old { Outcome::Refused } else { Outcome::Added(given) };
        };
        if self.only_new {
            return Outcome::Refused;
        }
        let score = if self.increment { before + given } else { given };
        if score.is_nan() {
            Outcome::NotANumber
        } else if (self.only_less && score >= before) || (self.only_greater && score <= before) {
            Outcome::Refused
        } else if score == before {
            Outcome::Same(score)
        } else {
            Outcome::Changed(score)
        }
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Added(f64),
    Changed(f64),
    Same(f64),
    Refused,
    NotANumber,
}

fn add(txn: &mut Txn<'_>, args: Args<'_>, mut options: Options) -> Answer<'static> {
    let mut rest = &args[2..];
    while let [option, tail @ ..] = rest
        && options.read(option)
    {
        rest = tail;
    }
    let (pairs, odd) = rest.as_chunks::<2>();
    if pairs.is_empty() || !odd.is_empty() {
        return Err(SYNTAX);
    }
    options.check(pairs.len())?;
    if let [[increment, member]] = pairs {
        let increment = double(increment)?;
        return add_all(txn, args[1], &options, std::iter::once((increment, *member)));
    }
    // Read before anything changes: one bad score, and nothing is done.
    let scores = pairs.iter().map(|[score, _]| double(score));
    let scores: Vec<f64> = scores.collect::<Result<_, Reply<'static>>>()?;
    let members = pairs.iter().map(|[_, member]| *member);
    let pairs = scores.into_iter().zip(members);
    add_all(txn, args[1], &options, pairs)
}

/// Adds members whose scores were read.
pub(crate) fn add_all<'m>(
    txn: &mut Txn<'_>,
    key: &[u8],
    options: &Options,
    pairs: impl Iterator<Item = (f64, &'m [u8])>,
) -> Answer<'static> {
    let limits = txn.limits();
    txn.edit_or_create::<Zset, _>(key, |zset| {
        let (mut added, mut changed) = (0, 0);
        let mut last = None;
        for (given, member) in pairs {
            let mut outcome = Outcome::Refused;
            zset.update(member, &limits, |before| {
                outcome = options.decide(before, given);
                match outcome {
                    Outcome::Added(score) | Outcome::Changed(score) => Some(score),
                    Outcome::Same(_) | Outcome::Refused | Outcome::NotANumber => None,
                }
            });
            match outcome {
                Outcome::Added(_) => added += 1,
                Outcome::Changed(_) => changed += 1,
                Outcome::Same(_) | Outcome::Refused => {}
                // Only increments can end so, and those come alone.
                Outcome::NotANumber => {
                    zset.unchanged();
                    return Err(Reply::error("ERR resulting score is not a number (NaN)"));
                }
            }
            last = match outcome {
                Outcome::Added(score) | Outcome::Changed(score) | Outcome::Same(score) => {
                    Some(score)
                }
                Outcome::Refused | Outcome::NotANumber => None,
            };
        }
        if added + changed == 0 {
            zset.unchanged();
        }
        Ok(match last {
            _ if !options.increment => {
                Reply::Integer(if options.count_changes { added + changed } else { added })
            }
            Some(score) => Reply::Double(score),
            None => Reply::Null,
        })
    })?
}
