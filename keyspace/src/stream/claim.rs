//! XCLAIM and XAUTOCLAIM: a consumer takes over what others have had pending for too long.
//!
//! Pending entries that were deleted from the stream meanwhile are settled on the way.

use std::borrow::Cow;

use resp::Reply;

use super::group::{Delivery, Group as ConsumerGroup, Number};
use super::id::{self, Id};
use super::log::Log;
use super::{Stream, no_key_or_group, range};
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

const GROUP: Arg = Arg::new("group", ArgKind::String);
const CONSUMER: Arg = Arg::new("consumer", ArgKind::String);
const MIN_IDLE_TIME: Arg = Arg::new("min-idle-time", ArgKind::String);
const JUSTID: Arg = Arg::keyword("justid", "JUSTID").optional();

pub(super) const XCLAIM: Command = Command {
    spec: Spec {
        name: "xclaim",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)) for each entry, of N pending",
        summary: "Gives pending entries to a consumer as if they were delivered to it.",
        arity: -6,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[
            Arg::key("key"),
            GROUP,
            CONSUMER,
            MIN_IDLE_TIME,
            Arg::new("id", ArgKind::String).multiple(),
            Arg::new("ms", ArgKind::Integer).after("IDLE").optional(),
            Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("TIME").optional(),
            Arg::new("count", ArgKind::Integer).after("RETRYCOUNT").optional(),
            Arg::keyword("force", "FORCE").optional(),
            JUSTID,
            Arg::new("id", ArgKind::String).after("LASTID").optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(xclaim(txn, args))),
};

/// What both commands do with an entry.
struct Claim {
    idle_ms_min: i64,
    now_ms: u64,
    /// When it counts as delivered.
    at_ms: u64,
    /// How often it counts as delivered, instead of once more.
    count: Option<u64>,
    just_id: bool,
}

impl Claim {
    /// Whether an entry has been pending for long enough.
    fn admits(&self, delivery: Delivery) -> bool {
        let idle_ms = self.now_ms.wrapping_sub(delivery.at_ms) as i64;
        self.idle_ms_min == 0 || idle_ms >= self.idle_ms_min
    }

    /// Gives the entry to the consumer, and answers it.
    fn take(
        &self,
        group: &mut ConsumerGroup,
        log: &Log,
        id: Id,
        consumer: Number,
        before: Delivery,
    ) -> Reply<'static> {
        let again = u64::from(!self.just_id);
        let count = self.count.unwrap_or(before.count.wrapping_add(again));
        group.assign(id, consumer, Delivery { at_ms: self.at_ms, count });
        group.note_active(consumer, self.now_ms);
        match log.get(id) {
            Some(entry) if !self.just_id => range::reply(&entry).into_owned(),
            _ => id.reply(),
        }
    }
}

fn xclaim(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    require_group(txn, args)?;
    let idle_ms_min = idle_time(args[4], "XCLAIM")?;
    let ids: Vec<Id> = args[5..].iter().map_while(|id| id::parse(id).ok()).collect();
    let options = Options::read(&args[5 + ids.len()..], txn.now_ms())?;
    let Options { claim, force, last_id } =
        Options { claim: Claim { idle_ms_min, ..options.claim }, ..options };
    let claimed = edit_group(txn, args, |group, log| {
        group.progress.last_id = group.progress.last_id.max(last_id);
        let consumer = group.see(args[3], claim.now_ms);
        let mut claimed = Vec::new();
        for id in ids {
            if log.get(id).is_none() {
                group.settle(id);
                continue;
            }
            let before = match group.pending(id) {
                Some(pending) if claim.admits(pending.delivery) => pending.delivery,
                // Nobody has it, so it has never been idle either.
                None if force => Delivery { at_ms: claim.now_ms, count: 1 },
                _ => continue,
            };
            claimed.push(claim.take(group, log, id, consumer, before));
        }
        claimed
    })?;
    Ok(Reply::Array(claimed))
}

fn require_group(txn: &Txn<'_>, args: Args<'_>) -> Result<(), Reply<'static>> {
    let stream = txn.data::<Stream>(args[1])?;
    let group = stream.and_then(|stream| stream.groups.get(args[2]));
    group.map(|_| ()).ok_or_else(|| no_key_or_group(args[1], args[2]))
}

/// Changes a group that is there; nobody waits for that.
fn edit_group<R>(
    txn: &mut Txn<'_>,
    args: Args<'_>,
    edit: impl FnOnce(&mut ConsumerGroup, &Log) -> R,
) -> Result<R, Reply<'static>> {
    let result = txn.edit::<Stream, _>(args[1], |stream| {
        stream.unchanged();
        stream.edit_group(args[2], edit)
    })?;
    Ok(result.flatten().expect("callers looked"))
}

/// A time in milliseconds; what is negative is 0.
fn idle_time(argument: &[u8], command: &str) -> Result<i64, Reply<'static>> {
    let text = || format!("ERR Invalid min-idle-time argument for {command}");
    let idle_ms = integer(argument).map_err(|_| Reply::Error(Cow::Owned(text())))?;
    Ok(idle_ms.max(0))
}

/// XCLAIM's options.
struct Options {
    claim: Claim,
    /// Also entries that nobody has pending.
    force: bool,
    /// The group has read at least up to here.
    last_id: Id,
}

impl Options {
    fn read(mut rest: &[&[u8]], now_ms: u64) -> Result<Options, Reply<'static>> {
        let (mut at_ms, mut count) = (None, None);
        let (mut force, mut just_id, mut last_id) = (false, false, Id::MIN);
        while let [option, tail @ ..] = rest {
            rest = tail;
            if is(option, "FORCE") {
                force = true;
                continue;
            } else if is(option, "JUSTID") {
                just_id = true;
                continue;
            }
            let [value, tail @ ..] = tail else { return Err(unrecognized(option)) };
            rest = tail;
            let number = |name: &str| {
                let text = || format!("ERR Invalid {name} option argument for XCLAIM");
                integer(value).map_err(|_| Reply::Error(Cow::Owned(text())))
            };
            if is(option, "IDLE") {
                at_ms = Some((now_ms as i64).wrapping_sub(number("IDLE")?));
            } else if is(option, "TIME") {
                at_ms = Some(number("TIME")?);
            } else if is(option, "RETRYCOUNT") {
                count = u64::try_from(number("RETRYCOUNT")?).ok();
            } else if is(option, "LASTID") {
                last_id = id::parse(value)?;
            } else {
                return Err(unrecognized(option));
            }
        }
        // Clocks differ: a time that cannot be is taken for the present, and is no error.
        let at_ms = at_ms.and_then(|at_ms| u64::try_from(at_ms).ok());
        let at_ms = at_ms.map_or(now_ms, |at_ms| at_ms.min(now_ms));
        let claim = Claim { idle_ms_min: 0, now_ms, at_ms, count, just_id };
        Ok(Options { claim, force, last_id })
    }
}

fn unrecognized(option: &[u8]) -> Reply<'static> {
    let option = String::from_utf8_lossy(option);
    Reply::Error(Cow::Owned(format!("ERR Unrecognized XCLAIM option '{option}'")))
}

pub(super) const XAUTOCLAIM: Command = Command {
    spec: Spec {
        name: "xautoclaim",
        group: Group::Stream,
        since: "6.2.0",
        complexity: "O(log(N)) for each entry looked at, of N pending; ten times COUNT at most",
        summary: "Gives pending entries that are idle to a consumer, some at a time.",
        arity: -6,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[
            Arg::key("key"),
            GROUP,
            CONSUMER,
            MIN_IDLE_TIME,
            Arg::new("start", ArgKind::String),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
            JUSTID,
        ],
    },
    run: Run::Write(|txn, args| settle(xautoclaim(txn, args))),
};

/// Entries that are taken over unless COUNT says.
const AUTOCLAIM_COUNT: i64 = 100;

/// For each of them so many are looked at (Redis' factor).
const ATTEMPTS: i64 = 10;

/// The largest COUNT: with an id in memory for each, a size still fits 63 bits (Redis' bound).
const AUTOCLAIM_COUNT_MAX: i64 = i64::MAX / 16;

fn xautoclaim(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let now_ms = txn.now_ms();
    let idle_ms_min = idle_time(args[4], "XAUTOCLAIM")?;
    let start = id::parse_start(args[5])?;
    let (mut count, mut just_id) = (AUTOCLAIM_COUNT, false);
    let mut rest = &args[6..];
    while let [option, tail @ ..] = rest {
        rest = match tail {
            [value, tail @ ..] if is(option, "COUNT") => {
                let bad = Reply::error("ERR COUNT must be > 0");
                let wanted = integer(value).ok().filter(|n| (1..=AUTOCLAIM_COUNT_MAX).contains(n));
                count = wanted.ok_or(bad)?;
                tail
            }
            _ if is(option, "JUSTID") => {
                just_id = true;
                tail
            }
            _ => return Err(SYNTAX),
        };
    }
    require_group(txn, args)?;
    let claim = Claim { idle_ms_min, now_ms, at_ms: now_ms, count: None, just_id };
    edit_group(txn, args, |group, log| {
        let consumer = group.see(args[3], now_ms);
        let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
        let (mut next, mut attempts) = (Some(start), count * ATTEMPTS);
        loop {
            let from = next.and_then(|from| group.pending_from(from).next());
            let from = from.map(|(id, pending)| (id, pending.delivery));
            let Some((id, delivery)) = from else {
                next = None;
                break;
            };
            next = Some(id);
            // Entries that were deleted count as well: they lengthen the answer too.
            if attempts == 0 || claimed.len() + deleted.len() == count as usize {
                break;
            }
            attempts -= 1;
            if log.get(id).is_none() {
                group.settle(id);
                deleted.push(id.reply());
            } else if claim.admits(delivery) {
                claimed.push(claim.take(group, log, id, consumer, delivery));
            }
            next = id.next();
        }
        let next = next.unwrap_or(Id::MIN).reply();
        Reply::Array(vec![next, Reply::Array(claimed), Reply::Array(deleted)])
    })
}
