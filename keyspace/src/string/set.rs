//! Whole strings, written: SET and its older forms.

use resp::Reply;

use super::expiration::{Expiration, Form, MILLISECONDS, SECONDS, UNIX_MILLISECONDS, UNIX_SECONDS};
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::{StringValue, Ttl};

pub(super) const SET: Command = Command {
    spec: Spec {
        name: "set",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Sets a key to a string, whatever it held before.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            Arg::new("value", ArgKind::String),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[Arg::keyword("nx", "NX"), Arg::keyword("xx", "XX")]),
            )
            .optional(),
            Arg::keyword("get", "GET").optional(),
            Arg::new(
                "expiration",
                ArgKind::OneOf(&[
                    SECONDS,
                    MILLISECONDS,
                    UNIX_SECONDS,
                    UNIX_MILLISECONDS,
                    Arg::keyword("keepttl", "KEEPTTL"),
                ]),
            )
            .optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(set(txn, args))),
};

fn set(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (key, value) = (args[1], StringValue::encode(args[2]));
    if args.len() == 3 {
        txn.set(key, value, Ttl::Clear);
        return Ok(Reply::OK);
    }
    let options = Options::read(&args[3..])?;
    let ttl = match options.lifetime {
        Lifetime::Forever => Ttl::Clear,
        Lifetime::Keep => Ttl::Keep,
        Lifetime::Until(expiration) => Ttl::At(expiration.unix_ms(txn.now_ms(), "set")?),
    };
    let before = match options.get {
        true => txn.string(key)?.map_or(Reply::Null, |value| value.reply().into_owned()),
        false => Reply::OK,
    };
    let allowed = match options.condition {
        Condition::None => true,
        Condition::Missing => !txn.contains(key),
        Condition::Present => txn.contains(key),
    };
    if allowed {
        txn.set(key, value, ttl);
    } else if !options.get {
        return Ok(Reply::Null);
    }
    Ok(before)
}

/// What follows SET's value.
struct Options<'a> {
    condition: Condition,
    get: bool,
    lifetime: Lifetime<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    None,
    Missing,
    Present,
}

enum Lifetime<'a> {
    Forever,
    Keep,
    Until(Expiration<'a>),
}

impl<'a> Options<'a> {
    /// Options may be repeated, and the last one counts; contradictions are syntax errors.
    fn read(mut rest: &[&'a [u8]]) -> Result<Options<'a>, Reply<'static>> {
        let mut options =
            Options { condition: Condition::None, get: false, lifetime: Lifetime::Forever };
        while let [option, tail @ ..] = rest {
            rest = tail;
            if is(option, "NX") && options.condition != Condition::Present {
                options.condition = Condition::Missing;
            } else if is(option, "XX") && options.condition != Condition::Missing {
                options.condition = Condition::Present;
            } else if is(option, "GET") {
                options.get = true;
            } else {
                options.lifetime = options.lifetime.with(option, &mut rest)?;
            }
        }
        Ok(options)
    }
}

impl<'a> Lifetime<'a> {
    fn with(self, option: &[u8], rest: &mut &[&'a [u8]]) -> Result<Lifetime<'a>, Reply<'static>> {
        match (Form::named(option), self) {
            (None, Lifetime::Forever | Lifetime::Keep) if is(option, "KEEPTTL") => {
                Ok(Lifetime::Keep)
            }
            (Some(form), Lifetime::Forever) => Lifetime::until(form, rest),
            (Some(form), Lifetime::Until(earlier)) if earlier.form == form => {
                Lifetime::until(form, rest)
            }
            _ => Err(SYNTAX),
        }
    }

    fn until(form: Form, rest: &mut &[&'a [u8]]) -> Result<Lifetime<'a>, Reply<'static>> {
        let (amount, tail) = rest.split_first().ok_or(SYNTAX)?;
        *rest = tail;
        Ok(Lifetime::Until(Expiration { form, amount }))
    }
}

pub(super) const SETEX: Command = Command {
    spec: Spec {
        name: "setex",
        group: Group::String,
        since: "2.0.0",
        complexity: "O(1)",
        summary: "Sets a key to a string that expires after some seconds.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            Arg::new("seconds", ArgKind::Integer),
            Arg::new("value", ArgKind::String),
        ],
    },
    run: Run::Write(|txn, args| settle(set_for(txn, args, Form::Seconds, "setex"))),
};

pub(super) const PSETEX: Command = Command {
    spec: Spec {
        name: "psetex",
        group: Group::String,
        since: "2.6.0",
        complexity: "O(1)",
        summary: "Sets a key to a string that expires after some milliseconds.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            Arg::new("milliseconds", ArgKind::Integer),
            Arg::new("value", ArgKind::String),
        ],
    },
    run: Run::Write(|txn, args| settle(set_for(txn, args, Form::Milliseconds, "psetex"))),
};

fn set_for(txn: &mut Txn<'_>, args: Args<'_>, form: Form, command: &str) -> Answer<'static> {
    let time_ms = Expiration { form, amount: args[2] }.unix_ms(txn.now_ms(), command)?;
    txn.set(args[1], StringValue::encode(args[3]), Ttl::At(time_ms));
    Ok(Reply::OK)
}

pub(super) const SETNX: Command = Command {
    spec: Spec {
        name: "setnx",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Sets a key to a string if the key does not exist.",
        arity: 3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("value", ArgKind::String)],
    },
    run: Run::Write(setnx),
};

fn setnx(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    if txn.contains(args[1]) {
        return Reply::Integer(0);
    }
    txn.set(args[1], StringValue::encode(args[2]), Ttl::Clear);
    Reply::Integer(1)
}

pub(super) const GETSET: Command = Command {
    spec: Spec {
        name: "getset",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Sets a key to a string and returns the string it held before.",
        arity: 3,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        args: &[Arg::key("key"), Arg::new("value", ArgKind::String)],
    },
    run: Run::Write(|txn, args| settle(getset(txn, args))),
};

fn getset(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let before = txn.string(args[1])?.map_or(Reply::Null, |value| value.reply().into_owned());
    txn.set(args[1], StringValue::encode(args[2]), Ttl::Clear);
    Ok(before)
}
