//! The incremental request parser: an array of bulk strings, or an inline command.
//!
//! Invariants:
//! - However many pieces a request arrives in, it is not parsed again from its start (but for a
//!   first try at the few arguments of a small one), and the same bytes give the same requests and
//!   the same error however they are cut.
//! - Every limit is checked before memory is taken, and a declared length or count takes none: the
//!   parser's memory grows with the bytes that arrived.
//! - No allocation in the steady state, but for the [`ArgVec`] of a request of more than eight
//!   arguments.
//! - What it accepts and refuses, and the texts, are those of Redis 7.0.15. As there, the two bytes
//!   after a bulk string and the one after a line's CR are skipped unread, and a line with a NUL
//!   byte never ends.
//!
//! Left out: replies, the limit on the whole query buffer and the refusal of HTTP (`POST`,
//! `Host:`), which belong to the connection.

use std::ops::Range;

use smallvec::SmallVec;

use crate::inline;
use crate::number::{strict_integer, usual_line};

/// The arguments of one request, the command's name first, borrowed from the read buffer.
pub type ArgVec<'a> = SmallVec<[&'a [u8]; 8]>;

/// Arguments in one request: what fits a C `int`, as in Redis 7.0. Memory is bounded by the bytes
/// that arrive, so by the connection's limit on its query buffer, not by this.
pub const ARGS_MAX: usize = i32::MAX as usize;
/// Bytes of one argument: Redis' default of `proto-max-bulk-len`.
pub const BULK_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes of an inline command, and of a `*` or `$` line, as in Redis.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Arguments in one request before AUTH, as in Redis: enough for AUTH and HELLO.
pub const UNAUTHENTICATED_ARGS_MAX: usize = 10;
/// Bytes of one argument before AUTH, as in Redis.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16 * 1024;

/// The parser keeps its lists between batches up to these sizes and gives larger ones back, so that one huge request does not cost an idle connection memory for ever. By eye: 16 KB and 4 KB,
/// about what a connection's read buffer takes anyway.
const ARGS_RETAINED_MAX: usize = 1024;
const UNESCAPED_BYTES_RETAINED_MAX: usize = 4096;

/// Requests of more arguments are read the careful way. As many as [`ArgVec`] holds without
/// allocating, and within the limit before AUTH.
const USUAL_ARGS_MAX: usize = 8;
const _: () = assert!(USUAL_ARGS_MAX <= UNAUTHENTICATED_ARGS_MAX);

/// The shortest possible argument: `$0`, CR, LF, CR, LF.
const ARG_BYTES_MIN: usize = 6;

/// Redis' limits on what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arguments in one request (Redis: 2,147,483,647; 10 before AUTH).
    pub args_max: usize,
    /// Bytes of one argument (`proto-max-bulk-len`; 16,384 before AUTH).
    pub bulk_bytes_max: usize,
    /// Bytes of an inline command, and of a `*` or `$` line (Redis: 65,536).
    pub inline_bytes_max: usize,
    /// Whether the client may do anything but authenticate. If not, 10 arguments and 16,384 bytes
    /// an argument are the limits as well, with an error text of their own.
    pub authenticated: bool,
}

impl Limits {
    /// The limits of a client that has authenticated or need not.
    pub const fn authenticated(bulk_bytes_max: usize) -> Limits {
        Limits {
            args_max: ARGS_MAX,
            bulk_bytes_max,
            inline_bytes_max: INLINE_BYTES_MAX,
            authenticated: true,
        }
    }

    /// The limits of a client that has yet to authenticate.
    pub const fn unauthenticated() -> Limits {
        Limits { authenticated: false, ..Limits::authenticated(BULK_BYTES_MAX) }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::authenticated(BULK_BYTES_MAX)
    }
}

/// A request that breaks the protocol: the text after `-ERR Protocol error: `. The connection is
/// closed after it is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ERR Protocol error: {0}")]
pub struct ProtocolError(pub String);

/// The parser's place in one connection's read buffer.
#[derive(Debug, Default)]
pub struct Parser {
    /// Where the request under way begins in the buffer; what stands before has been returned.
    start: usize,
    /// The next byte to read, counted from `start`, as are the places in `args`.
    position: usize,
    /// How many bytes from `position` on are known to hold no end of line.
    scanned: usize,
    /// Arguments of the array under way that are still to come; 0 between requests.
    args_missing: usize,
    /// The length of the argument under way, once its `$` line has been read.
    bulk_bytes: Option<usize>,
    /// The arguments read so far: places in the buffer, or in `unescaped` for an inline command.
    args: Vec<Range<usize>>,
    /// The arguments of the last inline command, without quotes and escapes.
    unescaped: Vec<u8>,
    /// What [`Parser::wanted`] answers.
    bytes_missing: usize,
}

/// Where the arguments of a complete request stand.
enum Complete {
    Array,
    Inline,
}

impl Parser {
    /// A parser at the start of a connection.
    pub fn new() -> Parser {
        Parser::default()
    }

    /// The next complete request in `buffer`, or `None` when more bytes are needed. Empty requests
    /// (`*0`, `*-1`, a blank inline line) are skipped, as in Redis. The same buffer, only ever
    /// appended to, must be passed until [`Parser::consume`]. After an error, every further call
    /// gives the same error.
    ///
    /// The arguments borrow from the parser too, since those of an inline command may have been
    /// unescaped: handle a request, or copy it, before asking for the next.
    #[inline]
    pub fn next<'b>(
        &'b mut self,
        buffer: &'b [u8],
        limits: &Limits,
    ) -> Result<Option<ArgVec<'b>>, ProtocolError> {
        if self.position == 0
            && let Some((args, bytes)) = usual_array(&buffer[self.start..], limits)
        {
            self.start += bytes;
            self.scanned = 0;
            self.bytes_missing = 0;
            return Ok(Some(args));
        }
        let Some(complete) = self.advance(buffer, limits)? else {
            return Ok(None);
        };
        let request = &buffer[self.start..];
        self.start += self.position;
        self.position = 0;
        let source = match complete {
            Complete::Array => request,
            Complete::Inline => &self.unescaped,
        };
        // `args` is emptied by the next call, when this request no longer needs it.
        Ok(Some(self.args.iter().map(|place| &source[place.clone()]).collect()))
    }

    /// How many bytes at the start of the buffer belong to requests already returned. The caller
    /// drops that many and the parser's positions move along.
    pub fn consume(&mut self) -> usize {
        if self.position == 0 {
            self.give_memory_back();
        }
        std::mem::take(&mut self.start)
    }

    /// How many more bytes the request under way is known to need at least; a hint for reserving
    /// buffer space that is never larger than `cap`.
    pub fn wanted(&self, cap: usize) -> usize {
        self.bytes_missing.min(cap)
    }

    /// Reads until a request that is not empty is complete (its arguments are then in `args`) or
    /// the buffer ends.
    #[inline]
    fn advance(
        &mut self,
        buffer: &[u8],
        limits: &Limits,
    ) -> Result<Option<Complete>, ProtocolError> {
        assert!(buffer.len() >= self.start + self.position, "the read buffer lost bytes");
        self.bytes_missing = 0;
        if self.position == 0 {
            self.args.clear();
        }
        loop {
            let request = &buffer[self.start..];
            let (read, complete) = match request.first() {
                None => return Ok(None),
                Some(&first) if self.args_missing > 0 || first == b'*' => {
                    (self.read_array(request, limits)?, Complete::Array)
                }
                Some(_) => (self.read_inline(request, limits)?, Complete::Inline),
            };
            if !read {
                self.bytes_missing = self.bytes_missing.max(1);
                return Ok(None);
            }
            if !self.args.is_empty() {
                return Ok(Some(complete));
            }
            self.start += std::mem::take(&mut self.position);
        }
    }

    fn give_memory_back(&mut self) {
        if self.args.capacity() > ARGS_RETAINED_MAX {
            self.args = Vec::new();
        }
        if self.unescaped.capacity() > UNESCAPED_BYTES_RETAINED_MAX {
            self.unescaped = Vec::new();
        }
    }

    /// Reads as much of an array as has arrived; true when it is complete.
    #[inline]
    fn read_array(&mut self, request: &[u8], limits: &Limits) -> Result<bool, ProtocolError> {
        if self.args_missing == 0 {
            let Some(count) = self.read_count(request, limits)? else {
                return Ok(false);
            };
            self.args_missing = count;
        }
        while self.args_missing > 0 {
            let bytes = match self.bulk_bytes {
                Some(bytes) => bytes,
                None => match self.read_bulk_bytes(request, limits)? {
                    Some(bytes) => bytes,
                    None => {
                        let begun = request.len() - self.position;
                        let all = self.args_missing.saturating_mul(ARG_BYTES_MIN);
                        self.bytes_missing = all.saturating_sub(begun);
                        return Ok(false);
                    }
                },
            };
            let arrived = request.len() - self.position;
            let needed = bytes.saturating_add(2);
            if arrived < needed {
                self.bulk_bytes = Some(bytes);
                let others = (self.args_missing - 1).saturating_mul(ARG_BYTES_MIN);
                self.bytes_missing = (needed - arrived).saturating_add(others);
                return Ok(false);
            }
            self.bulk_bytes = None;
            self.args.push(self.position..self.position + bytes);
            self.position += needed;
            self.args_missing -= 1;
        }
        Ok(true)
    }

    /// The number of arguments in the `*` line; 0 for an empty or null array.
    #[inline]
    fn read_count(
        &mut self,
        request: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self.read_line(request, b'*', limits)? else {
            return Ok(None);
        };
        let number = line.number.ok_or_else(|| refused("invalid multibulk length"))?;
        let count = usize::try_from(number).unwrap_or(0);
        if count > limits.args_max {
            return Err(refused("invalid multibulk length"));
        }
        if count > UNAUTHENTICATED_ARGS_MAX && !limits.authenticated {
            return Err(refused("unauthenticated multibulk length"));
        }
        self.pass(&line);
        Ok(Some(count))
    }

    /// The length of the next argument, from its `$` line.
    #[inline]
    fn read_bulk_bytes(
        &mut self,
        request: &[u8],
        limits: &Limits,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(line) = self.read_line(request, b'$', limits)? else {
            return Ok(None);
        };
        let bytes = line
            .number
            .and_then(|number| usize::try_from(number).ok())
            .filter(|&bytes| bytes <= limits.bulk_bytes_max)
            .ok_or_else(|| refused("invalid bulk length"))?;
        if bytes > UNAUTHENTICATED_BULK_BYTES_MAX && !limits.authenticated {
            return Err(refused("unauthenticated bulk length"));
        }
        self.pass(&line);
        Ok(Some(bytes))
    }

    /// The line at `position`: `marker`, a number, CR and one byte more. The position stays, so
    /// that a refused line is refused again.
    #[inline]
    fn read_line(
        &mut self,
        request: &[u8],
        marker: u8,
        limits: &Limits,
    ) -> Result<Option<Line>, ProtocolError> {
        let line = &request[self.position..];
        if line.first() == Some(&marker)
            && let Some((number, line_bytes)) = usual_line(&line[1..])
        {
            let number = i64::try_from(number).ok();
            return Ok(Some(Line { number, bytes: 1 + line_bytes }));
        }
        self.read_unusual_line(line, marker, limits)
    }

    fn read_unusual_line(
        &mut self,
        line: &[u8],
        marker: u8,
        limits: &Limits,
    ) -> Result<Option<Line>, ProtocolError> {
        let too_big = match marker {
            b'*' => "too big mbulk count string",
            _ => "too big bulk count string",
        };
        let Some(end) = self.find_line_end(line, b'\r', limits, too_big)? else {
            return Ok(None);
        };
        if line.len() < end + 2 {
            return Ok(None);
        }
        if line[0] != marker {
            let (marker, got) = (char::from(marker), printable(line[0]));
            return Err(ProtocolError(format!("expected '{marker}', got '{got}'")));
        }
        // Nothing stands before the CR when the line's first byte is the CR itself, but then the
        // marker was missing.
        Ok(Some(Line { number: strict_integer(&line[1..end]), bytes: end + 2 }))
    }

    /// Reads an inline command; true when its line is complete.
    fn read_inline(&mut self, line: &[u8], limits: &Limits) -> Result<bool, ProtocolError> {
        let Some(end) = self.find_line_end(line, b'\n', limits, "too big inline request")? else {
            return Ok(false);
        };
        let text = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
        self.unescaped.clear();
        self.args.clear();
        inline::split(text, &mut self.unescaped, &mut self.args)
            .map_err(|inline::Unbalanced| refused("unbalanced quotes in request"))?;
        self.position = end + 1;
        self.scanned = 0;
        Ok(true)
    }

    /// Where in `line` the first `end` stands, looking only at bytes not looked at before.
    ///
    /// A line without an end among its first `inline_bytes_max + 1` bytes is too big. Redis looks
    /// at all it happens to have read, so that there the answer depends on how the network cut the
    /// line; this is its answer for a line that comes byte by byte.
    fn find_line_end(
        &mut self,
        line: &[u8],
        end: u8,
        limits: &Limits,
        too_big: &str,
    ) -> Result<Option<usize>, ProtocolError> {
        let window = &line[..line.len().min(limits.inline_bytes_max.saturating_add(1))];
        let unseen = window.get(self.scanned..).unwrap_or_default();
        // Redis searches with strchr, which a NUL stops for good: such a line waits for its limit.
        match unseen.iter().position(|&byte| byte == end || byte == 0) {
            Some(index) => {
                self.scanned += index;
                if window[self.scanned] == end {
                    return Ok(Some(self.scanned));
                }
            }
            None => self.scanned = window.len(),
        }
        match line.len() > limits.inline_bytes_max {
            true => Err(refused(too_big)),
            false => Ok(None),
        }
    }

    #[inline]
    fn pass(&mut self, line: &Line) {
        self.position += line.bytes;
        self.scanned = 0;
    }
}

/// Reads what nearly every request is: a complete array of at most [`USUAL_ARGS_MAX`] arguments.
/// `None` says only "read it the careful way"; what was read here is then read once more, which
/// the number of arguments bounds.
#[inline]
fn usual_array<'b>(request: &'b [u8], limits: &Limits) -> Option<(ArgVec<'b>, usize)> {
    let (count, line_bytes) = usual_line(request.strip_prefix(b"*")?)?;
    if count > USUAL_ARGS_MAX.min(limits.args_max) {
        return None;
    }
    let bulk_bytes_max = limits.bulk_bytes_max.min(UNAUTHENTICATED_BULK_BYTES_MAX);
    let mut rest = &request[1 + line_bytes..];
    let mut args = ArgVec::new();
    for _ in 0..count {
        let (bytes, line_bytes) = usual_line(rest.strip_prefix(b"$")?)?;
        if bytes > bulk_bytes_max {
            return None;
        }
        let string = &rest[1 + line_bytes..];
        args.push(string.get(..bytes)?);
        rest = string.get(bytes + 2..)?;
    }
    Some((args, request.len() - rest.len()))
}

/// A `*` or `$` line.
struct Line {
    /// The number after the marker, if it is one.
    number: Option<i64>,
    /// The line's length with its end.
    bytes: usize,
}

#[cold]
fn refused(text: &str) -> ProtocolError {
    ProtocolError(text.to_owned())
}

/// A client's byte as it may stand in an error: CR and LF become a space, as in Redis, and other
/// bytes that are not printable ASCII are escaped, where Redis echoes them raw.
fn printable(byte: u8) -> String {
    match byte {
        b'\r' | b'\n' => " ".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        other => format!("\\x{other:02x}"),
    }
}
