//! Fields drawn at random: HRANDFIELD.

use resp::Reply;

use super::Hash;
use crate::access::View;
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::draw::{self, Count};

pub(super) const HRANDFIELD: Command = Command {
    spec: Spec {
        name: "hrandfield",
        group: Group::Hash,
        since: "6.2.0",
        complexity: "O(N) for N fields returned",
        summary: "Returns fields drawn at random; with a negative count some may come twice.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new(
                "options",
                ArgKind::Block(&[
                    Arg::new("count", ArgKind::Integer),
                    Arg::keyword("withvalues", "WITHVALUES").optional(),
                ]),
            )
            .optional(),
        ],
    },
    run: Run::Read(|view, args| settle(hrandfield(view, args))),
};

fn hrandfield<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let [count, options @ ..] = &args[2..] else {
        let hash = view.data::<Hash>(args[1])?;
        let drawn = hash.map(|hash| hash.at(draw::place(view, hash.len())));
        return Ok(drawn.map_or(Reply::Null, |(field, _)| field.reply()));
    };
    let count = Count::read(count)?;
    let with_values = match options {
        [] => false,
        [option] if is(option, "WITHVALUES") => true,
        _ => return Err(SYNTAX),
    };
    if with_values && count.is_too_many_pairs() {
        return Err(draw::TOO_MANY);
    }
    let Some(hash) = view.data::<Hash>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let drawn = hash.at_all(&count.places(view, hash.len())?);
    if count.repeats() {
        draw::check_bytes(drawn.iter().map(|(field, value)| field.len() + value.len()))?;
    }
    Ok(if with_values {
        Reply::FlatPairs(
            drawn.iter().map(|(field, value)| (field.reply(), value.reply())).collect(),
        )
    } else {
        Reply::Array(drawn.iter().map(|(field, _)| field.reply()).collect())
    })
}
