//! Replies as a client sees them, in RESP2 and RESP3.

use std::borrow::Cow;
use std::fmt;

/// Depth of nesting that any server under test needs, with room.
const DEPTH_MAX: usize = 32;

/// A reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `+`
    Status(String),
    /// `-`, and `!` in RESP3
    Error(String),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `$-1`, `*-1` or `_`
    Null,
    /// `*`
    Array(Vec<Value>),
    /// `%`
    Map(Vec<(Value, Value)>),
    /// `~`
    Set(Vec<Value>),
    /// `>`
    Push(Vec<Value>),
    /// `,`: as it was written
    Double(String),
    /// `#`
    Boolean(bool),
    /// `(`
    BigNumber(String),
    /// `=`: format and text
    Verbatim(String, String),
}

/// The first reply in `bytes` and its length; `None` when more bytes are needed.
///
/// Panics on what no server may send: in a test that is a failure.
pub fn decode(bytes: &[u8]) -> Option<(Value, usize)> {
    let mut at = 0;
    let value = value(bytes, &mut at, 0)?;
    Some((value, at))
}

/// The length of the first reply in `bytes`; `None` when more bytes are needed.
pub fn reply_bytes(bytes: &[u8]) -> Option<usize> {
    decode(bytes).map(|(_, length)| length)
}

/// A request as clients send it.
pub fn request(args: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// An error may quote a word that is no text.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Option<Cow<'a, str>> {
    let rest = &bytes[*at..];
    let end = rest.windows(2).position(|two| two == b"\r\n")?;
    *at += end + 2;
    Some(String::from_utf8_lossy(&rest[..end]))
}

fn value(bytes: &[u8], at: &mut usize, depth: usize) -> Option<Value> {
    assert!(depth < DEPTH_MAX, "a reply nests deeper than {DEPTH_MAX}");
    let kind = *bytes.get(*at)?;
    *at += 1;
    let text = line(bytes, at)?;
    Some(match kind {
        b'+' => Value::Status(text.into_owned()),
        b'-' => Value::Error(text.into_owned()),
        b':' => Value::Integer(text.parse().expect("an integer reply is a number")),
        b'_' => Value::Null,
        b',' => Value::Double(text.into_owned()),
        b'#' => Value::Boolean(text == "t"),
        b'(' => Value::BigNumber(text.into_owned()),
        b'$' | b'=' | b'!' if text != "-1" => {
            let length: usize = text.parse().expect("a length is a number");
            let content = bytes.get(*at..*at + length)?.to_vec();
            assert!(bytes.get(*at + length..*at + length + 2)? == b"\r\n", "a bulk ends with CRLF");
            *at += length + 2;
            match kind {
                b'$' => Value::Bulk(content),
                b'!' => Value::Error(String::from_utf8_lossy(&content).into_owned()),
                _ => {
                    let text = String::from_utf8_lossy(&content).into_owned();
                    let (format, text) = text.split_once(':').expect("format:text");
                    Value::Verbatim(format.to_owned(), text.to_owned())
                }
            }
        }
        b'$' | b'*' if text == "-1" => Value::Null,
        b'*' | b'~' | b'>' | b'%' => {
            let count: usize = text.parse().expect("a count is a number");
            let mut items = Vec::new();
            for _ in 0..if kind == b'%' { count * 2 } else { count } {
                items.push(value(bytes, at, depth + 1)?);
            }
            match kind {
                b'*' => Value::Array(items),
                b'~' => Value::Set(items),
                b'>' => Value::Push(items),
                _ => {
                    let mut pairs = Vec::new();
                    let mut items = items.into_iter();
                    while let (Some(key), Some(value)) = (items.next(), items.next()) {
                        pairs.push((key, value));
                    }
                    Value::Map(pairs)
                }
            }
        }
        _ => panic!("no reply begins with {:?}: {text:?}", char::from(kind)),
    })
}

impl Value {
    /// The text of a status, bulk, verbatim or number reply.
    pub fn text(&self) -> String {
        match self {
            Value::Status(text) | Value::Double(text) | Value::BigNumber(text) => text.clone(),
            Value::Verbatim(_, text) => text.clone(),
            Value::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::Integer(number) => number.to_string(),
            other => panic!("not a text: {other}"),
        }
    }

    /// The number of an integer reply.
    pub fn integer(&self) -> i64 {
        match self {
            Value::Integer(number) => *number,
            other => panic!("not an integer: {other}"),
        }
    }

    /// The items of an array, set or push.
    pub fn items(&self) -> &[Value] {
        match self {
            Value::Array(items) | Value::Set(items) | Value::Push(items) => items,
            other => panic!("not an array: {other}"),
        }
    }

    /// The pairs of a map, or of a flat array of keys and values.
    pub fn pairs(&self) -> Vec<(Value, Value)> {
        match self {
            Value::Map(pairs) => pairs.clone(),
            Value::Array(items) => {
                items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
            }
            other => panic!("not a map: {other}"),
        }
    }

    /// What stands beside the key `name`.
    pub fn field(&self, name: &str) -> Option<Value> {
        let named =
            |key: &Value| matches!(key, Value::Bulk(_) | Value::Status(_)) && key.text() == name;
        self.pairs().into_iter().find(|(key, _)| named(key)).map(|(_, value)| value)
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Error(_))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, open: &str, items: &[Value]| {
            f.write_str(open)?;
            for (at, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if at > 0 { ", " } else { "" })?;
            }
            f.write_str("]")
        };
        match self {
            Value::Status(text) => write!(f, "+{text}"),
            Value::Error(text) => write!(f, "-{text}"),
            Value::Integer(number) => write!(f, ":{number}"),
            Value::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Value::Null => f.write_str("null"),
            Value::Array(items) => list(f, "[", items),
            Value::Set(items) => list(f, "set[", items),
            Value::Push(items) => list(f, "push[", items),
            Value::Map(pairs) => {
                f.write_str("{")?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if at > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Value::Double(text) => write!(f, ",{text}"),
            Value::Boolean(yes) => write!(f, "#{yes}"),
            Value::BigNumber(text) => write!(f, "({text}"),
            Value::Verbatim(format, text) => write!(f, "{format}:{text:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_both_protocols_are_read_whole_or_not_at_all() {
        let bytes = b"*3\r\n:1\r\n$2\r\nab\r\n%1\r\n+k\r\n=5\r\ntxt:v\r\n";
        let (value, length) = decode(bytes).unwrap();
        assert_eq!(length, bytes.len());
        assert_eq!(value.to_string(), r#"[:1, "ab", {+k: txt:"v"}]"#);
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_none(), "{end} bytes are not a reply");
        }
    }
}
