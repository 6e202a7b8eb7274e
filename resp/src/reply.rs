//! A reply as a handler returns it, and its two encodings.

use std::borrow::Cow;

use bytes::BytesMut;

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
    /// `+text`: no CR or LF inside.
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
    /// An out-of-band message; in RESP2 an array.
    Push(Vec<Reply<'a>>),
    /// A double; in RESP2 a bulk string, printed as Redis prints it (`%.17g`; `inf`, `-inf`).
    Double(f64),
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

    /// Appends the reply's bytes to `out`.
    pub fn encode(&self, protocol: Protocol, out: &mut BytesMut) {
        let _ = (protocol, out);
        todo!("encode")
    }

    /// The same reply, borrowing from nothing.
    pub fn into_owned(self) -> Reply<'static> {
        todo!("into_owned")
    }
}
