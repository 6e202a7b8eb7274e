//! A reply as a handler returns it, and its two encodings.
//!
//! Invariant: what is written is one well-formed reply whatever the texts inside, so that a
//! client's bytes in an error can never pass for a reply of their own.
//!
//! Bytes are written here rather than through redis-protocol, for speed and because its maps have
//! no order; `docs/decisions/0001-reply-encoding.md` has the figures. The tests read them with it.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use crate::double::DoubleText;

/// The protocol a connection speaks; `HELLO` changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2, what every connection starts with.
    #[default]
    Resp2,
    /// RESP3, asked for with `HELLO 3`.
    Resp3,
}

/// What a command answers.
///
/// A reply may borrow from the locked keyspace: it is encoded before the lock is released, so that
/// a `GET` copies its value once, straight into the connection's output.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply<'a> {
    /// `+text`. CR and LF are written as spaces.
    Status(Cow<'a, str>),
    /// `-text`, the code first (`ERR ...`, `WRONGTYPE ...`). CR and LF are written as spaces.
    Error(Cow<'a, str>),
    /// `:n`
    Integer(i64),
    /// A string of bytes.
    Bulk(Cow<'a, [u8]>),
    /// The decimal digits of a number as a bulk string: what GET answers for an int-encoded value.
    BulkInteger(i64),
    /// No value: `$-1` in RESP2, `_` in RESP3.
    Null,
    /// No array: `*-1` in RESP2, `_` in RESP3 (EXEC after a failed WATCH, BLPOP's timeout).
    NullArray,
    /// An array.
    Array(Vec<Reply<'a>>),
    /// A map; in RESP2 a flat array of keys and values.
    Map(Vec<(Reply<'a>, Reply<'a>)>),
    /// A set; in RESP2 an array.
    Set(Vec<Reply<'a>>),
    /// Pairs: in RESP2 a flat array, in RESP3 an array of arrays of two (`ZRANGE ... WITHSCORES`,
    /// `HRANDFIELD ... WITHVALUES`).
    FlatPairs(Vec<(Reply<'a>, Reply<'a>)>),
    /// A map that in RESP2 is an array of arrays of two (`XREAD`).
    PairedMap(Vec<(Reply<'a>, Reply<'a>)>),
    /// An out-of-band message; in RESP2 an array.
    Push(Vec<Reply<'a>>),
    /// A double; in RESP2 a bulk string, printed as Redis prints it (`%.17g`; `inf`, `-inf`).
    Double(f64),
    /// A double whose digits the handler chose; in RESP2 a bulk string (`GEOPOS`).
    Decimal(Cow<'a, str>),
    /// `#t` or `#f`; in RESP2 `:1` or `:0`.
    Boolean(bool),
    /// An integer past 64 bits, in decimal; in RESP2 a bulk string.
    BigNumber(Cow<'a, str>),
    /// Text with a three-letter format (`txt`, `mkd`); in RESP2 a bulk string.
    Verbatim(&'static str, Cow<'a, str>),
}

impl<'a> Reply<'a> {
    /// `+OK`
    pub const OK: Reply<'static> = Reply::Status(Cow::Borrowed("OK"));

    /// A fixed error text, such as Redis' `ERR syntax error`.
    pub const fn error(text: &'static str) -> Reply<'static> {
        Reply::Error(Cow::Borrowed(text))
    }

    /// Whether it says that there is nothing, in either of the two ways.
    pub fn is_null(&self) -> bool {
        matches!(self, Reply::Null | Reply::NullArray)
    }

    /// Appends the reply's bytes to `out`.
    pub fn encode(&self, protocol: Protocol, out: &mut BytesMut) {
        match self {
            // What most writes answer, worth a third of its cost otherwise.
            Reply::Status(Cow::Borrowed("OK")) => out.put_slice(b"+OK\r\n"),
            Reply::Status(text) => encode_line(b'+', text, out),
            Reply::Error(text) => encode_line(b'-', text, out),
            Reply::Integer(number) => encode_number(b':', *number, out),
            Reply::Bulk(bytes) => encode_bulk(bytes, out),
            Reply::BulkInteger(number) => {
                encode_bulk(itoa::Buffer::new().format(*number).as_bytes(), out);
            }
            Reply::Null => out.put_slice(match protocol {
                Protocol::Resp2 => b"$-1\r\n",
                Protocol::Resp3 => b"_\r\n",
            }),
            Reply::NullArray => out.put_slice(match protocol {
                Protocol::Resp2 => b"*-1\r\n",
                Protocol::Resp3 => b"_\r\n",
            }),
            Reply::Array(items) => {
                encode_array_header(items.len(), protocol, out);
                encode_all(items, protocol, out);
            }
            Reply::Map(pairs) => {
                encode_map_header(pairs.len(), protocol, out);
                encode_pairs(pairs, false, protocol, out);
            }
            Reply::Set(items) => {
                encode_set_header(items.len(), protocol, out);
                encode_all(items, protocol, out);
            }
            Reply::FlatPairs(pairs) => match protocol {
                Protocol::Resp2 => {
                    encode_array_header(pairs.len() * 2, protocol, out);
                    encode_pairs(pairs, false, protocol, out);
                }
                Protocol::Resp3 => {
                    encode_array_header(pairs.len(), protocol, out);
                    encode_pairs(pairs, true, protocol, out);
                }
            },
            Reply::PairedMap(pairs) => match protocol {
                Protocol::Resp2 => {
                    encode_array_header(pairs.len(), protocol, out);
                    encode_pairs(pairs, true, protocol, out);
                }
                Protocol::Resp3 => {
                    encode_map_header(pairs.len(), protocol, out);
                    encode_pairs(pairs, false, protocol, out);
                }
            },
            Reply::Push(items) => {
                encode_push_header(items.len(), protocol, out);
                encode_all(items, protocol, out);
            }
            Reply::Double(value) => encode_double(*value, protocol, out),
            Reply::Boolean(value) => out.put_slice(match (protocol, value) {
                (Protocol::Resp2, true) => b":1\r\n",
                (Protocol::Resp2, false) => b":0\r\n",
                (Protocol::Resp3, true) => b"#t\r\n",
                (Protocol::Resp3, false) => b"#f\r\n",
            }),
            Reply::Decimal(digits) => match protocol {
                Protocol::Resp2 => encode_bulk(digits.as_bytes(), out),
                Protocol::Resp3 => encode_line(b',', digits, out),
            },
            Reply::BigNumber(digits) => match protocol {
                Protocol::Resp2 => encode_bulk(digits.as_bytes(), out),
                Protocol::Resp3 => encode_line(b'(', digits, out),
            },
            Reply::Verbatim(format, text) => match protocol {
                Protocol::Resp2 => encode_bulk(text.as_bytes(), out),
                Protocol::Resp3 => encode_verbatim(format, text, out),
            },
        }
    }

    /// The same reply, borrowing from nothing.
    pub fn into_owned(self) -> Reply<'static> {
        match self {
            Reply::Status(text) => Reply::Status(Cow::Owned(text.into_owned())),
            Reply::Error(text) => Reply::Error(Cow::Owned(text.into_owned())),
            Reply::Integer(number) => Reply::Integer(number),
            Reply::Bulk(bytes) => Reply::Bulk(Cow::Owned(bytes.into_owned())),
            Reply::BulkInteger(number) => Reply::BulkInteger(number),
            Reply::Null => Reply::Null,
            Reply::NullArray => Reply::NullArray,
            Reply::Array(items) => Reply::Array(all_owned(items)),
            Reply::Map(pairs) => Reply::Map(pairs_owned(pairs)),
            Reply::FlatPairs(pairs) => Reply::FlatPairs(pairs_owned(pairs)),
            Reply::PairedMap(pairs) => Reply::PairedMap(pairs_owned(pairs)),
            Reply::Set(items) => Reply::Set(all_owned(items)),
            Reply::Push(items) => Reply::Push(all_owned(items)),
            Reply::Double(value) => Reply::Double(value),
            Reply::Boolean(value) => Reply::Boolean(value),
            Reply::Decimal(digits) => Reply::Decimal(Cow::Owned(digits.into_owned())),
            Reply::BigNumber(digits) => Reply::BigNumber(Cow::Owned(digits.into_owned())),
            Reply::Verbatim(format, text) => Reply::Verbatim(format, Cow::Owned(text.into_owned())),
        }
    }
}

fn pairs_owned(pairs: Vec<(Reply<'_>, Reply<'_>)>) -> Vec<(Reply<'static>, Reply<'static>)> {
    pairs.into_iter().map(|(first, second)| (first.into_owned(), second.into_owned())).collect()
}

fn all_owned(items: Vec<Reply<'_>>) -> Vec<Reply<'static>> {
    items.into_iter().map(Reply::into_owned).collect()
}

/// Begins an array: exactly `count` replies must be encoded next. For long answers that are
/// written as they are found, without a `Vec` between.
pub fn encode_array_header(count: usize, _protocol: Protocol, out: &mut BytesMut) {
    encode_length(b'*', count, out);
}

/// Begins a map: exactly `pairs` keys, each followed by its value, must be encoded next.
pub fn encode_map_header(pairs: usize, protocol: Protocol, out: &mut BytesMut) {
    match protocol {
        Protocol::Resp2 => encode_length(b'*', pairs * 2, out),
        Protocol::Resp3 => encode_length(b'%', pairs, out),
    }
}

/// Begins a set: exactly `count` replies must be encoded next.
pub fn encode_set_header(count: usize, protocol: Protocol, out: &mut BytesMut) {
    match protocol {
        Protocol::Resp2 => encode_length(b'*', count, out),
        Protocol::Resp3 => encode_length(b'~', count, out),
    }
}

/// Begins an out-of-band message: exactly `count` replies must be encoded next.
pub fn encode_push_header(count: usize, protocol: Protocol, out: &mut BytesMut) {
    match protocol {
        Protocol::Resp2 => encode_length(b'*', count, out),
        Protocol::Resp3 => encode_length(b'>', count, out),
    }
}

/// Appends a bulk string, the form of every argument of a request too.
pub(crate) fn encode_bulk(bytes: &[u8], out: &mut BytesMut) {
    encode_length(b'$', bytes.len(), out);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

/// Appends a marker and a length.
pub(crate) fn encode_length(marker: u8, length: usize, out: &mut BytesMut) {
    match u8::try_from(length) {
        Ok(small @ ..=SMALL_MAX) => encode_small(marker, small, out),
        _ => encode_digits(marker, itoa::Buffer::new().format(length), out),
    }
}

/// A marker, the 20 digits of `u64::MAX` or `i64::MIN`, CR and LF.
const LENGTH_LINE_BYTES_MAX: usize = 23;

fn encode_number(marker: u8, number: i64, out: &mut BytesMut) {
    match u8::try_from(number) {
        Ok(small @ ..=SMALL_MAX) => encode_small(marker, small, out),
        _ => encode_digits(marker, itoa::Buffer::new().format(number), out),
    }
}

/// Most lengths and many answers have one digit or two: written so, a bulk string of 64 bytes
/// takes 17 ns instead of 27.
const SMALL_MAX: u8 = 99;

fn encode_small(marker: u8, number: u8, out: &mut BytesMut) {
    let (tens, ones) = (b'0' + number / 10, b'0' + number % 10);
    match tens {
        b'0' => out.put_slice(&[marker, ones, b'\r', b'\n']),
        _ => out.put_slice(&[marker, tens, ones, b'\r', b'\n']),
    }
}

fn encode_digits(marker: u8, digits: &str, out: &mut BytesMut) {
    // One write of a line built on the stack costs less than four that each check for room.
    let mut line = [0; LENGTH_LINE_BYTES_MAX];
    let end = 1 + digits.len();
    line[0] = marker;
    line[1..end].copy_from_slice(digits.as_bytes());
    line[end..end + 2].copy_from_slice(b"\r\n");
    out.put_slice(&line[..end + 2]);
}

/// Pairs one behind the other, each as an array of its own if `apart`.
fn encode_pairs(
    pairs: &[(Reply<'_>, Reply<'_>)],
    apart: bool,
    protocol: Protocol,
    out: &mut BytesMut,
) {
    for (first, second) in pairs {
        if apart {
            encode_array_header(2, protocol, out);
        }
        first.encode(protocol, out);
        second.encode(protocol, out);
    }
}

fn encode_all(items: &[Reply<'_>], protocol: Protocol, out: &mut BytesMut) {
    for item in items {
        item.encode(protocol, out);
    }
}

/// Appends a text that ends with its line, so that a CR or LF inside must not stay.
fn encode_line(marker: u8, text: &str, out: &mut BytesMut) {
    out.reserve(text.len() + 3);
    out.put_u8(marker);
    let start = out.len();
    out.put_slice(text.as_bytes());
    for byte in &mut out[start..] {
        // Written without a branch, so that the compiler takes many bytes at a time.
        *byte = if matches!(*byte, b'\r' | b'\n') { b' ' } else { *byte };
    }
    out.put_slice(b"\r\n");
}

fn encode_double(value: f64, protocol: Protocol, out: &mut BytesMut) {
    let text = DoubleText::new(value);
    match protocol {
        Protocol::Resp2 => encode_bulk(text.as_bytes(), out),
        Protocol::Resp3 => {
            out.put_u8(b',');
            out.put_slice(text.as_bytes());
            out.put_slice(b"\r\n");
        }
    }
}

fn encode_verbatim(format: &str, text: &str, out: &mut BytesMut) {
    assert_eq!(format.len(), 3, "RESP3 has room for a format of three letters");
    encode_length(b'=', format.len() + 1 + text.len(), out);
    out.put_slice(format.as_bytes());
    out.put_u8(b':');
    out.put_slice(text.as_bytes());
    out.put_slice(b"\r\n");
}
