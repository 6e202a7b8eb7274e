//! What a key holds, as handlers see it: strings as bytes or integers, other types behind a
//! pointer, and the names Redis gives to types and encodings.

use std::borrow::Cow;

use resp::Reply;

use crate::number;

/// The longest string that Redis reports as `embstr`; longer ones are `raw`.
pub const EMBSTR_BYTES_MAX: usize = 44;

/// A value's type, as TYPE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string of bytes.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A hash.
    Hash,
    /// A sorted set.
    Zset,
    /// A stream.
    Stream,
}

impl Kind {
    /// TYPE's answer.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Hash => "hash",
            Kind::Zset => "zset",
            Kind::Stream => "stream",
        }
    }
}

/// A string, borrowed: an integer when it is stored as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StringValue<'v> {
    /// Stored as a number; its text is the canonical decimal form.
    Int(i64),
    /// Stored as bytes.
    Bytes(&'v [u8]),
}

impl<'v> StringValue<'v> {
    /// What SET stores for `bytes`: an integer if they are exactly the decimal form of one.
    pub fn encode(bytes: &'v [u8]) -> StringValue<'v> {
        match number::parse_i64(bytes) {
            Some(number) => StringValue::Int(number),
            None => StringValue::Bytes(bytes),
        }
    }

    /// Its length as text (STRLEN).
    pub fn len(&self) -> usize {
        match self {
            StringValue::Int(number) => itoa::Buffer::new().format(*number).len(),
            StringValue::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        matches!(self, StringValue::Bytes(bytes) if bytes.is_empty())
    }

    /// Its bytes; an integer is written into `digits`.
    pub fn as_bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            StringValue::Int(number) => digits.format(*number).as_bytes(),
            StringValue::Bytes(bytes) => bytes,
        }
    }

    /// Its bytes, copied only if it is an integer.
    pub fn to_bytes(&self) -> Cow<'v, [u8]> {
        match *self {
            StringValue::Int(number) => {
                Cow::Owned(itoa::Buffer::new().format(number).as_bytes().to_vec())
            }
            StringValue::Bytes(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// GET's answer.
    pub fn reply(&self) -> Reply<'v> {
        match *self {
            StringValue::Int(number) => Reply::BulkInteger(number),
            StringValue::Bytes(bytes) => Reply::Bulk(Cow::Borrowed(bytes)),
        }
    }
}

/// The key holds a value of another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

impl From<WrongType> for Reply<'static> {
    fn from(_: WrongType) -> Reply<'static> {
        Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value")
    }
}

/// What becomes of a key's TTL when its value is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// The key keeps the TTL it has, if any.
    Keep,
    /// The key lives for ever.
    Clear,
    /// The key's time is over at this Unix time in milliseconds.
    At(u64),
}

impl Ttl {
    /// The expiry of a key that had none.
    pub(crate) fn of_new_key(self) -> Option<u64> {
        match self {
            Ttl::Keep | Ttl::Clear => None,
            Ttl::At(time) => Some(time),
        }
    }
}
