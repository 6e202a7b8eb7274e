//! The incremental request parser: an array of bulk strings, or an inline command.
//!
//! Resumable (nothing is parsed twice when a request arrives in pieces), free of allocation in the
//! steady state, and every limit is checked before memory is taken.

use smallvec::SmallVec;

/// The arguments of one request, the command's name first, borrowed from the read buffer.
pub type ArgVec<'a> = SmallVec<[&'a [u8]; 8]>;

/// Redis' limits on what a client may send.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Arguments in one request (Redis: 1,048,576; 10 before AUTH).
    pub args_max: usize,
    /// Bytes of one argument (`proto-max-bulk-len`; 16,384 before AUTH).
    pub bulk_bytes_max: usize,
    /// Bytes of an inline command, and of a `*` or `$` line (Redis: 65,536).
    pub inline_bytes_max: usize,
}

/// A request that breaks the protocol: the text after `-ERR Protocol error: `. The connection is
/// closed after it is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ERR Protocol error: {0}")]
pub struct ProtocolError(pub String);

/// The parser's place in one connection's read buffer.
#[derive(Debug, Default)]
pub struct Parser {}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// The next complete request in `buffer`, or `None` when more bytes are needed. Empty requests
    /// (`*0`, `*-1`, a blank inline line) are skipped, as in Redis. The same buffer, only ever
    /// appended to, must be passed until [`Parser::consume`].
    pub fn next<'b>(
        &mut self,
        buffer: &'b [u8],
        limits: &Limits,
    ) -> Result<Option<ArgVec<'b>>, ProtocolError> {
        let _ = (buffer, limits);
        todo!("next")
    }

    /// How many bytes at the start of the buffer belong to requests already returned. The caller
    /// drops that many and the parser's positions move along.
    pub fn consume(&mut self) -> usize {
        todo!("consume")
    }

    /// How many more bytes the request under way is known to need at least; a hint for reserving
    /// buffer space that is never larger than `cap`.
    pub fn wanted(&self, cap: usize) -> usize {
        let _ = cap;
        todo!("wanted")
    }
}
