//! A double as Redis 7.0 prints it: C's `%.17g`.
//!
//! 17 significant digits give every double back exactly, though seldom prettily: 0.1 is
//! `0.10000000000000001`. Redis 7.2 turned to the shortest digits; we follow 7.0.

use std::fmt::{self, Write};

/// Significant digits, as in `%.17g`.
const PRECISION: usize = 17;

/// Whole numbers below 10^17 are printed in full, and all of them fit an `i64` exactly.
const WHOLE_MAX: f64 = 1e17;

/// The longest text is `-1.7976931348623157e+308`, 24 bytes; the same with a 17-digit mantissa in
/// Rust's notation is no longer.
const TEXT_BYTES_MAX: usize = 32;

/// A double's text, on the stack: `inf`, `-inf`, else as C's `%.17g` prints it.
#[derive(Clone, Debug, Default)]
pub struct DoubleText {
    bytes: [u8; TEXT_BYTES_MAX],
    length: usize,
}

impl DoubleText {
    /// The text of `value`.
    pub fn new(value: f64) -> DoubleText {
        let mut text = DoubleText::default();
        if value.is_nan() {
            text.push(b"nan");
        } else if value.is_infinite() {
            text.push(if value > 0.0 { b"inf" } else { b"-inf" });
        } else if value == value.trunc() && value.abs() < WHOLE_MAX {
            // A negative zero keeps its sign, which an integer has no room for.
            if value == 0.0 && value.is_sign_negative() {
                text.push(b"-");
            }
            text.push(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            text.push_general(value);
        }
        text
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// The rules of C's `g`: scientific notation for exponents below -4 or not below the
    /// precision, and no zeros at the end of a fraction.
    fn push_general(&mut self, value: f64) {
        let (digits, exponent) = digits_and_exponent(value.abs());
        let zeros = digits.iter().rev().take_while(|&&digit| digit == b'0').count();
        let significant = PRECISION - zeros;
        if value < 0.0 {
            self.push(b"-");
        }
        match usize::try_from(exponent) {
            Ok(whole) if whole < PRECISION => {
                self.push(&digits[..=whole]);
                self.push_fraction(digits.get(whole + 1..significant).unwrap_or_default());
            }
            Err(_) if exponent >= -4 => {
                self.push(b"0.");
                for _ in exponent + 1..0 {
                    self.push(b"0");
                }
                self.push(&digits[..significant]);
            }
            _ => {
                self.push(&digits[..1]);
                self.push_fraction(&digits[1..significant]);
                let sign = if exponent < 0 { '-' } else { '+' };
                write!(self, "e{sign}{:02}", exponent.abs()).expect("within TEXT_BYTES_MAX");
            }
        }
    }

    fn push_fraction(&mut self, digits: &[u8]) {
        if !digits.is_empty() {
            self.push(b".");
            self.push(digits);
        }
    }
}

impl Write for DoubleText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// The first 17 digits of a positive double, correctly rounded, and the power of ten of the first.
fn digits_and_exponent(value: f64) -> ([u8; PRECISION], i32) {
    // Rust's own printing has the exact digits; only its notation differs: `d.ddde-5`.
    let mut text = DoubleText::default();
    write!(text, "{value:.precision$e}", precision = PRECISION - 1).expect("within TEXT_BYTES_MAX");
    let text = text.as_bytes();
    let mut digits = [b'0'; PRECISION];
    digits[0] = text[0];
    digits[1..].copy_from_slice(&text[2..PRECISION + 1]);
    let exponent = str::from_utf8(&text[PRECISION + 2..])
        .ok()
        .and_then(|exponent| exponent.parse().ok())
        .expect("`{:e}` of a finite double ends in an exponent");
    (digits, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each right side was seen from Redis 7.0.15, as the score of a member.
    #[test]
    fn doubles_are_printed_as_redis_prints_them() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (0.5, "0.5"),
            (3.0, "3"),
            (0.0, "0"),
            (0.0001, "0.0001"),
            (1e-5, "1.0000000000000001e-05"),
            (-1.25e-7, "-1.2499999999999999e-07"),
            (1e16, "10000000000000000"),
            (12345678901234567.0, "12345678901234568"),
            (1e17, "1e+17"),
            (123456789012345678.0, "1.2345678901234568e+17"),
            (1e100, "1e+100"),
            (1e300, "1.0000000000000001e+300"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN, "-1.7976931348623157e+308"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let printed = DoubleText::new(value);
            assert_eq!(str::from_utf8(printed.as_bytes()).unwrap(), text);
        }
    }

    /// What C prints; Redis keeps these from becoming scores.
    #[test]
    fn doubles_that_are_no_scores_are_printed_as_c_prints_them() {
        for (value, text) in [
            (-0.0, "-0"),
            (f64::NAN, "nan"),
            (-1234.5, "-1234.5"),
            (99999999999999999.0, "1e+17"),
            (0.00012345678901234567, "0.00012345678901234567"),
        ] {
            let printed = DoubleText::new(value);
            assert_eq!(str::from_utf8(printed.as_bytes()).unwrap(), text);
        }
    }
}
