//! Decimal integers in protocol lines, read as strictly as Redis reads them.

/// The integer `text` is, if it is written in the one way Redis accepts: no `+`, no leading zero,
/// no `-0`, no spaces, within 64 bits.
pub(crate) fn strict_integer(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-").unwrap_or(text) {
        [b'0'] if text.len() == 1 => Some(0),
        [b'1'..=b'9', ..] => str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// The positive integer at the start of `line` and the length of the line with its CR and the byte
/// after it, if the line is of the usual kind: 1 to 10 digits, complete.
///
/// The way through for nearly every line; `None` says only "read it the careful way".
#[inline]
pub(crate) fn usual_line(line: &[u8]) -> Option<(usize, usize)> {
    /// Ten digits stay below 2^34, so that `value` cannot overflow.
    const DIGITS_MAX: usize = 10;

    let first = *line.first()?;
    if !first.is_ascii_digit() || first == b'0' {
        return None;
    }
    let mut value = u64::from(first - b'0');
    let mut index = 1;
    loop {
        let byte = *line.get(index)?;
        if byte == b'\r' {
            line.get(index + 1)?;
            return Some((usize::try_from(value).ok()?, index + 2));
        }
        if !byte.is_ascii_digit() || index == DIGITS_MAX {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_of_a_number_is_accepted() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("10", Some(10)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
            ("--1", None),
        ] {
            assert_eq!(strict_integer(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn the_usual_line_agrees_with_the_strict_integer() {
        for text in ["1", "64", "1234567890"] {
            let value = usize::try_from(strict_integer(text.as_bytes()).unwrap()).unwrap();
            let line = format!("{text}\r\nrest");
            assert_eq!(usual_line(line.as_bytes()), Some((value, text.len() + 2)));
        }
        for line in ["", "1", "12\r", "0\r\n", "01\r\n", "-1\r\n", "12345678901\r\n", "1x\r\n"] {
            assert_eq!(usual_line(line.as_bytes()), None, "{line:?}");
        }
    }
}
