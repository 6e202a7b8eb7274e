//! What holds for all requests, and for all bytes.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use redis_protocol::resp2::decode::decode as oracle;
use redis_protocol::resp2::types::OwnedFrame;
use resp::{Limits, Parser, encode_request};

use crate::allocations::allocated_bytes;
use crate::pieces::{Request, cut, parse, parse_pieces};

/// Small enough for random bytes to reach them.
const TINY: Limits =
    Limits { args_max: 7, bulk_bytes_max: 25, inline_bytes_max: 24, authenticated: true };

fn request() -> impl Strategy<Value = Request> {
    vec(vec(any::<u8>(), 0..30), 1..12)
}

fn encoded(requests: &[Request]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    for request in requests {
        encode_request(request, &mut bytes);
    }
    bytes.to_vec()
}

/// Bytes that look like requests: whole ones, inline ones, and the alphabet of the protocol.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let alphabet: &[u8] = b"**$$\r\r\r\n\n\n0123456789- \"'\\xaZ\0\xff";
    let piece = prop_oneof![
        4 => vec(request(), 1..3).prop_map(|requests| encoded(&requests)),
        2 => "[ -~]{0,12}\r?\n".prop_map(String::into_bytes),
        1 => Just(b"*0\r\n".to_vec()),
        1 => Just(b"*-1\r\n".to_vec()),
        2 => vec(prop::sample::select(alphabet), 0..30),
        1 => (0..20i32, -1..50i32).prop_map(|(count, bytes)| {
            format!("*{count}\r\n${bytes}\r\n").into_bytes()
        }),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parsing_undoes_encoding(requests in vec(request(), 0..5)) {
        let outcome = parse(&encoded(&requests), &Limits::default());
        prop_assert_eq!(outcome.requests, requests);
        prop_assert_eq!((outcome.error, outcome.left_bytes), (None, 0));
    }

    #[test]
    fn redis_protocol_reads_the_same_request(request in request()) {
        let bytes = encoded(std::slice::from_ref(&request));
        let (frame, read) = oracle(&bytes).unwrap().unwrap();
        let args = request.into_iter().map(OwnedFrame::BulkString).collect();
        prop_assert_eq!((frame, read), (OwnedFrame::Array(args), bytes.len()));
    }

    #[test]
    fn the_same_bytes_give_the_same_requests_however_they_are_cut(
        bytes in stream(),
        cuts in vec(any::<usize>(), 0..12),
        tiny in any::<bool>(),
    ) {
        let limits = if tiny { TINY } else { Limits::default() };
        let whole = parse(&bytes, &limits);
        prop_assert_eq!(&parse_pieces(cut(&bytes, &cuts), &limits), &whole);
        prop_assert_eq!(&parse_pieces(bytes.chunks(1), &limits), &whole);
    }

    #[test]
    fn garbage_neither_panics_nor_takes_memory_that_did_not_arrive(
        bytes in prop_oneof![vec(any::<u8>(), 0..400), stream()],
    ) {
        let (allocated, ()) = allocated_bytes(|| {
            let mut parser = Parser::new();
            while let Ok(Some(_)) = parser.next(&bytes, &Limits::default()) {}
            assert!(parser.consume() <= bytes.len());
        });
        // Per argument of at least 2 bytes (inline), two lists of 16 bytes that grow by doubling,
        // and the text of an error.
        prop_assert!(allocated <= 64 * bytes.len() + 512, "{} for {}", allocated, bytes.len());
    }

    #[test]
    fn any_argument_can_be_quoted_into_an_inline_command(arg in vec(any::<u8>(), 0..40)) {
        let quoted: String = arg.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        let outcome = parse(format!("ECHO \"{quoted}\"\r\n").as_bytes(), &Limits::default());
        prop_assert_eq!(outcome.requests, vec![vec![b"ECHO".to_vec(), arg]]);
    }
}
