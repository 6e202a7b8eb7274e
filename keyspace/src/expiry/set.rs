//! Setting and clearing when a key expires: EXPIRE and its three relatives, PERSIST.

use std::borrow::Cow;

use resp::Reply;

use crate::access::Txn;
use crate::argument::{Answer, integer, invalid_expire_time, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

const CONDITION: Arg = Arg::new(
    "condition",
    ArgKind::OneOf(&[
        Arg::keyword("nx", "NX"),
        Arg::keyword("xx", "XX"),
        Arg::keyword("gt", "GT"),
        Arg::keyword("lt", "LT"),
    ]),
)
.optional();

const fn spec(
    name: &'static str,
    since: &'static str,
    summary: &'static str,
    args: &'static [Arg],
) -> Spec {
    Spec {
        name,
        group: Group::Generic,
        since,
        complexity: "O(1)",
        summary,
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args,
    }
}

pub(super) const EXPIRE: Command = Command {
    spec: spec(
        "expire",
        "1.0.0",
        "Lets a key expire after some seconds.",
        &[Arg::key("key"), Arg::new("seconds", ArgKind::Integer), CONDITION],
    ),
    run: Run::Write(|txn, args| {
        let base_ms = txn.now_ms();
        settle(expire(txn, args, Time { command: "expire", unit_ms: 1000, base_ms }))
    }),
};

pub(super) const PEXPIRE: Command = Command {
    spec: spec(
        "pexpire",
        "2.6.0",
        "Lets a key expire after some milliseconds.",
        &[Arg::key("key"), Arg::new("milliseconds", ArgKind::Integer), CONDITION],
    ),
    run: Run::Write(|txn, args| {
        let base_ms = txn.now_ms();
        settle(expire(txn, args, Time { command: "pexpire", unit_ms: 1, base_ms }))
    }),
};

pub(super) const EXPIREAT: Command = Command {
    spec: spec(
        "expireat",
        "1.2.0",
        "Lets a key expire at a Unix time in seconds.",
        &[Arg::key("key"), Arg::new("unix-time-seconds", ArgKind::UnixTime), CONDITION],
    ),
    run: Run::Write(|txn, args| {
        settle(expire(txn, args, Time { command: "expireat", unit_ms: 1000, base_ms: 0 }))
    }),
};

pub(super) const PEXPIREAT: Command = Command {
    spec: spec(
        "pexpireat",
        "2.6.0",
        "Lets a key expire at a Unix time in milliseconds.",
        &[Arg::key("key"), Arg::new("unix-time-milliseconds", ArgKind::UnixTime), CONDITION],
    ),
    run: Run::Write(|txn, args| {
        settle(expire(txn, args, Time { command: "pexpireat", unit_ms: 1, base_ms: 0 }))
    }),
};

fn expire(txn: &mut Txn<'_>, args: Args<'_>, time: Time) -> Answer<'static> {
    let key = args[1];
    let conditions = Conditions::read(&args[3..])?;
    let time_ms = time.unix_ms(args[2])?;
    let Some(before) = txn.peek(key).map(|found| found.expires_at_ms()) else {
        return Ok(Reply::Integer(0));
    };
    if !conditions.allow(before, time_ms) {
        return Ok(Reply::Integer(0));
    }
    match u64::try_from(time_ms) {
        Ok(time_ms) if time_ms > txn.now_ms() => {
            txn.set_expiry(key, Some(time_ms));
        }
        _ => {
            txn.remove(key);
        }
    }
    Ok(Reply::Integer(1))
}

/// How a command's time argument is meant.
struct Time {
    command: &'static str,
    unit_ms: i64,
    base_ms: u64,
}

impl Time {
    /// The Unix time in milliseconds; may be over, and even before 1970.
    fn unix_ms(&self, argument: &[u8]) -> Result<i64, Reply<'static>> {
        integer(argument)?
            .checked_mul(self.unit_ms)
            .and_then(|time_ms| time_ms.checked_add_unsigned(self.base_ms))
            .ok_or_else(|| invalid_expire_time(self.command))
    }
}

/// NX, XX, GT, LT: what the key's present TTL must be like.
#[derive(Default)]
struct Conditions {
    missing: bool,
    present: bool,
    greater: bool,
    less: bool,
}

impl Conditions {
    fn read(options: &[&[u8]]) -> Result<Conditions, Reply<'static>> {
        let mut conditions = Conditions::default();
        for option in options {
            if is(option, "NX") {
                conditions.missing = true;
            } else if is(option, "XX") {
                conditions.present = true;
            } else if is(option, "GT") {
                conditions.greater = true;
            } else if is(option, "LT") {
                conditions.less = true;
            } else {
                let option = String::from_utf8_lossy(option);
                return Err(Reply::Error(Cow::Owned(format!("ERR Unsupported option {option}"))));
            }
        }
        let Conditions { missing, present, greater, less } = conditions;
        if missing && (present || greater || less) {
            return Err(Reply::error(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if greater && less {
            return Err(Reply::error("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// A key without TTL counts as one that lives infinitely long.
    fn allow(&self, before_ms: Option<u64>, time_ms: i64) -> bool {
        let before = before_ms.map_or(i128::MAX, i128::from);
        let time = i128::from(time_ms);
        (!self.missing || before_ms.is_none())
            && (!self.present || before_ms.is_some())
            && (!self.greater || time > before)
            && (!self.less || time < before)
    }
}

pub(super) const PERSIST: Command = Command {
    spec: Spec {
        name: "persist",
        group: Group::Generic,
        since: "2.2.0",
        complexity: "O(1)",
        summary: "Lets a key live for ever.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key")],
    },
    run: Run::Write(persist),
};

fn persist(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    let expires = txn.peek(args[1]).is_some_and(|found| found.expires_at_ms().is_some());
    if expires {
        txn.set_expiry(args[1], None);
    }
    Reply::Integer(i64::from(expires))
}
