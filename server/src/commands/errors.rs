//! Redis' answers to arguments that do not parse, shared by the families.

use std::borrow::Cow;

use resp::Reply;

/// `ERR syntax error`
pub(super) const SYNTAX: Reply<'static> = Reply::error("ERR syntax error");

/// `ERR value is not an integer or out of range`
pub(super) const NOT_AN_INTEGER: Reply<'static> =
    Reply::error("ERR value is not an integer or out of range");

/// A 64-bit integer as Redis reads one.
pub(super) fn integer(text: &[u8]) -> Result<i64, Reply<'static>> {
    strict_integer(text).ok_or(NOT_AN_INTEGER)
}

/// A 64-bit integer written in the only way Redis accepts: no plus sign, no leading zeros, no
/// spaces, no `-0`.
pub(super) fn strict_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    if !canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Wrong arity found by a handler, because the row's arity cannot say it.
pub(super) fn wrong_arguments(name: &str) -> Reply<'static> {
    Reply::Error(format!("ERR wrong number of arguments for '{name}' command").into())
}

/// A client's word inside an error.
pub(super) fn word(bytes: &[u8]) -> Cow<'_, str> {
    /// An error is a line for people; Redis itself stops after 128 bytes where it bounds at all.
    const WORD_BYTES_MAX: usize = 128;
    String::from_utf8_lossy(&bytes[..bytes.len().min(WORD_BYTES_MAX)])
}

/// HELP's answer: a line about the form, then the lines.
pub(super) fn help(command: &str, lines: &[&'static str]) -> Reply<'static> {
    let first = format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let status = |line: &&'static str| Reply::Status(Cow::Borrowed(*line));
    let last = ["HELP", "    Print this help."];
    let lines = lines.iter().chain(&last).map(status);
    Reply::Array(std::iter::once(Reply::Status(first.into())).chain(lines).collect())
}

#[cfg(test)]
mod tests {
    use super::strict_integer;

    #[test]
    fn integers_have_one_form() {
        assert_eq!(strict_integer(b"0"), Some(0));
        assert_eq!(strict_integer(b"-9223372036854775808"), Some(i64::MIN));
        for bad in ["", "-", "-0", "+1", "01", " 1", "1 ", "1x", "9223372036854775808"] {
            assert_eq!(strict_integer(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
