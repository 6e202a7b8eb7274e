//! The client's side: requests to bytes, and bytes to replies.
//!
//! redis-protocol reads the values that hold no others; the arrays, maps and sets around them are
//! put together here. Left to itself it reads nested replies by recursion, so that a few kilobytes
//! of `*1` overflow the stack; it starts again from the first byte whenever an array arrives in
//! pieces; and it keeps maps and sets in hash order.
//!
//! Invariants: what a peer declares takes no memory, only what it sends does; no byte is read
//! twice, but for the short line before a string that has not arrived; a reply's size and depth are
//! limited.

use bytes::{Bytes, BytesMut};
use redis_protocol::resp3::decode::complete::decode_range;
use redis_protocol::resp3::types::{RangeFrame, VerbatimStringFormat};

use crate::number::strict_integer;
use crate::reply::{encode_bulk, encode_length};

/// How many arrays, maps and sets may stand within one another. Commands answer with at most six
/// (by the reference); 64 leaves room for scripts and none for a stack to overflow when a reply is
/// compared, printed or dropped.
pub const REPLY_DEPTH_MAX: usize = 64;

/// The shortest values are `_`, CR, LF and an empty `+` line.
const VALUE_BYTES_MIN: usize = 3;

/// Appends a request, an array of bulk strings.
pub fn encode_request<A: AsRef<[u8]>>(args: &[A], out: &mut BytesMut) {
    encode_length(b'*', args.len(), out);
    for arg in args {
        encode_bulk(arg.as_ref(), out);
    }
}

/// A reply as a client sees it, in RESP2 or RESP3. What RESP3's attributes say about a reply is
/// left out.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+text`; bytes that are not UTF-8 are replaced.
    Status(String),
    /// `-text` or a bulk error, with its code first; bytes that are not UTF-8 are replaced.
    Error(String),
    /// `:n`
    Integer(i64),
    /// A string of bytes.
    Bulk(Bytes),
    /// No value, or no array: RESP3 does not tell them apart.
    Null,
    /// An array.
    Array(Vec<Value>),
    /// A map, in the order it was sent.
    Map(Vec<(Value, Value)>),
    /// A set, in the order it was sent.
    Set(Vec<Value>),
    /// An out-of-band message, which answers no request.
    Push(Vec<Value>),
    /// A double.
    Double(f64),
    /// `#t` or `#f`
    Boolean(bool),
    /// An integer past 64 bits, in decimal.
    BigNumber(Bytes),
    /// Text and its format, `txt` or `mkd`.
    Verbatim(&'static str, Bytes),
}

/// A peer sent what is no reply, or more than we take. The stream has lost its place: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not RESP.
    #[error("malformed reply: {0}")]
    Malformed(&'static str),
    /// The reply is, or says it will be, longer than the decoder's limit.
    #[error("reply longer than {0} bytes")]
    TooLong(usize),
    /// Arrays within arrays past [`REPLY_DEPTH_MAX`].
    #[error("reply nested deeper than {REPLY_DEPTH_MAX} levels")]
    TooDeep,
}

/// Reads replies in RESP2 and RESP3 alike from one connection's bytes, however they are cut.
#[derive(Debug)]
pub struct ReplyDecoder {
    reply_bytes_max: usize,
    /// The arrays, maps and sets under way, outermost first; at most [`REPLY_DEPTH_MAX`].
    open: Vec<Aggregate>,
    /// Bytes of the reply under way that were read and taken from the buffer.
    reply_bytes: usize,
    /// Bytes at the start of the buffer that are known to hold no end of line.
    scanned: usize,
}

/// An array, map or set whose values have not all arrived.
#[derive(Debug)]
struct Aggregate {
    kind: Kind,
    missing: usize,
    values: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Array,
    Map,
    Set,
    Push,
    /// A map that describes the value after it and is dropped.
    Attribute,
}

/// What one line, and the string after it, says.
enum Item {
    Value(Value),
    Open(Kind, usize),
}

impl ReplyDecoder {
    /// A decoder that refuses replies of more than `reply_bytes_max` bytes, markers and lengths
    /// included. A decoded reply takes at most some 30 times its bytes (an array of nulls).
    pub fn new(reply_bytes_max: usize) -> ReplyDecoder {
        ReplyDecoder { reply_bytes_max, open: Vec::new(), reply_bytes: 0, scanned: 0 }
    }

    /// The next complete reply, or `None` when more bytes are needed. What was read is taken from
    /// `buffer`, to which the caller only appends.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Value>, DecodeError> {
        while let Some(item) = self.next_item(buffer)? {
            let value = match item {
                Item::Value(value) => Some(value),
                Item::Open(kind, 0) => Aggregate { kind, missing: 0, values: Vec::new() }.close(),
                Item::Open(kind, missing) => {
                    if self.open.len() == REPLY_DEPTH_MAX {
                        return Err(DecodeError::TooDeep);
                    }
                    self.open.push(Aggregate { kind, missing, values: Vec::new() });
                    None
                }
            };
            if let Some(reply) = value.and_then(|value| self.place(value)) {
                self.reply_bytes = 0;
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// Puts a value where it belongs and returns the reply if it is now complete.
    fn place(&mut self, mut value: Value) -> Option<Value> {
        while let Some(aggregate) = self.open.last_mut() {
            aggregate.values.push(value);
            aggregate.missing -= 1;
            if aggregate.missing > 0 {
                return None;
            }
            value = self.open.pop()?.close()?;
        }
        Some(value)
    }

    /// Takes the next line from the buffer, with the string it announces.
    fn next_item(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        let Some(line_bytes) = self.find_line(buffer)? else {
            return Ok(None);
        };
        let line = &buffer[..line_bytes - 2];
        let Some((&marker, text)) = line.split_first() else {
            return Err(DecodeError::Malformed("empty line"));
        };
        let item_bytes = match marker {
            b'*' | b'$' if text == b"-1" => {
                self.take(buffer, line_bytes);
                return Ok(Some(Item::Value(Value::Null)));
            }
            b'*' | b'%' | b'~' | b'>' | b'|' => {
                let item = self.open_aggregate(marker, length(text)?, line_bytes)?;
                self.take(buffer, line_bytes);
                return Ok(Some(item));
            }
            b'$' | b'=' | b'!' => line_bytes.saturating_add(length(text)?).saturating_add(2),
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => line_bytes,
            _ => return Err(DecodeError::Malformed("unknown type")),
        };
        self.check_bytes(item_bytes)?;
        if buffer.len() < item_bytes {
            return Ok(None);
        }
        let item = self.take(buffer, item_bytes);
        read_value(item).map(|value| Some(Item::Value(value)))
    }

    fn open_aggregate(
        &self,
        marker: u8,
        length: usize,
        line_bytes: usize,
    ) -> Result<Item, DecodeError> {
        let (kind, values) = match marker {
            b'%' => (Kind::Map, length.saturating_mul(2)),
            b'|' => (Kind::Attribute, length.saturating_mul(2)),
            b'~' => (Kind::Set, length),
            b'>' => (Kind::Push, length),
            _ => (Kind::Array, length),
        };
        self.check_bytes(values.saturating_mul(VALUE_BYTES_MIN).saturating_add(line_bytes))?;
        Ok(Item::Open(kind, values))
    }

    /// The length of the line at the start of the buffer, with its CR and LF.
    fn find_line(&mut self, buffer: &[u8]) -> Result<Option<usize>, DecodeError> {
        let unseen = buffer.get(self.scanned..).unwrap_or_default();
        match unseen.windows(2).position(|pair| pair == b"\r\n") {
            Some(index) => {
                let line_bytes = self.scanned + index + 2;
                self.scanned = 0;
                self.check_bytes(line_bytes)?;
                Ok(Some(line_bytes))
            }
            None => {
                // The last byte may be the CR of an LF to come.
                self.scanned = buffer.len().saturating_sub(1);
                self.check_bytes(buffer.len())?;
                Ok(None)
            }
        }
    }

    /// Refuses a reply that would be too long with `more` bytes.
    fn check_bytes(&self, more: usize) -> Result<(), DecodeError> {
        match self.reply_bytes.saturating_add(more) > self.reply_bytes_max {
            true => Err(DecodeError::TooLong(self.reply_bytes_max)),
            false => Ok(()),
        }
    }

    fn take(&mut self, buffer: &mut BytesMut, bytes: usize) -> Bytes {
        self.reply_bytes += bytes;
        buffer.split_to(bytes).freeze()
    }
}

impl Aggregate {
    /// The value it has become; none if it only described the next one.
    fn close(self) -> Option<Value> {
        match self.kind {
            Kind::Array => Some(Value::Array(self.values)),
            Kind::Set => Some(Value::Set(self.values)),
            Kind::Push => Some(Value::Push(self.values)),
            Kind::Map => {
                let mut values = self.values.into_iter();
                let mut pairs = Vec::with_capacity(values.len() / 2);
                while let (Some(key), Some(value)) = (values.next(), values.next()) {
                    pairs.push((key, value));
                }
                Some(Value::Map(pairs))
            }
            Kind::Attribute => None,
        }
    }
}

fn length(text: &[u8]) -> Result<usize, DecodeError> {
    strict_integer(text)
        .and_then(|length| usize::try_from(length).ok())
        .ok_or(DecodeError::Malformed("invalid length"))
}

/// Reads a complete value that holds no others.
fn read_value(item: Bytes) -> Result<Value, DecodeError> {
    if !item.ends_with(b"\r\n") {
        return Err(DecodeError::Malformed("string longer than its length"));
    }
    let frame = match decode_range(&item) {
        Ok(Some((frame, bytes))) if bytes == item.len() => frame,
        _ => return Err(DecodeError::Malformed("invalid value")),
    };
    let text = |(start, end)| String::from_utf8_lossy(&item[start..end]).into_owned();
    Ok(match frame {
        RangeFrame::SimpleString { data, .. } => Value::Status(text(data)),
        RangeFrame::SimpleError { data, .. } | RangeFrame::BlobError { data, .. } => {
            Value::Error(text(data))
        }
        RangeFrame::Number { data, .. } => Value::Integer(data),
        RangeFrame::BlobString { data: (start, end), .. } => Value::Bulk(item.slice(start..end)),
        RangeFrame::Null => Value::Null,
        RangeFrame::Double { data, .. } => Value::Double(data),
        RangeFrame::Boolean { data, .. } => Value::Boolean(data),
        RangeFrame::BigNumber { data: (start, end), .. } => {
            Value::BigNumber(item.slice(start..end))
        }
        RangeFrame::VerbatimString { data: (start, end), format, .. } => {
            let format = match format {
                VerbatimStringFormat::Text => "txt",
                VerbatimStringFormat::Markdown => "mkd",
            };
            Value::Verbatim(format, item.slice(start..end))
        }
        _ => return Err(DecodeError::Malformed("invalid value")),
    })
}
