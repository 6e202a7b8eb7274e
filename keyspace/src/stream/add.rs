//! XADD, and XSETID that says what it goes on from.

use std::borrow::Cow;

use resp::Reply;

use super::Stream;
use super::id::{self, Id, NewId};
use super::node::{Field, NodeLimits};
use super::trim::{LIMIT, OPERATOR, Options, STRATEGY, Trim};
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::limits::{Limit, Limits};
use crate::txn::Edit;

pub(super) const XADD: Command = Command {
    spec: Spec {
        name: "xadd",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)), and O(M) for M entries trimmed",
        summary: "Adds an entry at the end of a stream.",
        arity: -5,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: &[
            Arg::key("key"),
            Arg::keyword("nomkstream", "NOMKSTREAM").optional(),
            Arg::new(
                "trim",
                ArgKind::Block(&[
                    STRATEGY,
                    OPERATOR,
                    Arg::new("threshold", ArgKind::String),
                    LIMIT,
                ]),
            )
            .optional(),
            Arg::new(
                "id_or_auto",
                ArgKind::OneOf(&[Arg::keyword("auto_id", "*"), Arg::new("id", ArgKind::String)]),
            ),
            Arg::new(
                "field_value",
                ArgKind::Block(&[
                    Arg::new("field", ArgKind::String),
                    Arg::new("value", ArgKind::String),
                ]),
            )
            .multiple(),
        ],
    },
    run: Run::Write(|txn, args| settle(xadd(txn, args))),
};

const TOO_LARGE: Reply<'static> = Reply::error("ERR Elements are too large to be stored");

/// An entry to add.
struct Addition<'a> {
    id: NewId,
    fields: &'a [Field<'a>],
    trim: Option<Trim>,
    now_ms: u64,
    limits: NodeLimits,
}

fn xadd(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (mut options, mut must_exist) = (Options::default(), false);
    let mut rest = &args[2..];
    let id = loop {
        let [option, tail @ ..] = rest else { break None };
        if option == b"*" {
            rest = tail;
            break Some(NewId::Now);
        }
        if options.read(&mut rest)? {
            continue;
        }
        rest = tail;
        if !is(option, "NOMKSTREAM") {
            break Some(NewId::parse(option)?);
        }
        must_exist = true;
    };
    let trim = options.trim(txn.limits(), false)?;
    let (Some(id), (fields @ [_, ..], [])) = (id, rest.as_chunks()) else {
        return Err(Reply::error("ERR wrong number of arguments for 'xadd' command"));
    };
    if id == NewId::Is(Id::MIN) {
        return Err(Reply::error("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let limits = node_limits(txn.limits());
    let addition = Addition { id, fields, trim, now_ms: txn.now_ms(), limits };
    let add = |stream: &mut Edit<'_, Stream>| {
        let added = addition.apply(stream);
        if added.is_err() {
            stream.unchanged();
        }
        added
    };
    // Nothing but its size keeps an entry from becoming a new stream's first.
    let id = if must_exist || !NodeLimits::can_store(fields) {
        match txn.edit(args[1], add)? {
            Some(added) => added?,
            None if must_exist => return Ok(Reply::Null),
            None => return Err(TOO_LARGE),
        }
    } else {
        txn.edit_or_create(args[1], add)??
    };
    Ok(id.reply())
}

fn node_limits(limits: Limits) -> NodeLimits {
    NodeLimits {
        bytes: limits.size(Limit::StreamBytes),
        entries: limits.size(Limit::StreamEntries),
    }
}

impl Addition<'_> {
    /// Adds the entry; its id.
    fn apply(&self, stream: &mut Stream) -> Result<Id, Reply<'static>> {
        let log = &mut stream.log;
        if log.last_id() == Id::MAX {
            return Err(Reply::error(
                "ERR The stream has exhausted the last possible ID, unable to add more items",
            ));
        }
        let id = self.id.behind(log.last_id(), self.now_ms).ok_or(Reply::error(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ))?;
        if !NodeLimits::can_store(self.fields) {
            return Err(TOO_LARGE);
        }
        log.append(id, self.fields, self.limits);
        if let Some(trim) = self.trim {
            log.trim(trim);
        }
        Ok(id)
    }
}

pub(super) const XSETID: Command = Command {
    spec: Spec {
        name: "xsetid",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        summary: "Sets a stream's last id and its counters, as tools do that copy streams.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: &[
            Arg::key("key"),
            Arg::new("last-id", ArgKind::String),
            Arg::new("entries_added", ArgKind::Integer).after("ENTRIESADDED").optional(),
            Arg::new("max_deleted_entry_id", ArgKind::String).after("MAXDELETEDID").optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(xsetid(txn, args))),
};

fn xsetid(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let last_id = id::parse(args[2])?;
    let (mut entries_added, mut max_deleted_id) = (None, Id::MIN);
    let mut rest = &args[3..];
    while let [option, tail @ ..] = rest {
        let [value, tail @ ..] = tail else { return Err(SYNTAX) };
        rest = tail;
        if is(option, "ENTRIESADDED") {
            let added = u64::try_from(integer(value)?);
            entries_added = Some(added.map_err(|_| text("entries_added must be positive"))?);
        } else if is(option, "MAXDELETEDID") {
            max_deleted_id = id::parse(value)?;
            if last_id < max_deleted_id {
                return Err(smaller("provided max_deleted_entry_id"));
            }
        } else {
            return Err(SYNTAX);
        }
    }
    let set = |stream: &mut Edit<'_, Stream>| {
        // Redis tells neither WATCH nor who waits for entries.
        stream.unchanged();
        let log = &mut stream.log;
        if log.last_live_id().is_some_and(|live| last_id < live) {
            return Err(smaller("target stream top item"));
        }
        if log.len() > 0 && entries_added.is_some_and(|added| added < log.len()) {
            return Err(text(
                "The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
        let counters = log.counters_mut();
        counters.last_id = last_id;
        counters.entries_added = entries_added.unwrap_or(counters.entries_added);
        if max_deleted_id != Id::MIN {
            counters.max_deleted_id = max_deleted_id;
        }
        Ok(Reply::OK)
    };
    txn.edit(args[1], set)?.ok_or(Reply::error("ERR no such key"))?
}

fn text(text: &'static str) -> Reply<'static> {
    Reply::Error(Cow::Owned(format!("ERR {text}")))
}

fn smaller(than: &str) -> Reply<'static> {
    let text = format!("ERR The ID specified in XSETID is smaller than the {than}");
    Reply::Error(Cow::Owned(text))
}
