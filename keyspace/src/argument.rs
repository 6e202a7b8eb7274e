//! Reading arguments: numbers and keywords, with the errors that Redis answers.

use std::borrow::Cow;
use std::ops::Range;

use resp::Reply;

use crate::number::{parse_double, parse_i64};

/// A handler's result while it reads arguments: `?` leaves with the error to answer.
pub(crate) type Answer<'v> = Result<Reply<'v>, Reply<'static>>;

/// What the client gets either way.
pub(crate) fn settle<'v>(answer: Answer<'v>) -> Reply<'v> {
    answer.unwrap_or_else(|error| error)
}

pub(crate) const SYNTAX: Reply<'static> = Reply::error("ERR syntax error");
pub(crate) const NOT_AN_INTEGER: Reply<'static> =
    Reply::error("ERR value is not an integer or out of range");
pub(crate) const NO_SUCH_DB: Reply<'static> = Reply::error("ERR DB index is out of range");

/// A 64-bit integer.
pub(crate) fn integer(argument: &[u8]) -> Result<i64, Reply<'static>> {
    parse_i64(argument).ok_or(NOT_AN_INTEGER)
}

/// A number that Redis reads into a C `int`, which has its own error beyond 32 bits.
pub(crate) fn small_integer(argument: &[u8]) -> Result<i32, Reply<'static>> {
    i32::try_from(integer(argument)?).map_err(|_| {
        let (min, max) = (i32::MIN, i32::MAX);
        let text = format!("ERR value is out of range, value must between {min} and {max}");
        Reply::Error(Cow::Owned(text))
    })
}

/// A double: a score, an increment.
pub(crate) fn double(argument: &[u8]) -> Result<f64, Reply<'static>> {
    parse_double(argument).ok_or(Reply::error("ERR value is not a valid float"))
}

/// Whether the argument is this keyword, written in any case.
pub(crate) fn is(argument: &[u8], keyword: &str) -> bool {
    argument.eq_ignore_ascii_case(keyword.as_bytes())
}

/// The part of a sequence of `len` elements that Redis means by `start` and `stop`, both included,
/// negative from the end; empty if they cross.
pub(crate) fn index_range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let len = i64::try_from(len).expect("no sequence is longer");
    let from_end = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let (start, stop) = (from_end(start).max(0), from_end(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// How a command refuses a time: names the command.
pub(crate) fn invalid_expire_time(command: &str) -> Reply<'static> {
    Reply::Error(Cow::Owned(format!("ERR invalid expire time in '{command}' command")))
}
