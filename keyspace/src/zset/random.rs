//! ZRANDMEMBER.

use resp::Reply;

use super::Zset;
use crate::access::View;
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::draw::{self, Count};

pub(super) const ZRANDMEMBER: Command = Command {
    spec: Spec {
        name: "zrandmember",
        group: Group::SortedSet,
        since: "6.2.0",
        complexity: "O(N*log(M)) for N members returned of M",
        summary: "Returns members of a sorted set, drawn at random.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new(
                "options",
                ArgKind::Block(&[
                    Arg::new("count", ArgKind::Integer),
                    Arg::keyword("withscores", "WITHSCORES").optional(),
                ]),
            )
            .optional(),
        ],
    },
    run: Run::Read(|view, args| settle(zrandmember(view, args))),
};

fn zrandmember<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let (count, with_scores) = match &args[2..] {
        [] => {
            let zset = view.data::<Zset>(args[1])?;
            return Ok(
                zset.map_or(Reply::Null, |zset| zset.at(draw::place(view, zset.len())).0.reply())
            );
        }
        [count] => (Count::read(count)?, false),
        [count, option] => {
            let count = Count::read(count)?;
            if !is(option, "WITHSCORES") {
                return Err(SYNTAX);
            }
            if count.is_too_many_pairs() {
                return Err(draw::TOO_MANY);
            }
            (count, true)
        }
        [count, ..] => {
            Count::read(count)?;
            return Err(SYNTAX);
        }
    };
    let Some(zset) = view.data::<Zset>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let ranks = count.places(view, zset.len())?;
    let pairs = zset.at_all(&ranks);
    if count.repeats() {
        draw::check_bytes(pairs.iter().map(|(member, _)| member.len()))?;
    }
    Ok(if with_scores {
        Reply::FlatPairs(
            pairs.iter().map(|(member, score)| (member.reply(), Reply::Double(*score))).collect(),
        )
    } else {
        Reply::Array(pairs.iter().map(|(member, _)| member.reply()).collect())
    })
}
