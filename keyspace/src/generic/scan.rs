//! Finding keys: KEYS, RANDOMKEY, SCAN.

use std::borrow::Cow;

use resp::Reply;

use crate::access::View;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::glob;
use crate::scan_options::{self, ScanOptions};

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
    let everything = glob::is_everything(args[1]);
    let mut found = Vec::new();
    view.for_each(&mut |key, _| {
        if everything || glob::matches(args[1], key) {
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

fn scan<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let cursor = scan_options::cursor(args[1])?;
    let options = ScanOptions::of_keys(&args[2..])?;
    let mut found = Vec::new();
    let next = view.scan(cursor, options.count, &mut |key, value| {
        if options.admits(key) && options.admits_kind(value.kind().name()) {
            found.push(Reply::Bulk(Cow::Owned(key.to_vec())));
        }
    });
    Ok(scan_options::reply(next, found))
}
