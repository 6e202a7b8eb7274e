//! What a group has pending: XACK settles it, XPENDING lists it.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use resp::Reply;

use super::group::{Group as ConsumerGroup, Pending};
use super::id::{self, Id, parse_range};
use super::{Stream, no_key_or_group};
use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const XACK: Command = Command {
    spec: Spec {
        name: "xack",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)) for each entry, of N pending",
        summary: "Acknowledges entries, which the group has pending no longer.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[
            Arg::key("key"),
            Arg::new("group", ArgKind::String),
            Arg::new("id", ArgKind::String).multiple(),
        ],
    },
    run: Run::Write(|txn, args| settle(xack(txn, args))),
};

fn xack(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let stream = txn.data::<Stream>(args[1])?;
    if stream.and_then(|stream| stream.groups.get(args[2])).is_none() {
        return Ok(Reply::Integer(0));
    }
    // All are read before the first is settled.
    let ids = args[3..].iter().map(|id| id::parse(id)).collect::<Result<Vec<Id>, _>>()?;
    let settled = txn.edit::<Stream, _>(args[1], |stream| {
        stream.unchanged();
        stream
            .edit_group(args[2], |group, _| ids.into_iter().filter(|id| group.settle(*id)).count())
    })?;
    Ok(Reply::Integer(settled.flatten().unwrap_or(0) as i64))
}

pub(super) const XPENDING: Command = Command {
    spec: Spec {
        name: "xpending",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(N) for N entries returned, or looked at with IDLE; without a range O(N) for \
                     N consumers",
        summary: "Returns what a group has pending, in short or entry by entry.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("group", ArgKind::String),
            Arg::new(
                "filters",
                ArgKind::Block(&[
                    Arg::new("min-idle-time", ArgKind::Integer).after("IDLE").optional(),
                    Arg::new("start", ArgKind::String),
                    Arg::new("end", ArgKind::String),
                    Arg::new("count", ArgKind::Integer),
                    Arg::new("consumer", ArgKind::String).optional(),
                ]),
            )
            .optional(),
        ],
    },
    run: Run::Read(|view, args| settle(xpending(view, args))),
};

fn xpending<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let filter = Filter::read(&args[3..])?;
    let stream = view.data::<Stream>(args[1])?;
    let group = stream.and_then(|stream| stream.groups.get(args[2]));
    let group = group.ok_or_else(|| no_key_or_group(args[1], args[2]))?;
    Ok(match filter {
        Some(filter) => filter.list(group, view.now_ms()),
        None => summary(group),
    })
}

/// How many entries are pending, the first and the last, and how many of each consumer.
fn summary(group: &ConsumerGroup) -> Reply<'_> {
    let Some((first, last)) = group.ends() else {
        return Reply::Array(vec![Reply::Integer(0), Reply::Null, Reply::Null, Reply::NullArray]);
    };
    let busy = group.consumers().filter(|consumer| consumer.len() > 0);
    let counts = busy.map(|consumer| {
        let count = Reply::BulkInteger(consumer.len() as i64);
        Reply::Array(vec![Reply::Bulk(Cow::Borrowed(consumer.name())), count])
    });
    Reply::Array(vec![
        Reply::Integer(group.len() as i64),
        first.reply(),
        last.reply(),
        Reply::Array(counts.collect()),
    ])
}

/// Which entries are to be listed.
struct Filter<'a> {
    idle_ms_min: i64,
    ids: RangeInclusive<Id>,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// Reads what follows the group; `None`: nothing does.
    fn read(rest: &[&'a [u8]]) -> Result<Option<Filter<'a>>, Reply<'static>> {
        if !matches!(rest.len(), 0 | 3..=6) {
            return Err(SYNTAX);
        }
        let (idle_ms_min, rest) = match rest {
            [] => return Ok(None),
            [option, idle_ms_min, rest @ ..] if is(option, "IDLE") => (integer(idle_ms_min)?, rest),
            rest => (0, rest),
        };
        let [start, end, count, rest @ ..] = rest else { return Err(SYNTAX) };
        let count = usize::try_from(integer(count)?).unwrap_or(0);
        let ids = parse_range(start, end)?;
        // Redis leaves a word behind the consumer unread.
        Ok(Some(Filter { idle_ms_min, ids, count, consumer: rest.first().copied() }))
    }

    fn list<'v>(&self, group: &'v ConsumerGroup, now_ms: u64) -> Reply<'v> {
        let start = *self.ids.start();
        let listed = match self.consumer.map(|name| group.number(name)) {
            None => self.those(group, group.pending_from(start), now_ms),
            Some(Some(number)) => {
                self.those(group, group.pending_of(group.consumer(number), start), now_ms)
            }
            Some(None) => Vec::new(),
        };
        Reply::Array(listed)
    }

    fn those<'v>(
        &self,
        group: &'v ConsumerGroup,
        pending: impl Iterator<Item = (Id, &'v Pending)>,
        now_ms: u64,
    ) -> Vec<Reply<'v>> {
        let idle_ms = |pending: &Pending| now_ms.wrapping_sub(pending.delivery.at_ms) as i64;
        let within = pending.take_while(|(id, _)| id <= self.ids.end());
        let idle = within
            .filter(|(_, pending)| self.idle_ms_min == 0 || idle_ms(pending) >= self.idle_ms_min);
        let reply = |(id, pending): (Id, &'v Pending)| {
            Reply::Array(vec![
                id.reply(),
                Reply::Bulk(Cow::Borrowed(group.consumer(pending.consumer).name())),
                Reply::Integer(idle_ms(pending).max(0)),
                Reply::Integer(pending.delivery.count as i64),
            ])
        };
        idle.take(self.count).map(reply).collect()
    }
}
