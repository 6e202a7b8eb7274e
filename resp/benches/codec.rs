//! Nanoseconds per request parsed and per reply written, and redis-protocol's beside them.
//!
//! Each figure is the median of several rounds over a buffer that stays in the cache, as a
//! connection's does. `docs/decisions/0001-reply-encoding.md` quotes them.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use bytes::BytesMut;
use redis_protocol::resp3::encode::complete::extend_encode_borrowed;
use redis_protocol::resp3::types::BorrowedFrame;
use resp::{Limits, Parser, Protocol, Reply, encode_request};

const ROUNDS: usize = 15;
const OPERATIONS: usize = 200_000;
/// Requests or replies in one buffer: a deep pipeline's worth.
const BATCH: usize = 64;

fn main() {
    let value = [b'v'; 64];
    parse("parse SET, 3 arguments, 64 B", &[b"SET", b"key:000000001234", &value]);
    parse("parse GET, 2 arguments", &[b"GET", b"key:000000001234"]);
    parse("parse MSET, 21 arguments", &[&b"MSET"[..]; 21]);

    write("status", &Reply::OK, &BorrowedFrame::SimpleString { data: b"OK", attributes: None });
    write(
        "integer",
        &Reply::Integer(123_456),
        &BorrowedFrame::Number { data: 123_456, attributes: None },
    );
    write(
        "integer below 100",
        &Reply::Integer(1),
        &BorrowedFrame::Number { data: 1, attributes: None },
    );
    write(
        "error",
        &Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value"),
        &BorrowedFrame::SimpleError {
            data: "WRONGTYPE Operation against a key holding the wrong kind of value",
            attributes: None,
        },
    );
    write(
        "bulk, 64 B",
        &Reply::Bulk(Cow::Borrowed(&value)),
        &BorrowedFrame::BlobString { data: &value, attributes: None },
    );
    write("null", &Reply::Null, &BorrowedFrame::Null);
    write("double", &Reply::Double(0.1), &BorrowedFrame::Double { data: 0.1, attributes: None });
    let frames = vec![BorrowedFrame::BlobString { data: &value, attributes: None }; 10];
    write(
        "array of 10 bulks",
        &Reply::Array(vec![Reply::Bulk(Cow::Borrowed(&value)); 10]),
        &BorrowedFrame::Array { data: &frames, attributes: None },
    );
}

fn parse(name: &str, args: &[&[u8]]) {
    let mut buffer = BytesMut::new();
    for _ in 0..BATCH {
        encode_request(args, &mut buffer);
    }
    let limits = Limits::default();
    let mut parser = Parser::new();
    let ns = median_ns(|| {
        while let Ok(Some(args)) = parser.next(black_box(&buffer), &limits) {
            black_box(args);
        }
        black_box(parser.consume());
    });
    println!("{name:32} {ns:7.1} ns");
}

fn write(name: &str, reply: &Reply<'_>, frame: &BorrowedFrame<'_>) {
    let mut out = BytesMut::new();
    let mut own = |protocol: Protocol| {
        median_ns(|| {
            out.clear();
            for _ in 0..BATCH {
                black_box(reply).encode(protocol, &mut out);
            }
            black_box(&out);
        })
    };
    let (resp2, resp3) = (own(Protocol::Resp2), own(Protocol::Resp3));
    let theirs = median_ns(|| {
        out.clear();
        for _ in 0..BATCH {
            extend_encode_borrowed(&mut out, black_box(frame), false).expect("a valid frame");
        }
        black_box(&out);
    });
    println!("write {name:26} {resp2:7.1} ns (RESP3 {resp3:.1}, redis-protocol {theirs:.1})");
}

/// The time of one operation when `batch` does [`BATCH`] of them.
fn median_ns(mut batch: impl FnMut()) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..OPERATIONS / BATCH {
                batch();
            }
            start.elapsed().as_nanos() as f64 / (OPERATIONS / BATCH * BATCH) as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}
