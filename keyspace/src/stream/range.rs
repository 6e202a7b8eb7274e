//! Looking at entries by their ids: XLEN, XRANGE, XREVRANGE.

use resp::Reply;

use super::Stream;
use super::id::parse_range;
use super::node::Entry;
use crate::access::View;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const XLEN: Command = Command {
    spec: Spec {
        name: "xlen",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        summary: "Returns the number of entries of a stream.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(xlen(view, args))),
};

fn xlen<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let stream = view.data::<Stream>(args[1])?;
    Ok(Reply::Integer(stream.map_or(0, |stream| stream.log.len() as i64)))
}

const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").optional();

pub(super) const XRANGE: Command = Command {
    spec: Spec {
        name: "xrange",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)+M) for M entries returned of N",
        summary: "Returns the entries of a stream within a range of ids.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("start", ArgKind::String),
            Arg::new("end", ArgKind::String),
            COUNT,
        ],
    },
    run: Run::Read(|view, args| settle(range(view, args, |ids| ids, Order::Forwards))),
};

pub(super) const XREVRANGE: Command = Command {
    spec: Spec {
        name: "xrevrange",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)+M) for M entries returned of N",
        summary: "Returns the entries of a stream within a range of ids, the last first.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("end", ArgKind::String),
            Arg::new("start", ArgKind::String),
            COUNT,
        ],
    },
    run: Run::Read(|view, args| {
        settle(range(view, args, |[end, start]| [start, end], Order::Back))
    }),
};

#[derive(Clone, Copy)]
enum Order {
    Forwards,
    Back,
}

fn range<'v>(
    view: &'v View<'_>,
    args: Args<'_>,
    ordered: fn([&[u8]; 2]) -> [&[u8]; 2],
    order: Order,
) -> Answer<'v> {
    let [start, end] = ordered([args[2], args[3]]);
    let ids = parse_range(start, end)?;
    let mut count = None;
    let mut rest = &args[4..];
    while let [option, tail @ ..] = rest {
        let (true, [value, tail @ ..]) = (is(option, "COUNT"), tail) else { return Err(SYNTAX) };
        count = Some(usize::try_from(integer(value)?).unwrap_or(0));
        rest = tail;
    }
    let Some(stream) = view.data::<Stream>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    Ok(match (count, order) {
        (Some(0), _) => Reply::NullArray,
        (_, Order::Forwards) => entries(stream.log.range(ids), count),
        (_, Order::Back) => entries(stream.log.range_back(ids), count),
    })
}

/// As many entries as are wanted, as they are answered.
fn entries<'v>(found: impl Iterator<Item = Entry<'v>>, count: Option<usize>) -> Reply<'v> {
    Reply::Array(found.take(count.unwrap_or(usize::MAX)).map(|entry| reply(&entry)).collect())
}

/// An entry as it is answered: its id, and its names and values one after the other.
pub(super) fn reply<'v>(entry: &Entry<'v>) -> Reply<'v> {
    let mut fields = Vec::with_capacity(2 * entry.len());
    for (name, value) in entry.fields() {
        fields.extend([name.reply(), value.reply()]);
    }
    Reply::Array(vec![entry.id.reply(), Reply::Array(fields)])
}
