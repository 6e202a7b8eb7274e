//! Numbers as Redis reads and writes them in keys' values and arguments.
//!
//! Integers are strict: one way to write each number, so that a string which parses can be stored
//! as an integer and printed back unchanged. Floats (`INCRBYFLOAT`) are [`Extended`]; scores are
//! doubles, and the ends of their ranges are read less strictly.

mod double;
mod extended;
mod natural;

pub(crate) use double::{parse_bound, parse_double, parse_weight};
pub(crate) use extended::Extended;

/// Digits of the longest 64-bit integer, with its sign.
const INTEGER_BYTES_MAX: usize = 20;

/// `text` as a 64-bit integer, if it is written the one way `itoa` would write it: no leading
/// zeros, no `+`, no `-0`, no spaces.
pub(crate) fn parse_i64(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > INTEGER_BYTES_MAX {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// `text` as C's `strtoul` reads a `SCAN` cursor: a sign and leading zeros are welcome, leading
/// spaces are not, what does not fit 64 bits is refused, and the text ends at its first NUL.
pub(crate) fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = text.split(|byte| *byte == 0).next()?;
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // The empty cursor is 0 there: `strtoul` stops at once, which is also the end.
    if digits.is_empty() {
        return text.is_empty().then_some(0);
    }
    let mut value: u64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    Some(if negative { value.wrapping_neg() } else { value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_spelling() {
        for text in ["", "-", "+1", "01", "-0", "00", " 1", "1 ", "1.0", "0x1", "1e3", "--1"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_i64(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_i64(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_i64(b"9223372036854775808"), None);
        assert_eq!(parse_i64(b"-9223372036854775809"), None);
        assert_eq!(parse_i64(b"99999999999999999999"), None);
    }

    proptest! {
        #[test]
        fn round_trip(number: i64) {
            prop_assert_eq!(parse_i64(number.to_string().as_bytes()), Some(number));
        }

        #[test]
        fn what_parses_prints_back(text in "-?[0-9]{1,21}") {
            if let Some(number) = parse_i64(text.as_bytes()) {
                prop_assert_eq!(number.to_string(), text);
            }
        }

        #[test]
        fn any_bytes(text: Vec<u8>) {
            parse_i64(&text);
            parse_cursor(&text);
            Extended::parse(&text);
        }
    }
}
