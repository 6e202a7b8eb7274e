//! XINFO: what is known of a stream, its groups and their consumers.

use std::borrow::Cow;

use resp::Reply;

use super::group::{Consumer, Group as ConsumerGroup, Pending};
use super::id::Id;
use super::log::Log;
use super::node::Entry;
use super::{Counters, Progress, Stream, bad_subcommand, no_group, range};
use crate::access::View;
use crate::argument::{Answer, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const XINFO: Command = Command {
    spec: Spec {
        name: "xinfo",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "Depends on the subcommand",
        summary: "Holds commands that look at streams and their groups.",
        arity: -2,
        keys: Keys::None,
        flags: Flags::NONE,
        args: &[],
    },
    run: Run::Container(&[CONSUMERS, GROUPS, HELP, STREAM]),
};

/// A map's entries: names in front of values.
type Fields<'v> = Vec<(Reply<'v>, Reply<'v>)>;

fn field<'v>(name: &'static str, value: Reply<'v>) -> (Reply<'v>, Reply<'v>) {
    (Reply::Bulk(Cow::Borrowed(name.as_bytes())), value)
}

fn integer_field<'v>(name: &'static str, value: u64) -> (Reply<'v>, Reply<'v>) {
    field(name, Reply::Integer(value as i64))
}

fn text<'v>(text: &'v [u8]) -> Reply<'v> {
    Reply::Bulk(Cow::Borrowed(text))
}

/// An integer, or null where it is not known.
fn known<'v>(number: Option<i64>) -> Reply<'v> {
    number.map_or(Reply::Null, Reply::Integer)
}

fn stream<'v>(view: &'v View<'_>, args: Args<'_>) -> Result<&'v Stream, Reply<'static>> {
    view.data::<Stream>(args[2])?.ok_or(Reply::error("ERR no such key"))
}

const STREAM: Command = Command {
    spec: Spec {
        name: "stream",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(1); with FULL, O(N) for N entries, pending entries and consumers returned",
        summary: "Returns what is known of a stream, with FULL also of its groups.",
        arity: -3,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new(
                "full",
                ArgKind::Block(&[Arg::new("count", ArgKind::Integer).after("COUNT").optional()]),
            )
            .after("FULL")
            .optional(),
        ],
    },
    run: Run::Read(|view, args| settle(stream_info(view, args))),
};

/// How many entries, and pending entries of each group and consumer, FULL returns.
const FULL_COUNT: usize = 10;

fn stream_info<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let stream = stream(view, args)?;
    let full = match &args[3..] {
        [] => None,
        [full] if is(full, "FULL") => Some(FULL_COUNT),
        [full, option, count] if is(full, "FULL") && is(option, "COUNT") => {
            match usize::try_from(integer(count)?) {
                Ok(0) => Some(usize::MAX),
                count => Some(count.unwrap_or(FULL_COUNT)),
            }
        }
        _ => return Err(bad_subcommand(args)),
    };
    let mut fields = about_log(&stream.log);
    match full {
        None => {
            let all = || Id::MIN..=Id::MAX;
            let reply = |entry: Option<Entry<'v>>| entry.as_ref().map_or(Reply::Null, range::reply);
            let first = reply(stream.log.range(all()).next());
            let last = reply(stream.log.range_back(all()).next());
            fields.extend([
                integer_field("groups", stream.groups.len() as u64),
                field("first-entry", first),
                field("last-entry", last),
            ]);
        }
        Some(count) => {
            let entries = stream.log.range(Id::MIN..=Id::MAX).take(count);
            let entries = entries.map(|entry| range::reply(&entry)).collect();
            let groups = stream.groups.iter();
            let groups = groups.map(|(name, group)| full_group(name, group, &stream.log, count));
            fields.push(field("entries", Reply::Array(entries)));
            fields.push(field("groups", Reply::Array(groups.collect())));
        }
    }
    Ok(Reply::Map(fields))
}

fn about_log<'v>(log: &Log) -> Fields<'v> {
    let Counters { last_id, max_deleted_id, entries_added } = *log.counters();
    let nodes = log.nodes().len() as u64;
    vec![
        integer_field("length", log.len()),
        integer_field("radix-tree-keys", nodes),
        // There is no radix tree; Redis' has one more for none and one, and some more for many.
        integer_field("radix-tree-nodes", nodes + 1),
        field("last-generated-id", last_id.reply()),
        field("max-deleted-entry-id", max_deleted_id.reply()),
        integer_field("entries-added", entries_added),
        field("recorded-first-entry-id", log.first_id().reply()),
    ]
}

fn full_group<'v>(name: &'v [u8], group: &'v ConsumerGroup, log: &Log, count: usize) -> Reply<'v> {
    let Progress { last_id, entries_read } = group.progress();
    let pending = group.pending_from(Id::MIN).take(count).map(|(id, pending)| {
        let consumer = group.consumer(pending.consumer);
        Reply::Array(vec![
            id.reply(),
            text(consumer.name()),
            Reply::Integer(pending.delivery.at_ms as i64),
            Reply::Integer(pending.delivery.count as i64),
        ])
    });
    let consumers = group.consumers().map(|consumer| full_consumer(group, consumer, count));
    Reply::Map(vec![
        field("name", text(name)),
        field("last-delivered-id", last_id.reply()),
        field("entries-read", known(entries_read.map(|count| count as i64))),
        field("lag", known(group.lag(log))),
        integer_field("pel-count", group.len() as u64),
        field("pending", Reply::Array(pending.collect())),
        field("consumers", Reply::Array(consumers.collect())),
    ])
}

fn full_consumer<'v>(group: &'v ConsumerGroup, consumer: &'v Consumer, count: usize) -> Reply<'v> {
    let times = consumer.times();
    let pending = |(id, pending): (Id, &Pending)| {
        Reply::Array(vec![
            id.reply(),
            Reply::Integer(pending.delivery.at_ms as i64),
            Reply::Integer(pending.delivery.count as i64),
        ])
    };
    let pending = group.pending_of(consumer, Id::MIN).take(count).map(pending);
    let active_ms = times.active_ms.map_or(-1, |active_ms| active_ms as i64);
    Reply::Map(vec![
        field("name", text(consumer.name())),
        integer_field("seen-time", times.seen_ms),
        field("active-time", Reply::Integer(active_ms)),
        integer_field("pel-count", consumer.len() as u64),
        field("pending", Reply::Array(pending.collect())),
    ])
}

const GROUPS: Command = Command {
    spec: Spec {
        name: "groups",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(N) for N groups",
        summary: "Returns what is known of a stream's groups.",
        arity: 3,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::READONLY,
        args: &[Arg::key("key")],
    },
    run: Run::Read(|view, args| settle(groups_info(view, args))),
};

fn groups_info<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let stream = stream(view, args)?;
    let about = |(name, group): (&'v [u8], &'v ConsumerGroup)| {
        let Progress { last_id, entries_read } = group.progress();
        Reply::Map(vec![
            field("name", text(name)),
            integer_field("consumers", group.consumers().len() as u64),
            integer_field("pending", group.len() as u64),
            field("last-delivered-id", last_id.reply()),
            field("entries-read", known(entries_read.map(|count| count as i64))),
            field("lag", known(group.lag(&stream.log))),
        ])
    };
    Ok(Reply::Array(stream.groups.iter().map(about).collect()))
}

const CONSUMERS: Command = Command {
    spec: Spec {
        name: "consumers",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(N) for N consumers",
        summary: "Returns what is known of a group's consumers.",
        arity: 4,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::READONLY,
        args: &[Arg::key("key"), Arg::new("groupname", ArgKind::String)],
    },
    run: Run::Read(|view, args| settle(consumers_info(view, args))),
};

fn consumers_info<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let stream = stream(view, args)?;
    let group = stream.groups.get(args[3]).ok_or_else(|| no_group(args[2], args[3]))?;
    let since = |time_ms: u64| view.now_ms().saturating_sub(time_ms) as i64;
    let about = |consumer: &'v Consumer| {
        let times = consumer.times();
        Reply::Map(vec![
            field("name", text(consumer.name())),
            integer_field("pending", consumer.len() as u64),
            field("idle", Reply::Integer(since(times.seen_ms))),
            field("inactive", Reply::Integer(times.active_ms.map_or(-1, since))),
        ])
    };
    Ok(Reply::Array(group.consumers().map(about).collect()))
}

const HELP: Command = Command {
    spec: Spec {
        name: "help",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        summary: "Lists the subcommands of XINFO.",
        arity: 2,
        keys: Keys::None,
        flags: Flags::LOADING.and(Flags::STALE),
        args: &[],
    },
    run: Run::Read(|_, _| {
        const LINES: [&str; 9] = [
            "XINFO <subcommand> [<argument> ...]. The subcommands:",
            "CONSUMERS <key> <group>",
            "    What is known of a group's consumers.",
            "GROUPS <key>",
            "    What is known of a stream's groups.",
            "STREAM <key> [FULL [COUNT <count>]]",
            "    What is known of a stream; with FULL also of its groups, and some entries.",
            "HELP",
            "    This text.",
        ];
        Reply::Array(LINES.iter().map(|&line| Reply::Status(Cow::Borrowed(line))).collect())
    }),
};
