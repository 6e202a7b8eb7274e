//! Replies on the wire: examples seen from redis-server 7.0.15, and redis-protocol as the judge.

use std::borrow::Cow;

use bytes::BytesMut;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use redis_protocol::resp2::decode::decode as decode2;
use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3::decode::complete::decode as decode3;
use redis_protocol::resp3::types::{OwnedFrame as Frame3, VerbatimStringFormat};
use resp::{
    Protocol, Reply, ReplyDecoder, Value, encode_array_header, encode_map_header,
    encode_push_header, encode_set_header,
};

fn encoded(reply: &Reply<'_>, protocol: Protocol) -> BytesMut {
    let mut out = BytesMut::new();
    reply.encode(protocol, &mut out);
    out
}

#[track_caller]
fn assert_encodes(reply: Reply<'_>, resp2: &[u8], resp3: &[u8]) {
    let seen2 = encoded(&reply, Protocol::Resp2);
    assert_eq!(seen2.escape_ascii().to_string(), resp2.escape_ascii().to_string(), "RESP2");
    let seen3 = encoded(&reply, Protocol::Resp3);
    assert_eq!(seen3.escape_ascii().to_string(), resp3.escape_ascii().to_string(), "RESP3");
}

fn bulk(text: &str) -> Reply<'_> {
    Reply::Bulk(Cow::Borrowed(text.as_bytes()))
}

#[test]
fn each_kind_of_reply_is_written_as_by_redis() {
    assert_encodes(Reply::OK, b"+OK\r\n", b"+OK\r\n");
    assert_encodes(Reply::error("ERR no"), b"-ERR no\r\n", b"-ERR no\r\n");
    assert_encodes(Reply::Integer(-12345), b":-12345\r\n", b":-12345\r\n");
    assert_encodes(
        Reply::Integer(i64::MIN),
        b":-9223372036854775808\r\n",
        b":-9223372036854775808\r\n",
    );
    for number in [-1, 0, 9, 10, 99, 100, 255, 256] {
        let line = format!(":{number}\r\n");
        assert_encodes(Reply::Integer(number), line.as_bytes(), line.as_bytes());
    }
    for length in [1, 9, 10, 99, 100, 1000] {
        let text = "x".repeat(length);
        let string = format!("${length}\r\n{text}\r\n");
        assert_encodes(bulk(&text), string.as_bytes(), string.as_bytes());
    }
    assert_encodes(bulk("Hello"), b"$5\r\nHello\r\n", b"$5\r\nHello\r\n");
    assert_encodes(bulk(""), b"$0\r\n\r\n", b"$0\r\n\r\n");
    assert_encodes(Reply::BulkInteger(-70), b"$3\r\n-70\r\n", b"$3\r\n-70\r\n");
    assert_encodes(Reply::Null, b"$-1\r\n", b"_\r\n");
    assert_encodes(Reply::NullArray, b"*-1\r\n", b"_\r\n");
    assert_encodes(Reply::Double(0.5), b"$3\r\n0.5\r\n", b",0.5\r\n");
    assert_encodes(Reply::Double(f64::NEG_INFINITY), b"$4\r\n-inf\r\n", b",-inf\r\n");
    assert_encodes(
        Reply::Decimal("13.36138933897018433".into()),
        b"$20\r\n13.36138933897018433\r\n",
        b",13.36138933897018433\r\n",
    );
    assert_encodes(Reply::Boolean(true), b":1\r\n", b"#t\r\n");
    assert_encodes(Reply::Boolean(false), b":0\r\n", b"#f\r\n");
    let digits = "1234567999999999999999999999999999999";
    assert_encodes(
        Reply::BigNumber(digits.into()),
        b"$37\r\n1234567999999999999999999999999999999\r\n",
        b"(1234567999999999999999999999999999999\r\n",
    );
    assert_encodes(
        Reply::Verbatim("txt", "This is a verbatim\nstring".into()),
        b"$25\r\nThis is a verbatim\nstring\r\n",
        b"=29\r\ntxt:This is a verbatim\nstring\r\n",
    );
}

#[test]
fn aggregates_are_flattened_for_resp2() {
    let integers = || vec![Reply::Integer(0), Reply::Integer(1)];
    assert_encodes(Reply::Array(integers()), b"*2\r\n:0\r\n:1\r\n", b"*2\r\n:0\r\n:1\r\n");
    assert_encodes(Reply::Set(integers()), b"*2\r\n:0\r\n:1\r\n", b"~2\r\n:0\r\n:1\r\n");
    assert_encodes(Reply::Push(integers()), b"*2\r\n:0\r\n:1\r\n", b">2\r\n:0\r\n:1\r\n");
    let map =
        vec![(bulk("b"), Reply::Boolean(false)), (bulk("a"), Reply::Array(vec![Reply::Null]))];
    assert_encodes(
        Reply::Map(map),
        b"*4\r\n$1\r\nb\r\n:0\r\n$1\r\na\r\n*1\r\n$-1\r\n",
        b"%2\r\n$1\r\nb\r\n#f\r\n$1\r\na\r\n*1\r\n_\r\n",
    );
    let pairs = || vec![(Reply::Integer(0), Reply::Integer(1))];
    assert_encodes(Reply::FlatPairs(pairs()), b"*2\r\n:0\r\n:1\r\n", b"*1\r\n*2\r\n:0\r\n:1\r\n");
    assert_encodes(Reply::PairedMap(pairs()), b"*1\r\n*2\r\n:0\r\n:1\r\n", b"%1\r\n:0\r\n:1\r\n");
    assert_encodes(Reply::Array(vec![]), b"*0\r\n", b"*0\r\n");
    assert_encodes(Reply::Map(vec![]), b"*0\r\n", b"%0\r\n");
}

#[test]
fn headers_can_be_written_alone() {
    for (protocol, expected) in [
        (Protocol::Resp2, &b"*1000\r\n*6\r\n*3\r\n*3\r\n"[..]),
        (Protocol::Resp3, b"*1000\r\n%3\r\n~3\r\n>3\r\n"),
    ] {
        let mut out = BytesMut::new();
        encode_array_header(1000, protocol, &mut out);
        encode_map_header(3, protocol, &mut out);
        encode_set_header(3, protocol, &mut out);
        encode_push_header(3, protocol, &mut out);
        assert_eq!(&out[..], expected);
    }
}

#[test]
fn an_error_with_a_clients_line_break_stays_one_reply() {
    let text = "ERR unknown command 'x\r\n+OK\r\n'";
    let line = b"-ERR unknown command 'x  +OK  '\r\n";
    assert_encodes(Reply::Error(text.into()), line, line);
    assert_encodes(Reply::Status("a\r\nb".into()), b"+a  b\r\n", b"+a  b\r\n");
}

/// Every double that is a number, infinities too.
fn numbers() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{INFINITE, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO | INFINITE
}

fn leaf() -> impl Strategy<Value = Reply<'static>> {
    prop_oneof![
        "[a-zA-Z \r\n]{0,12}".prop_map(|text| Reply::Status(text.into())),
        "ERR [ -~\r\n]{0,20}".prop_map(|text| Reply::Error(text.into())),
        any::<i64>().prop_map(Reply::Integer),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Reply::Bulk(bytes.into())),
        any::<i64>().prop_map(Reply::BulkInteger),
        Just(Reply::Null),
        Just(Reply::NullArray),
        numbers().prop_map(Reply::Double),
        "-?[0-9]{1,3}\\.[0-9]{0,16}[1-9]".prop_map(|digits| Reply::Decimal(digits.into())),
        any::<bool>().prop_map(Reply::Boolean),
        "-?[1-9][0-9]{20,40}".prop_map(|digits| Reply::BigNumber(digits.into())),
        "[ -~\r\n]{0,20}".prop_map(|text| Reply::Verbatim("txt", text.into())),
    ]
}

/// Keys and members are distinct strings, because redis-protocol keeps maps and sets as such.
fn reply() -> impl Strategy<Value = Reply<'static>> {
    let names = || btree_set(vec(any::<u8>(), 0..8), 0..4);
    leaf().prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Reply::Array),
            vec(inner.clone(), 0..4).prop_map(Reply::Push),
            names().prop_map(|names| {
                Reply::Set(names.into_iter().map(|name| Reply::Bulk(name.into())).collect())
            }),
            (names(), vec(inner, 4), 0..3).prop_map(|(names, values, kind)| {
                let keys = names.into_iter().map(|name| Reply::Bulk(name.into()));
                let pairs = keys.zip(values).collect();
                match kind {
                    0 => Reply::Map(pairs),
                    1 => Reply::FlatPairs(pairs),
                    _ => Reply::PairedMap(pairs),
                }
            }),
        ]
    })
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// A double's text, read back from the wire: `double.rs` has the examples of its form.
fn double_text(value: f64) -> Vec<u8> {
    let line = encoded(&Reply::Double(value), Protocol::Resp3);
    line[1..line.len() - 2].to_vec()
}

fn frame2(reply: &Reply<'_>) -> Frame2 {
    let text = |text: &str| Frame2::BulkString(text.as_bytes().to_vec());
    let all = |replies: &[Reply<'_>]| Frame2::Array(replies.iter().map(frame2).collect());
    match reply {
        Reply::Status(text) => Frame2::SimpleString(one_line(text).into_bytes()),
        Reply::Error(text) => Frame2::Error(one_line(text)),
        Reply::Integer(number) => Frame2::Integer(*number),
        Reply::Bulk(bytes) => Frame2::BulkString(bytes.to_vec()),
        Reply::BulkInteger(number) => text(&number.to_string()),
        Reply::Null | Reply::NullArray => Frame2::Null,
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => all(items),
        Reply::PairedMap(pairs) => Frame2::Array(
            pairs
                .iter()
                .map(|(first, second)| Frame2::Array(vec![frame2(first), frame2(second)]))
                .collect(),
        ),
        Reply::Map(pairs) | Reply::FlatPairs(pairs) => Frame2::Array(
            pairs.iter().flat_map(|(key, value)| [frame2(key), frame2(value)]).collect(),
        ),
        Reply::Double(value) => Frame2::BulkString(double_text(*value)),
        Reply::Boolean(value) => Frame2::Integer(i64::from(*value)),
        Reply::BigNumber(digits) | Reply::Decimal(digits) => text(digits),
        Reply::Verbatim(_, verbatim) => text(verbatim),
    }
}

fn frame3(reply: &Reply<'_>) -> Frame3 {
    let attributes = None;
    match reply {
        Reply::Status(text) => {
            Frame3::SimpleString { data: one_line(text).into_bytes(), attributes }
        }
        Reply::Error(text) => Frame3::SimpleError { data: one_line(text), attributes },
        Reply::Integer(number) => Frame3::Number { data: *number, attributes },
        Reply::Bulk(bytes) => Frame3::BlobString { data: bytes.to_vec(), attributes },
        Reply::BulkInteger(number) => {
            Frame3::BlobString { data: number.to_string().into_bytes(), attributes }
        }
        Reply::Null | Reply::NullArray => Frame3::Null,
        Reply::Array(items) => {
            Frame3::Array { data: items.iter().map(frame3).collect(), attributes }
        }
        Reply::Set(items) => Frame3::Set { data: items.iter().map(frame3).collect(), attributes },
        Reply::Push(items) => Frame3::Push { data: items.iter().map(frame3).collect(), attributes },
        Reply::FlatPairs(pairs) => {
            let pair = |(first, second): &(Reply<'_>, Reply<'_>)| Frame3::Array {
                data: vec![frame3(first), frame3(second)],
                attributes: None,
            };
            Frame3::Array { data: pairs.iter().map(pair).collect(), attributes }
        }
        Reply::Map(pairs) | Reply::PairedMap(pairs) => Frame3::Map {
            data: pairs.iter().map(|(key, value)| (frame3(key), frame3(value))).collect(),
            attributes,
        },
        Reply::Double(value) => Frame3::Double { data: *value, attributes },
        Reply::Decimal(digits) => {
            Frame3::Double { data: digits.parse().expect("digits"), attributes }
        }
        Reply::Boolean(value) => Frame3::Boolean { data: *value, attributes },
        Reply::BigNumber(digits) => {
            Frame3::BigNumber { data: digits.as_bytes().to_vec(), attributes }
        }
        Reply::Verbatim(_, text) => Frame3::VerbatimString {
            data: text.as_bytes().to_vec(),
            format: VerbatimStringFormat::Text,
            attributes,
        },
    }
}

/// What our own client sees of a reply in RESP3.
fn value3(reply: &Reply<'_>) -> Value {
    let all = |replies: &[Reply<'_>]| replies.iter().map(value3).collect();
    match reply {
        Reply::Status(text) => Value::Status(one_line(text)),
        Reply::Error(text) => Value::Error(one_line(text)),
        Reply::Integer(number) => Value::Integer(*number),
        Reply::Bulk(bytes) => Value::Bulk(bytes.to_vec().into()),
        Reply::BulkInteger(number) => Value::Bulk(number.to_string().into()),
        Reply::Null | Reply::NullArray => Value::Null,
        Reply::Array(items) => Value::Array(all(items)),
        Reply::Set(items) => Value::Set(all(items)),
        Reply::Push(items) => Value::Push(all(items)),
        Reply::FlatPairs(pairs) => {
            let pair = |(first, second): &(Reply<'_>, Reply<'_>)| {
                Value::Array(vec![value3(first), value3(second)])
            };
            Value::Array(pairs.iter().map(pair).collect())
        }
        Reply::Map(pairs) | Reply::PairedMap(pairs) => {
            Value::Map(pairs.iter().map(|(key, value)| (value3(key), value3(value))).collect())
        }
        Reply::Double(value) => Value::Double(*value),
        Reply::Decimal(digits) => Value::Double(digits.parse().expect("digits")),
        Reply::Boolean(value) => Value::Boolean(*value),
        Reply::BigNumber(digits) => Value::BigNumber(digits.to_string().into()),
        Reply::Verbatim(format, text) => Value::Verbatim(format, text.to_string().into()),
    }
}

proptest! {
    #[test]
    fn redis_protocol_reads_what_was_written_in_resp2(reply in reply()) {
        let bytes = encoded(&reply, Protocol::Resp2);
        let (frame, read) = decode2(&bytes).unwrap().unwrap();
        prop_assert_eq!((frame, read), (frame2(&reply), bytes.len()));
    }

    #[test]
    fn redis_protocol_reads_what_was_written_in_resp3(reply in reply()) {
        let bytes = encoded(&reply, Protocol::Resp3);
        let (frame, read) = decode3(&bytes).unwrap().unwrap();
        prop_assert_eq!((frame, read), (frame3(&reply), bytes.len()));
    }

    #[test]
    fn our_client_reads_what_was_written_however_it_is_cut(
        replies in vec(reply(), 0..4),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let mut bytes = BytesMut::new();
        for reply in &replies {
            reply.encode(Protocol::Resp3, &mut bytes);
        }
        let mut decoder = ReplyDecoder::new(bytes.len());
        let mut buffer = BytesMut::new();
        let mut values = Vec::new();
        for piece in crate::pieces::cut(&bytes, &cuts) {
            buffer.extend_from_slice(piece);
            while let Some(value) = decoder.decode(&mut buffer).unwrap() {
                values.push(value);
            }
        }
        prop_assert_eq!(values, replies.iter().map(value3).collect::<Vec<_>>());
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn an_owned_reply_is_the_same_reply(reply in reply()) {
        prop_assert_eq!(reply.clone().into_owned(), reply);
    }

    #[test]
    fn a_printed_double_is_the_same_double(value in numbers()) {
        let text = String::from_utf8(double_text(value)).unwrap();
        prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
    }
}
