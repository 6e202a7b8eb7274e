//! Doubles as Redis reads them: with C's `strtod`.
//!
//! Leaves out `NaN`, which Redis refuses wherever it reads a double, and printing, which is
//! `resp`'s.

/// Bits of a double's mantissa, the hidden one included.
const MANTISSA_BITS: i64 = 53;
/// The exponent of the lowest bit of the smallest doubles.
const EXPONENT_MIN: i64 = -1074;
/// The exponent above that of the largest doubles' lowest bit.
const EXPONENT_END: i64 = 972;

/// Exponents are cut here: no digits that fit an argument bring a larger one back into the range.
const WRITTEN_EXPONENT_MAX: i64 = 1 << 40;

/// `text` as a score, an increment or a weight: decimal or hex with exponents, `inf`, `infinity`.
/// `None`: it is not a number as a whole, has spaces around it, or is out of range. Too small for
/// anything but zero is out of range as well.
pub(crate) fn parse_double(text: &[u8]) -> Option<f64> {
    let read = read(text)?;
    (!read.out_of_range).then_some(read.value)
}

/// `text` as SORT compares it: spaces may lead, nothing at all is 0, and what follows a zero byte is
/// not seen; but it must be in range.
pub(crate) fn parse_weight(text: &[u8]) -> Option<f64> {
    match as_c_string(text) {
        [] => Some(0.0),
        text => parse_double(without_spaces(text)),
    }
}

/// `text` as an end of a range of scores, where Redis is less strict: spaces may lead, nothing at
/// all is 0, what follows a zero byte is not seen, and what is out of range is infinite or 0.
pub(crate) fn parse_bound(text: &[u8]) -> Option<f64> {
    match as_c_string(text) {
        [] => Some(0.0),
        text => read(without_spaces(text)).map(|read| read.value),
    }
}

/// What is before the first zero byte.
fn as_c_string(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Without the spaces that lead, as C knows them.
fn without_spaces(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\x0b';
    let spaces = text.iter().take_while(|&byte| is_space(byte)).count();
    &text[spaces..]
}

struct Read {
    value: f64,
    /// It is infinite or zero without having been written so.
    out_of_range: bool,
}

fn read(text: &[u8]) -> Option<Read> {
    let (sign, rest) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        rest => (1.0, rest),
    };
    if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
        return Some(Read { value: sign * f64::INFINITY, out_of_range: false });
    }
    let (magnitude, is_zero) = match rest {
        [b'0', b'x' | b'X', hex @ ..] => read_hex(hex)?,
        decimal => read_decimal(decimal)?,
    };
    let out_of_range = magnitude.is_infinite() || (magnitude == 0.0 && !is_zero);
    Some(Read { value: sign * magnitude, out_of_range })
}

/// The number, and whether all its digits are zeros.
fn read_decimal(text: &[u8]) -> Option<(f64, bool)> {
    // A sign was taken off already, and Rust's reader knows words that are none of ours.
    if !text.iter().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte))
        || !matches!(text.first(), Some(b'0'..=b'9' | b'.'))
    {
        return None;
    }
    let value = str::from_utf8(text).ok()?.parse().ok()?;
    let is_zero = text
        .iter()
        .take_while(|byte| !matches!(byte, b'e' | b'E'))
        .all(|byte| matches!(byte, b'0' | b'.'));
    Some((value, is_zero))
}

/// As [`read_decimal`], for what follows `0x`.
fn read_hex(text: &[u8]) -> Option<(f64, bool)> {
    let (mut mantissa, mut rest_is_zero): (u64, bool) = (0, true);
    let mut exponent: i64 = 0;
    let (mut seen_digit, mut seen_point) = (false, false);
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        if *byte == b'.' && !seen_point {
            seen_point = true;
        } else if let Some(digit) = char::from(*byte).to_digit(16) {
            seen_digit = true;
            exponent -= if seen_point { 4 } else { 0 };
            if mantissa >> 60 == 0 {
                mantissa = mantissa << 4 | u64::from(digit);
            } else {
                // More than the rounding can see but for its being there.
                exponent += 4;
                rest_is_zero &= digit == 0;
            }
        } else {
            break;
        }
        rest = tail;
    }
    if !seen_digit {
        return None;
    }
    exponent += match rest {
        [] => 0,
        [b'p' | b'P', written @ ..] => read_exponent(written)?,
        _ => return None,
    };
    Some((round(mantissa, exponent, !rest_is_zero), mantissa == 0))
}

fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + i64::from(digit - b'0')).min(WRITTEN_EXPONENT_MAX);
    }
    Some(if negative { -value } else { value })
}

/// `mantissa * 2^exponent` to nearest, ties to even; `rest`: the true value is a little larger.
fn round(mantissa: u64, exponent: i64, rest: bool) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let zeros = mantissa.leading_zeros();
    let (mantissa, exponent) = (u128::from(mantissa << zeros), exponent - i64::from(zeros));
    let lowest = (exponent + 64 - MANTISSA_BITS).max(EXPONENT_MIN);
    if lowest >= EXPONENT_END {
        return f64::INFINITY;
    }
    // At least 11 bits are dropped; past 65 not even the rounding sees the others.
    let drop = lowest - exponent;
    if drop > 65 {
        return 0.0;
    }
    let (kept, lost) = (mantissa >> drop, mantissa & ((1 << drop) - 1));
    let half = 1u128 << (drop - 1);
    let up = lost > half || (lost == half && (rest || kept & 1 == 1));
    let kept = u64::try_from(kept + u128::from(up)).expect("at most 54 bits");
    // A mantissa with its hidden bit adds one to the exponent's field, and so does a carry out of
    // it; past the largest double that makes an infinity.
    let field = (lowest - EXPONENT_MIN) as u64;
    f64::from_bits((field << (MANTISSA_BITS - 1)) + kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each was seen from redis-server 7.0.15 (`ZADD`, `ZSCORE`).
    #[test]
    fn scores_of_the_real_server() {
        for (text, value) in [
            ("1", 1.0),
            ("+1", 1.0),
            ("-0", -0.0),
            ("0.0", 0.0),
            ("inf", f64::INFINITY),
            ("INF", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INFINITY", f64::NEG_INFINITY),
            ("0x1p3", 8.0),
            ("0X.8P1", 1.0),
            ("0x1.", 1.0),
            ("-.5", -0.5),
            ("5.", 5.0),
            ("1e5", 1e5),
            ("4e-324", 5e-324),
            ("3e-324", 5e-324),
            ("0x1p-1074", 5e-324),
            ("0x1.8p-1075", 5e-324),
            ("0e99999999999", 0.0),
            ("0x0p99999999", 0.0),
        ] {
            let read = parse_double(text.as_bytes()).map(f64::to_bits);
            assert_eq!(read, Some(value.to_bits()), "{text}");
            assert_eq!(parse_bound(text.as_bytes()).map(f64::to_bits), read, "{text}");
        }
        for text in [
            "infinit", "nan", "NaN", "nan(1)", "0x", "0x.", "0x1p", "1e", "1e+", "1 ", ".", "+.",
            "1_0", "0b1", "1d", "1f", "--1", "+-1", "1\t", "1-1", "e1", "1e1.", "1.2.3", "-",
        ] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text}");
            assert_eq!(parse_bound(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_ends_of_ranges_may_be_sloppy() {
        for (text, value) in [
            ("", 0.0),
            (" 1", 1.0),
            ("\x0b\r\n1\x00 and more", 1.0),
            ("\0", 0.0),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("1e-400", 0.0),
            ("0x1p1024", f64::INFINITY),
            ("0x1p-1075", 0.0),
            ("2e-324", 0.0),
        ] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text}");
            assert_eq!(parse_bound(text.as_bytes()), Some(value), "{text}");
        }
        assert_eq!(parse_bound(b" "), None);
    }

    #[test]
    fn hex_digits_are_rounded_once() {
        for (text, value) in [
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff7ffffp1023", f64::MAX),
            ("0x1.00000000000008", 1.0),
            ("0x1.00000000000008000000000000000000001", 1.0 + f64::EPSILON),
            ("0x1.00000000000018", 1.0 + 2.0 * f64::EPSILON),
            ("0x.00000000000000000000000000000000001p140", 1.0),
            ("0x100000000000000000000000000000000000p-140", 1.0),
            ("0x1p-1022", f64::MIN_POSITIVE),
            ("0x0.fffffffffffff8p-1022", f64::MIN_POSITIVE),
        ] {
            assert_eq!(parse_double(text.as_bytes()), Some(value), "{text}");
        }
        assert_eq!(parse_double(b"0x1.fffffffffffff8p1023"), None);
    }

    proptest! {
        #[test]
        fn every_double_is_read_back(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            let read = |text: String| parse_double(text.as_bytes()).map(f64::to_bits);
            prop_assert_eq!(read(format!("{value:e}")), Some(bits));
            prop_assert_eq!(read(format!("{value:.16e}")), Some(bits));
            let magnitude = bits & (u64::MAX >> 1);
            let (field, fraction) = (magnitude >> 52, magnitude & ((1 << 52) - 1));
            let sign = if value.is_sign_negative() { "-" } else { "" };
            let (hidden, exponent) = if field == 0 { (0, 1) } else { (1, field as i64) };
            if value.is_finite() {
                let text = format!("{sign}0x{hidden}.{fraction:013x}p{}", exponent - 1023);
                prop_assert_eq!(read(text), Some(bits));
            }
        }

        #[test]
        fn any_bytes(text: Vec<u8>, number in "[-+0-9.eExXpP]{0,12}") {
            for text in [text, number.into_bytes()] {
                let strict = parse_double(&text);
                let _ = parse_bound(&text);
                prop_assert!(strict.is_none_or(|value| !value.is_nan()));
            }
        }
    }
}
