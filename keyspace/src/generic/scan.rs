//! Finding keys: KEYS, RANDOMKEY, SCAN.

use std::borrow::Cow;

use resp::Reply;

use crate::access::View;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::glob;
use crate::number::parse_cursor;

pub(super) const KEYS: Command = Command {
    spec: Spec {
        name: "keys",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(N) for N keys in the database",
        summary: "Returns every key that matches a pattern.",
        arity: 2,
        keys: Keys::None,
        flags: Flags::READONLY.and(Flags::DANGEROUS).and(Flags::KEYLESS_DATA),
        args: &[Arg::new("pattern", ArgKind::Pattern)],
    },
    run: Run::Read(keys),
};

fn keys<'v>(view: &'v View<'_>, args: Args<'_>) -> Reply<'v> {
    let filter = Filter { pattern: Some(args[1]), kind: None };
    let mut found = Vec::new();
    view.for_each(&mut |key, value| {
        if filter.admits(key, value.kind().name()) {
            found.push(Reply::Bulk(Cow::Owned(key.to_vec())));
        }
    });
    Reply::Array(found)
}

pub(super) const RANDOMKEY: Command = Command {
    spec: Spec {
        name: "randomkey",
        group: Group::Generic,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Returns any key of the database.",
        arity: 1,
        keys: Keys::None,
        flags: Flags::READONLY.and(Flags::KEYLESS_DATA),
        args: &[],
    },
    run: Run::Read(randomkey),
};

fn randomkey<'v>(view: &'v View<'_>, _: Args<'_>) -> Reply<'v> {
    view.random_key().map_or(Reply::Null, |key| Reply::Bulk(Cow::Owned(key)))
}

pub(super) const SCAN: Command = Command {
    spec: Spec {
        name: "scan",
        group: Group::Generic,
        since: "2.8.0",
        complexity: "O(1) for each call, O(N) for a walk over N keys",
        summary: "Walks over the keys of the database, some at each call.",
        arity: -2,
        keys: Keys::None,
        flags: Flags::READONLY.and(Flags::KEYLESS_DATA),
        args: &[
            Arg::new("cursor", ArgKind::Integer),
            Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
            Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
            Arg::new("type", ArgKind::String).after("TYPE").optional(),
        ],
    },
    run: Run::Read(|view, args| settle(scan(view, args))),
};

/// How many keys a step looks at unless COUNT says: Redis' default.
const SCAN_COUNT: usize = 10;

fn scan<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let cursor = parse_cursor(args[1]).ok_or(Reply::error("ERR invalid cursor"))?;
    let mut count = SCAN_COUNT;
    let mut filter = Filter { pattern: None, kind: None };
    let mut rest = &args[2..];
    while let [option, value, tail @ ..] = rest {
        rest = tail;
        if is(option, "COUNT") {
            let given = integer(value)?;
            count = usize::try_from(given).ok().filter(|&count| count > 0).ok_or(SYNTAX)?;
        } else if is(option, "MATCH") {
            filter.pattern = Some(value);
        } else if is(option, "TYPE") {
            filter.kind = Some(value);
        } else {
            return Err(SYNTAX);
        }
    }
    if !rest.is_empty() {
        return Err(SYNTAX);
    }
    let mut found = Vec::new();
    let next = view.scan(cursor, count, &mut |key, value| {
        if filter.admits(key, value.kind().name()) {
            found.push(Reply::Bulk(Cow::Owned(key.to_vec())));
        }
    });
    let next = Reply::Bulk(Cow::Owned(next.to_string().into_bytes()));
    Ok(Reply::Array(vec![next, Reply::Array(found)]))
}

/// Which keys KEYS and SCAN return.
struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    /// A type's name; one that no type has finds nothing and is no error.
    kind: Option<&'a [u8]>,
}

impl Filter<'_> {
    fn admits(&self, key: &[u8], kind: &str) -> bool {
        self.pattern
            .is_none_or(|pattern| glob::is_everything(pattern) || glob::matches(pattern, key))
            && self.kind.is_none_or(|wanted| is(wanted, kind))
    }
}
