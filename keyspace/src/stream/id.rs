//! Ids of entries: a Unix time in milliseconds, and a sequence number within it; `1526919030474-55`.
//!
//! They are read as leniently as Redis reads them: its numbers are C's, so that blanks and a sign
//! may stand before the digits, and a zero byte ends the text.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use resp::Reply;

use crate::number::parse_i64;

pub(super) const INVALID: Reply<'static> =
    Reply::error("ERR Invalid stream ID specified as stream command argument");

/// No id is longer as text; two numbers of 20 digits and some blanks have room.
const TEXT_BYTES_MAX: usize = 127;

/// An entry's id. The smallest, 0-0, is no entry's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    /// Unix time in milliseconds; but clients may say what they like.
    pub(crate) ms: u64,
    /// The place among those of the same millisecond.
    pub(crate) seq: u64,
}

impl Id {
    /// 0-0.
    pub(crate) const MIN: Id = Id { ms: 0, seq: 0 };
    /// The last that there can be.
    pub(crate) const MAX: Id = Id { ms: u64::MAX, seq: u64::MAX };

    /// The least id behind this one.
    pub(super) fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The greatest id before this one.
    fn previous(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// What is to be added to both numbers of another id to get this one, modulo 2^64.
    pub(super) fn distance(self, from: Id) -> (i64, i64) {
        (self.ms.wrapping_sub(from.ms) as i64, self.seq.wrapping_sub(from.seq) as i64)
    }

    /// The id at a [`distance`](Id::distance).
    pub(super) fn at_distance(self, (ms, seq): (i64, i64)) -> Id {
        Id { ms: self.ms.wrapping_add_signed(ms), seq: self.seq.wrapping_add_signed(seq) }
    }

    /// As text.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut digits = itoa::Buffer::new();
        // The usual length: 13 digits of time, and few of the sequence.
        let mut text = Vec::with_capacity(16);
        text.extend_from_slice(digits.format(self.ms).as_bytes());
        text.push(b'-');
        text.extend_from_slice(digits.format(self.seq).as_bytes());
        text
    }

    /// As a bulk string.
    pub(super) fn reply(self) -> Reply<'static> {
        Reply::Bulk(Cow::Owned(self.to_bytes()))
    }
}

/// `ms-seq`, or `ms` for the first of that millisecond.
pub(super) fn parse(argument: &[u8]) -> Result<Id, Reply<'static>> {
    parse_filled(argument, 0)
}

/// The ids from `start` to `end`: `-` and `+` are the ends of all, `(` excludes the id itself, and
/// a millisecond alone stands for all of it. Nothing if they cross, which is no error.
pub(super) fn parse_range(start: &[u8], end: &[u8]) -> Result<RangeInclusive<Id>, Reply<'static>> {
    Ok(parse_start(start)?..=parse_end(end)?)
}

/// Where a range starts.
pub(super) fn parse_start(argument: &[u8]) -> Result<Id, Reply<'static>> {
    match argument {
        [b'(', id @ ..] if !id.is_empty() => {
            parse_filled(id, 0)?.next().ok_or(Reply::error("ERR invalid start ID for the interval"))
        }
        _ => parse_end_of_all(argument).map_or_else(|| parse_filled(argument, 0), Ok),
    }
}

/// Where a range ends.
fn parse_end(argument: &[u8]) -> Result<Id, Reply<'static>> {
    match argument {
        [b'(', id @ ..] if !id.is_empty() => parse_filled(id, u64::MAX)?
            .previous()
            .ok_or(Reply::error("ERR invalid end ID for the interval")),
        _ => parse_end_of_all(argument).map_or_else(|| parse_filled(argument, u64::MAX), Ok),
    }
}

/// As Redis reads the id of XGROUP SETID: also `-` and `+`, the ends of all.
pub(super) fn parse_or_end_of_all(argument: &[u8]) -> Result<Id, Reply<'static>> {
    parse_end_of_all(argument).map_or_else(|| parse(argument), Ok)
}

fn parse_end_of_all(argument: &[u8]) -> Option<Id> {
    match argument {
        b"-" => Some(Id::MIN),
        b"+" => Some(Id::MAX),
        _ => None,
    }
}

fn parse_filled(argument: &[u8], missing_seq: u64) -> Result<Id, Reply<'static>> {
    let (ms, seq) = split(argument).ok_or(INVALID)?;
    let seq = seq.map_or(Some(missing_seq), parse_u64).ok_or(INVALID)?;
    Ok(Id { ms, seq })
}

/// The id of a new entry, as XADD is given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: the present, or the next behind the last.
    Now,
    /// `ms-*`: the next of that millisecond.
    NextOf(u64),
    /// This one.
    Is(Id),
}

impl NewId {
    /// Reads all but `*`.
    pub(super) fn parse(argument: &[u8]) -> Result<NewId, Reply<'static>> {
        match split(argument).ok_or(INVALID)? {
            (ms, Some(b"*")) => Ok(NewId::NextOf(ms)),
            _ => parse(argument).map(NewId::Is),
        }
    }

    /// The id for the entry behind `last`; `None` if it would not be greater.
    pub(super) fn behind(self, last: Id, now_ms: u64) -> Option<Id> {
        match self {
            NewId::Now if now_ms > last.ms => Some(Id { ms: now_ms, seq: 0 }),
            NewId::Now => last.next(),
            NewId::NextOf(ms) if ms == last.ms => last.seq.checked_add(1).map(|seq| Id { ms, seq }),
            NewId::NextOf(ms) => Some(Id { ms, seq: 0 }).filter(|id| *id > last),
            NewId::Is(id) => Some(id).filter(|id| *id > last),
        }
    }
}

/// The time, and the text of the sequence number if there is a `-`.
fn split(argument: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    if argument.len() > TEXT_BYTES_MAX {
        return None;
    }
    let text = argument.split(|byte| *byte == 0).next().unwrap_or_default();
    match text.iter().position(|byte| *byte == b'-') {
        Some(dash) => Some((parse_u64(&text[..dash])?, Some(&text[dash + 1..]))),
        None => Some((parse_u64(text)?, None)),
    }
}

/// A number that is not negative in its canonical form, else as C's `strtoull` reads it, which
/// takes a negative one modulo 2^64.
fn parse_u64(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(|byte| is_blank(byte)).count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number: u64 = 0;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> Id {
        Id { ms, seq }
    }

    #[test]
    fn texts_that_are_ids() {
        for (text, expected) in [
            ("5", id(5, 0)),
            ("5-6", id(5, 6)),
            ("18446744073709551615-18446744073709551615", Id::MAX),
            ("0-0", Id::MIN),
            ("007-01", id(7, 1)),
            (" 5-+6", id(5, 6)),
            ("5--0", id(5, 0)),
            ("5--01", id(5, u64::MAX)),
            ("5-6\0-7", id(5, 6)),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn texts_that_are_none() {
        let long = "0".repeat(128);
        for text in [
            "",
            "-",
            "+",
            "x",
            "-5",
            "5-",
            "5-6-7",
            "5--3",
            "5-*",
            "*",
            "5 ",
            "18446744073709551616",
            "5-18446744073709551616",
            "(5",
            &long,
        ] {
            assert_eq!(parse(text.as_bytes()), Err(INVALID), "{text}");
        }
        assert_eq!(parse("0".repeat(127).as_bytes()), Ok(Id::MIN));
    }

    #[test]
    fn ranges_exclude_and_fill_up() {
        let range = |start: &str, end: &str| parse_range(start.as_bytes(), end.as_bytes());
        assert_eq!(range("-", "+"), Ok(Id::MIN..=Id::MAX));
        assert_eq!(range("+", "-"), Ok(Id::MAX..=Id::MIN));
        assert_eq!(range("5", "6"), Ok(id(5, 0)..=id(6, u64::MAX)));
        assert_eq!(range("(5", "(6"), Ok(id(5, 1)..=id(6, u64::MAX - 1)));
        assert_eq!(range("(5-18446744073709551615", "(6-0"), Ok(id(6, 0)..=id(5, u64::MAX)));
        for (start, end) in [("(", "+"), ("-", "("), ("(-", "+"), ("-", "(+"), ("x", "+")] {
            assert_eq!(range(start, end), Err(INVALID), "{start} {end}");
        }
        let max = "(18446744073709551615-18446744073709551615";
        assert!(range(max, "+").is_err() && range("-", "(0-0").is_err());
    }

    #[test]
    fn new_ids_never_go_back() {
        let new = |text: &str| NewId::parse(text.as_bytes()).unwrap();
        assert_eq!(NewId::Now.behind(id(5, 3), 9), Some(id(9, 0)));
        assert_eq!(NewId::Now.behind(id(5, 3), 5), Some(id(5, 4)));
        assert_eq!(NewId::Now.behind(id(5, u64::MAX), 4), Some(id(6, 0)));
        assert_eq!(NewId::Now.behind(Id::MAX, 4), None);
        assert_eq!(NewId::Now.behind(Id::MIN, 0), Some(id(0, 1)));
        assert_eq!(new("5-*").behind(id(5, 3), 9), Some(id(5, 4)));
        assert_eq!(new("5-*").behind(id(5, u64::MAX), 9), None);
        assert_eq!(new("5-*").behind(id(4, 3), 9), Some(id(5, 0)));
        assert_eq!(new("5-*").behind(id(6, 0), 9), None);
        assert_eq!(new("0-*").behind(Id::MIN, 9), Some(id(0, 1)));
        assert_eq!(new("5-3").behind(id(5, 3), 9), None);
        assert_eq!(new("5-4").behind(id(5, 3), 9), Some(id(5, 4)));
    }

    #[test]
    fn distances_wrap() {
        let ids = [Id::MIN, id(1, u64::MAX), id(u64::MAX, 3), Id::MAX];
        for (from, to) in ids.iter().flat_map(|from| ids.iter().map(move |to| (from, to))) {
            assert_eq!(from.at_distance(to.distance(*from)), *to);
        }
    }
}
