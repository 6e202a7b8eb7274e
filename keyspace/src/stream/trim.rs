//! Taking entries out: XDEL by their ids, XTRIM and XADD's options from the front.

use resp::Reply;

use super::Stream;
use super::id::{self, Id};
use super::log::Strategy;
pub(super) use super::log::Trim;
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::limits::{Limit, Limits};

pub(super) const STRATEGY: Arg = Arg::new(
    "strategy",
    ArgKind::OneOf(&[Arg::keyword("maxlen", "MAXLEN"), Arg::keyword("minid", "MINID")]),
);
pub(super) const OPERATOR: Arg = Arg::new(
    "operator",
    ArgKind::OneOf(&[Arg::keyword("equal", "="), Arg::keyword("approximately", "~")]),
)
.optional();
pub(super) const LIMIT: Arg = Arg::new("count", ArgKind::Integer).after("LIMIT").optional();

pub(super) const XTRIM: Command = Command {
    spec: Spec {
        name: "xtrim",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(N) for N entries trimmed, but most go a node at a time",
        summary: "Deletes the first entries of a stream, all but so many or up to an id.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::WRITE,
        args: &[
            Arg::key("key"),
            Arg::new(
                "trim",
                ArgKind::Block(&[
                    STRATEGY,
                    OPERATOR,
                    Arg::new("threshold", ArgKind::String),
                    LIMIT,
                ]),
            ),
        ],
    },
    run: Run::Write(|txn, args| settle(xtrim(txn, args))),
};

fn xtrim(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let mut options = Options::default();
    let mut rest = &args[2..];
    while !rest.is_empty() {
        if !options.read(&mut rest)? {
            return Err(SYNTAX);
        }
    }
    let trim = options.trim(txn.limits(), true)?;
    let trimmed = txn.edit::<Stream, _>(args[1], |stream| {
        let trimmed = trim.map_or(0, |trim| stream.log.trim(trim));
        if trimmed == 0 {
            stream.unchanged();
        }
        trimmed
    })?;
    Ok(Reply::Integer(trimmed.unwrap_or(0) as i64))
}

/// Without LIMIT an approximate trim goes on for so many full nodes, which bounds its time.
const NODES_MAX: i64 = 100;

/// How many entries that may be at most, and how many if nodes have no limit (Redis' figures).
const ENTRIES_MAX: i64 = 1_000_000;
const ENTRIES_OF_ENDLESS_NODES: i64 = 10_000;

/// What is to be trimmed, as far as it was read.
#[derive(Default)]
pub(super) struct Options {
    strategy: Option<Strategy>,
    is_approximate: bool,
    limit: Option<u64>,
}

impl Options {
    /// Reads an option from the front; whether there was one.
    pub(super) fn read(&mut self, rest: &mut &[&[u8]]) -> Result<bool, Reply<'static>> {
        let [option, value, tail @ ..] = *rest else { return Ok(false) };
        if is(option, "LIMIT") {
            let limit = u64::try_from(integer(value)?).ok();
            let negative = Reply::error("ERR The LIMIT argument must be >= 0.");
            self.limit = Some(limit.ok_or(negative)?);
            *rest = tail;
            return Ok(true);
        }
        let is_maxlen = is(option, "MAXLEN");
        if !is_maxlen && !is(option, "MINID") {
            return Ok(false);
        }
        if self.strategy.is_some() {
            return Err(Reply::error(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let (operator, value, tail) = match (*value, tail) {
            (b"~" | b"=", [threshold, tail @ ..]) => (*value, *threshold, tail),
            _ => (b"=".as_slice(), *value, tail),
        };
        self.is_approximate = operator == b"~";
        self.strategy = Some(if is_maxlen {
            let len_max = u64::try_from(integer(value)?).ok();
            let negative = Reply::error("ERR The MAXLEN argument must be >= 0.");
            Strategy::MaxLen(len_max.ok_or(negative)?)
        } else {
            Strategy::MinId(id::parse(value)?)
        });
        *rest = tail;
        Ok(true)
    }

    /// What is to be trimmed; `None`: nothing, which is an error where there must be something.
    pub(super) fn trim(
        &self,
        limits: Limits,
        is_required: bool,
    ) -> Result<Option<Trim>, Reply<'static>> {
        if self.strategy.is_none() {
            if self.limit.is_some_and(|limit| limit > 0) {
                return Err(Reply::error(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                ));
            }
            if is_required {
                return Err(Reply::error(
                    "ERR syntax error, XTRIM must be called with a trimming strategy",
                ));
            }
        }
        if self.limit.is_some() && !self.is_approximate {
            return Err(Reply::error(
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
        let of_nodes = match NODES_MAX * limits.get(Limit::StreamEntries) {
            0 => ENTRIES_OF_ENDLESS_NODES,
            entries => entries.min(ENTRIES_MAX),
        };
        let limit = match (self.is_approximate, self.limit) {
            (true, limit) => limit.unwrap_or(of_nodes as u64),
            (false, _) => 0,
        };
        let is_approximate = self.is_approximate;
        Ok(self.strategy.map(|strategy| Trim { strategy, is_approximate, limit }))
    }
}

pub(super) const XDEL: Command = Command {
    spec: Spec {
        name: "xdel",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)) for each entry, of N",
        summary: "Deletes entries of a stream.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("id", ArgKind::String).multiple()],
    },
    run: Run::Write(|txn, args| settle(xdel(txn, args))),
};

fn xdel(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    if txn.data::<Stream>(args[1])?.is_none() {
        return Ok(Reply::Integer(0));
    }
    // All are read before the first is deleted.
    let ids = args[2..].iter().map(|id| id::parse(id)).collect::<Result<Vec<Id>, _>>()?;
    let deleted = txn.edit::<Stream, _>(args[1], |stream| {
        let deleted = ids.into_iter().filter(|id| stream.log.delete(*id)).count();
        if deleted == 0 {
            stream.unchanged();
        }
        deleted
    })?;
    Ok(Reply::Integer(deleted.unwrap_or(0) as i64))
}
