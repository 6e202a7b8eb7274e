//! What SCAN, HSCAN, SSCAN and ZSCAN have in common: their options and their answer's shape.

use std::borrow::Cow;

use resp::Reply;

use crate::argument::{SYNTAX, integer, is};
use crate::command::{Arg, ArgKind};
use crate::glob;
use crate::number::parse_cursor;

/// How many elements a step looks at unless COUNT says: Redis' default.
const COUNT: usize = 10;

/// The arguments of a walk over a collection's elements, as its row says them.
pub(crate) const OF_ELEMENTS: &[Arg] = &[
    Arg::key("key"),
    Arg::new("cursor", ArgKind::Integer),
    Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
    Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
];

/// MATCH, COUNT and, where keys are walked, TYPE.
pub(crate) struct ScanOptions<'a> {
    /// About how many elements to look at; at least 1, and no promise of memory.
    pub(crate) count: usize,
    /// Of all elements those that match; `None`: all.
    pattern: Option<&'a [u8]>,
    /// A type's name; one that no type has finds nothing and is no error.
    kind: Option<&'a [u8]>,
}

/// A cursor. Redis reads it before it looks at the key, and the options after.
pub(crate) fn cursor(argument: &[u8]) -> Result<u64, Reply<'static>> {
    parse_cursor(argument).ok_or(Reply::error("ERR invalid cursor"))
}

/// The answer of a step: where to go on, and what was found (for pairs one after the other).
pub(crate) fn reply<'v>(next: u64, found: Vec<Reply<'v>>) -> Reply<'v> {
    let next = Reply::Bulk(Cow::Owned(next.to_string().into_bytes()));
    Reply::Array(vec![next, Reply::Array(found)])
}

impl<'a> ScanOptions<'a> {
    /// The options of SCAN, behind its cursor.
    pub(crate) fn of_keys(rest: &[&'a [u8]]) -> Result<ScanOptions<'a>, Reply<'static>> {
        ScanOptions::read(rest, true)
    }

    /// The options of a walk over a collection's elements.
    pub(crate) fn of_elements(rest: &[&'a [u8]]) -> Result<ScanOptions<'a>, Reply<'static>> {
        ScanOptions::read(rest, false)
    }

    fn read(mut rest: &[&'a [u8]], kinds: bool) -> Result<ScanOptions<'a>, Reply<'static>> {
        let mut options = ScanOptions { count: COUNT, pattern: None, kind: None };
        while let [option, value, tail @ ..] = rest {
            rest = tail;
            if is(option, "COUNT") {
                let count = usize::try_from(integer(value)?).ok();
                options.count = count.filter(|count| *count > 0).ok_or(SYNTAX)?;
            } else if is(option, "MATCH") {
                options.pattern = Some(*value).filter(|pattern| !glob::is_everything(pattern));
            } else if kinds && is(option, "TYPE") {
                options.kind = Some(value);
            } else {
                return Err(SYNTAX);
            }
        }
        if rest.is_empty() { Ok(options) } else { Err(SYNTAX) }
    }

    /// Whether an element is to be returned: a key, a field, a member.
    pub(crate) fn admits(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }

    /// Whether keys of this type are to be returned.
    pub(crate) fn admits_kind(&self, kind: &str) -> bool {
        self.kind.is_none_or(|wanted| is(wanted, kind))
    }
}
