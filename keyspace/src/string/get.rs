//! Whole strings, read: GET, GETDEL, GETEX, STRLEN.

use resp::Reply;

use super::expiration::{Expiration, Form, MILLISECONDS, SECONDS, UNIX_MILLISECONDS, UNIX_SECONDS};
use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const GET: Command = Command {
    spec: Spec {
        name: "get",
        group: Group::String,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Returns the string at a key.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key")],
    },
    run: Run::Read(get),
};

fn get<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    match view.string(args[1]) {
        Ok(Some(value)) => value.reply(),
        Ok(None) => Reply::Null,
        Err(wrong) => wrong.into(),
    }
}

pub(super) const GETDEL: Command = Command {
    spec: Spec {
        name: "getdel",
        group: Group::String,
        since: "6.2.0",
        complexity: "O(1)",
        summary: "Returns the string at a key and deletes the key.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[Arg::key("key")],
    },
    run: Run::Write(getdel),
};

fn getdel(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    let value = get(txn, args).into_owned();
    if !matches!(value, Reply::Null | Reply::Error(_)) {
        txn.remove(args[1]);
    }
    value
}

pub(super) const GETEX: Command = Command {
    spec: Spec {
        name: "getex",
        group: Group::String,
        since: "6.2.0",
        complexity: "O(1)",
        summary: "Returns the string at a key and may change when the key expires.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::FAST),
        args: &[
            Arg::key("key"),
            Arg::new(
                "expiration",
                ArgKind::OneOf(&[
                    SECONDS,
                    MILLISECONDS,
                    UNIX_SECONDS,
                    UNIX_MILLISECONDS,
                    Arg::keyword("persist", "PERSIST"),
                ]),
            )
            .optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(getex(txn, args))),
};

fn getex(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let change = read_change(&args[2..])?;
    let value = match txn.string(args[1])? {
        Some(value) => value.reply().into_owned(),
        None => return Ok(Reply::Null),
    };
    match change {
        Change::Nothing => {}
        Change::Persist => {
            // Only a key that had a TTL counts as changed.
            if txn.peek(args[1]).is_some_and(|found| found.expires_at_ms().is_some()) {
                txn.set_expiry(args[1], None);
            }
        }
        Change::Expire(expiration) => {
            let time_ms = expiration.unix_ms(txn.now_ms(), "getex")?;
            if time_ms <= txn.now_ms() {
                txn.remove(args[1]);
            } else {
                txn.set_expiry(args[1], Some(time_ms));
            }
        }
    }
    Ok(value)
}

/// What GETEX does to the TTL.
enum Change<'a> {
    Nothing,
    Persist,
    Expire(Expiration<'a>),
}

fn read_change<'a>(options: &[&'a [u8]]) -> Result<Change<'a>, Reply<'static>> {
    let mut change = Change::Nothing;
    let mut rest = options;
    while let [option, tail @ ..] = rest {
        rest = tail;
        let form = Form::named(option);
        change = match (form, change) {
            // An option may be repeated, and the last one counts; two different ones clash.
            (None, Change::Nothing | Change::Persist) if is(option, "PERSIST") => Change::Persist,
            (Some(form), Change::Nothing) => expire(form, &mut rest)?,
            (Some(form), Change::Expire(earlier)) if earlier.form == form => {
                expire(form, &mut rest)?
            }
            _ => return Err(SYNTAX),
        };
    }
    Ok(change)
}

fn expire<'a>(form: Form, rest: &mut &[&'a [u8]]) -> Result<Change<'a>, Reply<'static>> {
    let (amount, tail) = rest.split_first().ok_or(SYNTAX)?;
    *rest = tail;
    Ok(Change::Expire(Expiration { form, amount }))
}

pub(super) const STRLEN: Command = Command {
    spec: Spec {
        name: "strlen",
        group: Group::String,
        since: "2.2.0",
        complexity: "O(1)",
        summary: "Returns the length of the string at a key, in bytes.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[Arg::key("key")],
    },
    run: Run::Read(strlen),
};

fn strlen<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    match view.string(args[1]) {
        Ok(value) => Reply::Integer(value.map_or(0, |value| value.len()) as i64),
        Err(wrong) => wrong.into(),
    }
}
