//! Splitting an inline command, the form a person types into telnet, into its arguments.
//!
//! Arguments stand between blanks. Within double quotes `\xHH`, `\n`, `\r`, `\t`, `\b` and `\a`
//! mean what they mean in C and a backslash makes any other byte ordinary; within single quotes
//! only `\'` is special. Quotes may begin inside an argument but must end it.

use std::ops::Range;

/// A quote without its end, or with something glued to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unbalanced;

/// Appends the unescaped bytes of each argument to `bytes` and where it stands there to `args`.
pub(crate) fn split(
    line: &[u8],
    bytes: &mut Vec<u8>,
    args: &mut Vec<Range<usize>>,
) -> Result<(), Unbalanced> {
    let mut rest = line;
    loop {
        let blanks = rest.iter().take_while(|&&byte| is_space(byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Ok(());
        }
        let start = bytes.len();
        rest = argument(rest, bytes)?;
        args.push(start..bytes.len());
    }
}

/// Reads one argument and returns what follows it.
fn argument<'l>(mut rest: &'l [u8], bytes: &mut Vec<u8>) -> Result<&'l [u8], Unbalanced> {
    loop {
        match rest {
            [] => return Ok(rest),
            // A vertical tab or form feed is blank before an argument but ordinary within one. So
            // it is in Redis, and a script that relies on it must not find out here.
            [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [b'"', quoted @ ..] => return double_quoted(quoted, bytes),
            [b'\'', quoted @ ..] => return single_quoted(quoted, bytes),
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

fn double_quoted<'l>(mut rest: &'l [u8], bytes: &mut Vec<u8>) -> Result<&'l [u8], Unbalanced> {
    loop {
        let (byte, after) = match rest {
            [] => return Err(Unbalanced),
            [b'"', after @ ..] => return closed(after),
            [b'\\', b'x', high, low, after @ ..] if is_hex(*high) && is_hex(*low) => {
                (hex_value(*high) * 16 + hex_value(*low), after)
            }
            [b'\\', escaped, after @ ..] => (unescape(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
}

fn single_quoted<'l>(mut rest: &'l [u8], bytes: &mut Vec<u8>) -> Result<&'l [u8], Unbalanced> {
    loop {
        let (byte, after) = match rest {
            [] => return Err(Unbalanced),
            [b'\'', after @ ..] => return closed(after),
            [b'\\', b'\'', after @ ..] => (b'\'', after),
            [byte, after @ ..] => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
}

/// A closing quote ends the argument: a blank or nothing may follow.
fn closed(after: &[u8]) -> Result<&[u8], Unbalanced> {
    match after.first() {
        Some(&byte) if !is_space(byte) => Err(Unbalanced),
        _ => Ok(after),
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// What C's `isspace` says in the "C" locale; Rust's `is_ascii_whitespace` lacks vertical tab.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
