//! Feeding a parser as a connection does: bytes arrive in pieces, requests leave.

use bytes::BytesMut;
use resp::{Limits, Parser, ProtocolError};

/// A request, copied.
pub(crate) type Request = Vec<Vec<u8>>;

/// All that a parser made of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) requests: Vec<Request>,
    pub(crate) error: Option<ProtocolError>,
    /// Bytes at the end that belong to no request yet.
    pub(crate) left_bytes: usize,
}

/// What becomes of `bytes` when they arrive all at once.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Outcome {
    parse_pieces([bytes], limits)
}

/// What becomes of bytes that arrive piece by piece.
pub(crate) fn parse_pieces<'p>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    limits: &Limits,
) -> Outcome {
    let mut parser = Parser::new();
    let mut buffer = BytesMut::new();
    let mut outcome = Outcome::default();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        outcome.error = loop {
            match parser.next(&buffer, limits) {
                Ok(Some(args)) => {
                    outcome.requests.push(args.iter().map(|arg| arg.to_vec()).collect());
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = &outcome.error {
            assert_eq!(parser.next(&buffer, limits).as_ref(), Err(error), "errors stay");
            return outcome;
        }
        let done = parser.consume();
        let _ = buffer.split_to(done);
        assert_eq!(parser.consume(), 0);
    }
    outcome.left_bytes = buffer.len();
    outcome
}

/// `bytes` cut at `cuts`, which are taken modulo the length.
pub(crate) fn cut<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.push(bytes.len());
    places.sort_unstable();
    let mut start = 0;
    places.iter().map(|&end| &bytes[std::mem::replace(&mut start, end)..end]).collect()
}
