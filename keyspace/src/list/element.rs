//! Elements by themselves: one that was taken out, one that is looked for, and the ends of a list.

use std::borrow::Cow;

use resp::Reply;

use crate::argument::{SYNTAX, is};
use crate::number::parse_i64;
use crate::value::StringValue;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

impl End {
    /// The end that an argument names.
    pub(super) fn named(argument: &[u8]) -> Result<End, Reply<'static>> {
        match argument {
            left if is(left, "LEFT") => Ok(End::Left),
            right if is(right, "RIGHT") => Ok(End::Right),
            _ => Err(SYNTAX),
        }
    }
}

/// An element that is in its list no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It was stored as a number.
    Int(i64),
    /// It was stored as bytes.
    Bytes(Vec<u8>),
}

impl From<StringValue<'_>> for Taken {
    fn from(value: StringValue<'_>) -> Taken {
        match value {
            StringValue::Int(number) => Taken::Int(number),
            StringValue::Bytes(bytes) => Taken::Bytes(bytes.to_vec()),
        }
    }
}

impl Taken {
    /// What a pop answers; the bytes are not copied again.
    pub(super) fn reply(self) -> Reply<'static> {
        match self {
            Taken::Int(number) => Reply::BulkInteger(number),
            Taken::Bytes(bytes) => Reply::Bulk(Cow::Owned(bytes)),
        }
    }

    /// Its text.
    pub(super) fn to_bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Taken::Int(number) => StringValue::Int(*number).to_bytes(),
            Taken::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }
}

/// An element that is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    bytes: &'a [u8],
    number: Option<i64>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Wanted<'a> {
        Wanted { bytes, number: parse_i64(bytes) }
    }

    /// Whether this is it. A number may be stored as its text, so the text has the last word.
    pub(super) fn is(self, value: StringValue<'_>) -> bool {
        match value {
            StringValue::Int(number) => self.number == Some(number),
            StringValue::Bytes(bytes) => self.bytes == bytes,
        }
    }
}
