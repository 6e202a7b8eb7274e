//! ZSCAN.

use std::borrow::Cow;

use resp::{DoubleText, Reply};

use super::Zset;
use crate::access::View;
use crate::argument::{Answer, settle};
use crate::command::{Args, Command, Flags, Group, Keys, Run, Spec};
use crate::scan_options::{self, ScanOptions};
use crate::value::StringValue;

pub(super) const ZSCAN: Command = Command {
    spec: Spec {
        name: "zscan",
        group: Group::SortedSet,
        since: "2.8.0",
        complexity: "O(1) a call, O(N) for all of N members",
        summary: "Walks over the members of a sorted set and their scores, some at a time.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: scan_options::OF_ELEMENTS,
    },
    run: Run::Read(|view, args| settle(zscan(view, args))),
};

fn zscan<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let cursor = scan_options::cursor(args[2])?;
    let Some(zset) = view.data::<Zset>(args[1])? else {
        return Ok(scan_options::reply(0, Vec::new()));
    };
    let options = ScanOptions::of_elements(&args[3..])?;
    let mut found = Vec::new();
    let digits = &mut itoa::Buffer::new();
    let next = zset.scan(cursor, options.count, &mut |member: StringValue<'v>, score| {
        if options.admits(member.as_bytes(digits)) {
            found.push(member.reply());
            // Text in RESP3 too.
            let text = DoubleText::new(score);
            found.push(Reply::Bulk(Cow::Owned(text.as_bytes().to_vec())));
        }
    });
    Ok(scan_options::reply(next, found))
}
