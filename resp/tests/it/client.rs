//! The client side against well-meaning, broken and hostile peers.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use resp::{DecodeError, REPLY_DEPTH_MAX, ReplyDecoder, Value, encode_request};

use crate::allocations::allocated_bytes;

const BYTES_MAX: usize = 1024 * 1024;

/// Every reply in `bytes`, or the error they end in.
fn decode(bytes: &[u8], bytes_max: usize) -> Result<Vec<Value>, DecodeError> {
    let mut decoder = ReplyDecoder::new(bytes_max);
    let mut buffer = BytesMut::from(bytes);
    let mut values = Vec::new();
    while let Some(value) = decoder.decode(&mut buffer)? {
        values.push(value);
    }
    Ok(values)
}

fn bulk(text: &'static str) -> Value {
    Value::Bulk(text.into())
}

#[test]
fn a_request_is_an_array_of_bulk_strings() {
    let mut out = BytesMut::new();
    encode_request(&["SET", "k", ""], &mut out);
    assert_eq!(&out[..], b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n");
}

#[test]
fn replies_of_redis_are_read_in_both_protocols() {
    for (bytes, value) in [
        (&b"+OK\r\n"[..], Value::Status("OK".into())),
        (b"-ERR no\r\n", Value::Error("ERR no".into())),
        (b"-ERR \xff\r\n", Value::Error("ERR \u{fffd}".into())),
        (b"!6\r\nERR no\r\n", Value::Error("ERR no".into())),
        (b":-7\r\n", Value::Integer(-7)),
        (b"$2\r\n\r\n\r\n", bulk("\r\n")),
        (b"$0\r\n\r\n", bulk("")),
        (b"$-1\r\n", Value::Null),
        (b"*-1\r\n", Value::Null),
        (b"_\r\n", Value::Null),
        (b"*0\r\n", Value::Array(vec![])),
        (b"~1\r\n:1\r\n", Value::Set(vec![Value::Integer(1)])),
        (b">1\r\n$1\r\nx\r\n", Value::Push(vec![bulk("x")])),
        (
            b"%2\r\n:1\r\n#f\r\n*1\r\n:2\r\n#t\r\n",
            Value::Map(vec![
                (Value::Integer(1), Value::Boolean(false)),
                (Value::Array(vec![Value::Integer(2)]), Value::Boolean(true)),
            ]),
        ),
        (b",-inf\r\n", Value::Double(f64::NEG_INFINITY)),
        (b",0.10000000000000001\r\n", Value::Double(0.1)),
        (b"(12345678901234567890\r\n", Value::BigNumber("12345678901234567890".into())),
        (b"=7\r\ntxt:a\nb\r\n", Value::Verbatim("txt", "a\nb".into())),
    ] {
        assert_eq!(decode(bytes, BYTES_MAX), Ok(vec![value]), "{}", bytes.escape_ascii());
    }
}

#[test]
fn attributes_are_skipped() {
    let bytes =
        b"*2\r\n|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n:7\r\n|0\r\n:8\r\n|1\r\n+a\r\n+b\r\n+OK\r\n";
    assert_eq!(
        decode(bytes, BYTES_MAX),
        Ok(vec![
            Value::Array(vec![Value::Integer(7), Value::Integer(8)]),
            Value::Status("OK".into()),
        ])
    );
}

#[test]
fn what_is_not_resp_is_refused() {
    for bytes in [
        &b"\r\n"[..],
        b"HTTP/1.1 200 OK\r\n",
        b"HELLO 3\r\n",
        b";4\r\nabcd\r\n",
        b".\r\n",
        b"$?\r\n",
        b"*?\r\n",
        b"*-2\r\n",
        b"%-1\r\n",
        b"$01\r\na\r\n",
        b":x\r\n",
        b"#x\r\n",
        b",x\r\n",
        b"=3\r\nabc\r\n",
        b"=5\r\nfoo:a\r\n",
        b"$1\r\nabc\r\n",
    ] {
        let result = decode(bytes, BYTES_MAX);
        assert!(
            matches!(result, Err(DecodeError::Malformed(_))),
            "{}: {result:?}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn nested_arrays_of_48_kb_are_refused_and_overflow_no_stack() {
    let bytes = "*1\r\n".repeat(12_000);
    assert_eq!(decode(bytes.as_bytes(), BYTES_MAX), Err(DecodeError::TooDeep));
    let deepest = "*1\r\n".repeat(REPLY_DEPTH_MAX) + ":1\r\n";
    assert_eq!(decode(deepest.as_bytes(), BYTES_MAX).unwrap().len(), 1);
    // Attributes before attributes nest nothing and are only counted as bytes.
    let attributes = "|0\r\n".repeat(12_000) + ":1\r\n";
    assert_eq!(decode(attributes.as_bytes(), BYTES_MAX), Ok(vec![Value::Integer(1)]));
}

#[test]
fn a_reply_past_the_limit_is_refused_before_it_arrives() {
    let too_long = Err(DecodeError::TooLong(100));
    for bytes in ["$94\r\n", "*34\r\n", "%17\r\n", "*2\r\n$50\r\n", "=1000\r\n"] {
        let whole = matches!(bytes, "*2\r\n$50\r\n");
        let result = decode(bytes.as_bytes(), 100);
        assert_eq!(result, if whole { Ok(vec![]) } else { too_long.clone() }, "{bytes:?}");
    }
    assert_eq!(decode("+".repeat(101).as_bytes(), 100), too_long);
    let inner = format!("*2\r\n$50\r\n{}\r\n$50\r\n", "x".repeat(50));
    assert_eq!(decode(inner.as_bytes(), 100), too_long, "together they are too long");
    let apart = format!("$50\r\n{0}\r\n$50\r\n{0}\r\n", "x".repeat(50));
    assert_eq!(decode(apart.as_bytes(), 100).unwrap().len(), 2, "each reply has its own limit");
}

#[test]
fn declared_counts_and_lengths_take_no_memory() {
    for bytes in ["*1000000000000\r\n", "%1000000000000\r\n", "$1000000000000\r\n"] {
        let mut decoder = ReplyDecoder::new(usize::MAX);
        let mut buffer = BytesMut::from(bytes);
        let (allocated, value) = allocated_bytes(|| decoder.decode(&mut buffer).unwrap());
        assert_eq!(value, None);
        assert!(allocated < 1024, "{allocated} for {bytes:?}");
    }
}

/// Bytes that were read are gone from the buffer, so that nothing can be read twice.
#[test]
fn a_long_array_in_pieces_is_read_once() {
    let bytes = "*100000\r\n".to_owned() + &"$4\r\nabcd\r\n".repeat(100_000);
    let mut decoder = ReplyDecoder::new(10 * BYTES_MAX);
    let mut buffer = BytesMut::new();
    let mut replies = Vec::new();
    for piece in bytes.as_bytes().chunks(1000) {
        buffer.extend_from_slice(piece);
        replies.extend(decoder.decode(&mut buffer).unwrap());
        assert!(buffer.len() < "$4\r\nabcd\r\n".len());
    }
    let [Value::Array(values)] = &replies[..] else { panic!("one array") };
    assert_eq!(values.len(), 100_000);
}

proptest! {
    #[test]
    fn garbage_neither_panics_nor_takes_memory_that_did_not_arrive(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..300),
            vec(prop::sample::select(&b"**%~>|$$=!+-:_,#(\r\r\n\n0123456789-tfx"[..]), 0..300),
            vec(
                prop::sample::select(&["*2\r\n", "%1\r\n", "|1\r\n", "~3\r\n", ":1\r\n", "$1\r\nx\r\n"][..]),
                0..60,
            ).prop_map(|items| items.concat().into_bytes()),
        ],
    ) {
        let (allocated, _) = allocated_bytes(|| decode(&bytes, BYTES_MAX));
        // A value of 3 bytes takes some 40, in lists that start with room for four and double,
        // and an error of redis-protocol a text.
        prop_assert!(allocated <= 200 * bytes.len() + 1024, "{} for {}", allocated, bytes.len());
    }
}
