//! When a key expires: TTL, PTTL, EXPIRETIME, PEXPIRETIME.

use resp::Reply;

use crate::access::View;
use crate::command::{Arg, Args, Command, Flags, Group, Keys, Run, Spec};

const KEY: &[Arg] = &[Arg::key("key")];

const fn spec(name: &'static str, since: &'static str, summary: &'static str) -> Spec {
    Spec {
        name,
        group: Group::Generic,
        since,
        complexity: "O(1)",
        summary,
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: KEY,
    }
}

pub(super) const TTL: Command = Command {
    spec: spec("ttl", "1.0.0", "Returns the seconds left until a key expires."),
    run: Run::Read(|view, args| look(view, args, |time_ms| round(left_ms(view, time_ms)))),
};

pub(super) const PTTL: Command = Command {
    spec: spec("pttl", "2.6.0", "Returns the milliseconds left until a key expires."),
    run: Run::Read(|view, args| look(view, args, |time_ms| left_ms(view, time_ms))),
};

pub(super) const EXPIRETIME: Command = Command {
    spec: spec("expiretime", "7.0.0", "Returns the Unix time in seconds at which a key expires."),
    run: Run::Read(|view, args| look(view, args, round)),
};

pub(super) const PEXPIRETIME: Command = Command {
    spec: spec(
        "pexpiretime",
        "7.0.0",
        "Returns the Unix time in milliseconds at which a key expires.",
    ),
    run: Run::Read(|view, args| look(view, args, |time_ms| time_ms)),
};

/// -2: no such key. -1: it never expires.
fn look<'v>(view: &'v View<'_>, args: Args<'_>, answer: impl Fn(u64) -> u64) -> Reply<'v> {
    Reply::Integer(match view.peek(args[1]).map(|found| found.expires_at_ms()) {
        None => -2,
        Some(None) => -1,
        Some(Some(time_ms)) => answer(time_ms) as i64,
    })
}

fn left_ms(view: &View<'_>, time_ms: u64) -> u64 {
    time_ms.saturating_sub(view.now_ms())
}

/// Seconds, to the nearest: 1.5 s left are said to be 2, 1.4 s are 1.
fn round(time_ms: u64) -> u64 {
    time_ms.saturating_add(500) / 1000
}
