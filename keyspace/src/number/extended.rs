//! The 80-bit floats of the x87: what `INCRBYFLOAT` computes with.
//!
//! Redis adds in C's `long double` and prints 17 digits after the point. On x86-64 that is a float
//! with a 64-bit mantissa; computing with `f64` would show other digits already for `0.1 + 0.2`.
//! So the format is computed here in integers: the same digits as Redis on x86-64, and the same on
//! every replica whatever its processor. (Redis itself answers differently on other processors.)
//!
//! Leaves out: NaN, which Redis refuses at both ends, and every operation but the addition.

use super::natural::Natural;

/// A float with a 64-bit mantissa and a 15-bit exponent, round to nearest, ties to even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extended {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    /// `mantissa * 2^exponent`: the mantissa's top bit is set unless the exponent is the lowest.
    Finite {
        mantissa: u64,
        exponent: i32,
    },
    Infinite,
}

/// Exponent of the mantissa's lowest bit in the smallest numbers, and in the largest.
const EXPONENT_MIN: i64 = -16_445;
const EXPONENT_MAX: i64 = 16_320;

/// Redis' buffer for such a number, its closing zero included.
const TEXT_BYTES_MAX: usize = 5 * 1024;

/// Exponents are cut here: far outside the format, and far inside what bignums can stand.
const DECIMAL_EXPONENT_MAX: i64 = 20_000;

/// Digits after the point: Redis' choice, and 10 to that power.
const PLACES: usize = 17;
const PLACES_POWER: u128 = 100_000_000_000_000_000;

impl Extended {
    const ZERO: Magnitude = Magnitude::Finite { mantissa: 0, exponent: EXPONENT_MIN as i32 };

    /// `text` as C's `strtold` reads it when nothing may surround the number: decimal or hex with
    /// exponents, `inf`, `infinity`. `None`: not a number, or out of range.
    pub(crate) fn parse(text: &[u8]) -> Option<Extended> {
        if text.len() >= TEXT_BYTES_MAX {
            return None;
        }
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Extended { negative, magnitude: Magnitude::Infinite });
        }
        let magnitude = match rest {
            [b'0', b'x' | b'X', hex @ ..] => Literal::read(hex, 16)?.hex_value()?,
            decimal => Literal::read(decimal, 10)?.decimal_value()?,
        };
        Some(Extended { negative, magnitude })
    }

    /// Whether it is `inf` or `-inf`.
    pub(crate) fn is_infinite(self) -> bool {
        self.magnitude == Magnitude::Infinite
    }

    /// The sum; `None` if it is not finite.
    pub(crate) fn add(self, other: Extended) -> Option<Extended> {
        let (
            Magnitude::Finite { mantissa: m1, exponent: e1 },
            Magnitude::Finite { mantissa: m2, exponent: e2 },
        ) = (self.magnitude, other.magnitude)
        else {
            return None;
        };
        // Zeros carry the lowest exponent, so the larger exponent never belongs to a zero beside a
        // number. 62 bits below the larger one's last are kept; what falls out only has to be seen.
        let (high, high_sign, low, low_sign, exponent, distance) = if e1 >= e2 {
            (m1, self.negative, m2, other.negative, e1, e1.abs_diff(e2))
        } else {
            (m2, other.negative, m1, self.negative, e2, e1.abs_diff(e2))
        };
        const GUARD_BITS: u32 = 62;
        let high = u128::from(high) << GUARD_BITS;
        let low = shift_right_sticky(u128::from(low) << GUARD_BITS, distance);
        let (sum, negative) = if high_sign == low_sign {
            (high + low, high_sign)
        } else if high >= low {
            (high - low, high_sign && high != low)
        } else {
            (low - high, low_sign)
        };
        let magnitude = round(sum, i64::from(exponent) - i64::from(GUARD_BITS), false);
        match magnitude {
            Magnitude::Infinite => None,
            finite => Some(Extended { negative, magnitude: finite }),
        }
    }

    /// The number times `factor`, rounded as a product of this format, then up to an integer;
    /// what 64 bits cannot hold becomes the nearest that they can.
    pub(crate) fn product_ceil(self, factor: u64) -> i64 {
        let Magnitude::Finite { mantissa, exponent } = self.magnitude else {
            return if self.negative { i64::MIN } else { i64::MAX };
        };
        let product = u128::from(mantissa) * u128::from(factor);
        let whole = match round(product, exponent.into(), false) {
            Magnitude::Infinite => u128::MAX,
            Magnitude::Finite { mantissa: 0, .. } => 0,
            Magnitude::Finite { mantissa, exponent } if exponent >= 0 => {
                u128::from(mantissa) << exponent.min(64)
            }
            Magnitude::Finite { mantissa, exponent } => {
                let mantissa = u128::from(mantissa);
                let down = mantissa.checked_shr(exponent.unsigned_abs()).unwrap_or(0);
                let exact = down.checked_shl(exponent.unsigned_abs()) == Some(mantissa);
                // Up is towards zero below it.
                if exact || self.negative { down } else { down + 1 }
            }
        };
        match self.negative {
            true => i64::try_from(whole).map_or(i64::MIN, |whole| -whole),
            false => i64::try_from(whole).unwrap_or(i64::MAX),
        }
    }

    /// The number with up to 17 digits after the point, without trailing zeros, never with an
    /// exponent; `inf` or `-inf`.
    pub(crate) fn to_text(self) -> String {
        let mut text = match self.magnitude {
            Magnitude::Infinite => "inf".to_owned(),
            Magnitude::Finite { mantissa, exponent } if exponent >= 0 => {
                let mut whole = Natural::from_u64(mantissa);
                whole.shift_left(u64::from(exponent.unsigned_abs()));
                whole.to_decimal()
            }
            Magnitude::Finite { mantissa, exponent } => {
                let scaled = u128::from(mantissa) * PLACES_POWER;
                let rounded = shift_right_even(scaled, exponent.unsigned_abs());
                let (whole, places) = (rounded / PLACES_POWER, rounded % PLACES_POWER);
                let text = format!("{whole}.{places:0PLACES$}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        };
        if self.negative && text != "0" {
            text.insert(0, '-');
        }
        text
    }
}

/// A number as written: all its digits as one integer, and the exponent that was written or that
/// the point's place means, in the units of the base's digits (10) or in bits (16).
struct Literal {
    digits: Natural,
    exponent: i64,
}

impl Literal {
    fn read(text: &[u8], base: u32) -> Option<Literal> {
        let digit_exponent: i64 = if base == 16 { 4 } else { 1 };
        let mut digits = Natural::from_u64(0);
        let mut exponent: i64 = 0;
        let (mut seen_digit, mut seen_point) = (false, false);
        let mut rest = text;
        while let [byte, tail @ ..] = rest {
            if *byte == b'.' && !seen_point {
                seen_point = true;
            } else if let Some(digit) = char::from(*byte).to_digit(base) {
                seen_digit = true;
                digits.mul_add(base, digit);
                if seen_point {
                    exponent -= digit_exponent;
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
            [b'e' | b'E', written @ ..] if base == 10 => read_exponent(written)?,
            [b'p' | b'P', written @ ..] if base == 16 => read_exponent(written)?,
            _ => return None,
        };
        Some(Literal { digits, exponent })
    }

    fn decimal_value(mut self) -> Option<Magnitude> {
        if self.digits.is_zero() {
            return Some(Extended::ZERO);
        }
        let power = self.exponent.clamp(-DECIMAL_EXPONENT_MAX, DECIMAL_EXPONENT_MAX);
        let mut divisor = Natural::from_u64(1);
        if power >= 0 {
            self.digits.mul_power_of_ten(power.unsigned_abs() as u32);
        } else {
            divisor.mul_power_of_ten(power.unsigned_abs() as u32);
        }
        ratio(self.digits, divisor, 0)
    }

    fn hex_value(self) -> Option<Magnitude> {
        if self.digits.is_zero() {
            return Some(Extended::ZERO);
        }
        ratio(self.digits, Natural::from_u64(1), self.exponent)
    }
}

/// An exponent with its sign; one too long to matter is cut, not refused.
fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    // Past a million, no exponent brings 5,000 digits back into the format's range.
    const CUT: i64 = 1_000_000;
    let mut value: i64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + i64::from(digit - b'0')).min(CUT);
    }
    Some(if negative { -value } else { value })
}

/// `numerator / divisor * 2^exponent`, rounded once. `None`: it is too large or rounds to zero.
fn ratio(mut numerator: Natural, mut divisor: Natural, exponent: i64) -> Option<Magnitude> {
    // Shifted so that the quotient has 67 or 68 bits: 64 for the mantissa, the rest for rounding.
    const QUOTIENT_BITS: i64 = 67;
    let shift = QUOTIENT_BITS - (numerator.bits() - divisor.bits());
    if shift >= 0 {
        numerator.shift_left(shift.unsigned_abs());
    } else {
        divisor.shift_left(shift.unsigned_abs());
    }
    let (quotient, rest) = numerator.div_rem(&divisor);
    match round(quotient, exponent - shift, rest) {
        Magnitude::Infinite | Magnitude::Finite { mantissa: 0, .. } => None,
        finite => Some(finite),
    }
}

/// `value * 2^exponent` in the format; `rest` says that the true value is a little larger.
fn round(value: u128, exponent: i64, rest: bool) -> Magnitude {
    if value == 0 && !rest {
        return Extended::ZERO;
    }
    let bits = 128 - i64::from(value.leading_zeros());
    let lowest = (exponent + bits - 64).max(EXPONENT_MIN);
    let drop = lowest - exponent;
    let mut mantissa = if drop <= 0 {
        value << drop.unsigned_abs()
    } else {
        // One bit more, where the rest can hide, makes a tie a tie only if nothing is left.
        let drop = u32::try_from(drop + 1).unwrap_or(u32::MAX);
        shift_right_even((value << 1) | u128::from(rest), drop)
    };
    let mut lowest = lowest;
    if mantissa >> 64 != 0 {
        // Rounding carried into a 65th bit, so all the others are zero.
        mantissa >>= 1;
        lowest += 1;
    }
    if lowest > EXPONENT_MAX {
        return Magnitude::Infinite;
    }
    let mantissa = u64::try_from(mantissa).expect("rounded to 64 bits");
    Magnitude::Finite { mantissa, exponent: lowest as i32 }
}

/// `value / 2^bits`, to nearest, ties to even.
fn shift_right_even(value: u128, bits: u32) -> u128 {
    if bits == 0 {
        return value;
    }
    if bits > 128 {
        return 0;
    }
    let (kept, lost) =
        if bits == 128 { (0, value) } else { (value >> bits, value & ((1 << bits) - 1)) };
    let half = 1u128 << (bits - 1);
    kept + u128::from(lost > half || (lost == half && kept & 1 == 1))
}

/// `value / 2^bits`, with the lowest bit set if anything was lost.
fn shift_right_sticky(value: u128, bits: u32) -> u128 {
    if bits >= 128 {
        return u128::from(value != 0);
    }
    let kept = value >> bits;
    kept | u128::from(kept << bits != value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(left: &str, right: &str) -> String {
        let left = Extended::parse(left.as_bytes()).unwrap();
        let right = Extended::parse(right.as_bytes()).unwrap();
        left.add(right).map_or("none".to_owned(), Extended::to_text)
    }

    /// Answers of redis-server 7.0.15 on x86-64.
    #[test]
    fn digits_of_the_real_server() {
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("10.50", "0.1"), "10.6");
        assert_eq!(sum("5.0e3", "2.0e2"), "5200");
        assert_eq!(sum("3", "-3"), "0");
        assert_eq!(sum("-0.0", "-0.0"), "0");
        assert_eq!(sum("1e19", "1"), "10000000000000000001");
        assert_eq!(sum("1e20", "1"), "100000000000000000000");
        assert_eq!(sum("1e-17", "0"), "0.00000000000000001");
        assert_eq!(sum("1e-18", "0"), "0");
        assert_eq!(sum("0x10", "0x.8p1"), "17");
    }

    #[test]
    fn products_are_rounded_before_they_are_rounded_up() {
        let thousandfold =
            |text: &str| Extended::parse(text.as_bytes()).unwrap().product_ceil(1000);
        let table = [
            ("0", 0),
            ("0.001", 1),
            ("0.1", 100),
            ("1.1", 1100),
            ("0.0001", 1),
            ("1e-4900", 1),
            ("-1e-4900", 0),
            ("-0.0015", -1),
            ("-2", -2000),
            ("3.0005", 3001),
            ("9223372036854775.8", 9_223_372_036_854_775_800),
            ("9223372036854775.808", i64::MAX),
            ("1e4932", i64::MAX),
            ("-1e4932", i64::MIN),
            ("inf", i64::MAX),
            ("-inf", i64::MIN),
        ];
        for (text, product) in table {
            assert_eq!(thousandfold(text), product, "{text}");
        }
    }

    #[test]
    fn range() {
        for text in ["", "-", ".", "e1", "1e", "1e+", "0x", "nan", "1 ", " 1", "1e5000", "1e-5000"]
        {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Extended::parse(b"-INFINITY").unwrap().to_text(), "-inf");
        assert_eq!(sum("inf", "1"), "none");
        assert_eq!(sum("1e4932", "1e4932"), "none");
        assert_eq!(sum("0e99999999999999999999", "1"), "1");
        assert_eq!(sum("3.6e-4951", "0"), "0");
        assert_eq!(Extended::parse(b"1.7e-4951"), None);
        assert_eq!(sum("18446744073709551615.5", "0"), "18446744073709551616");
    }

    proptest! {
        /// Sums that a 64-bit mantissa holds exactly are exact.
        #[test]
        fn integers_add_exactly(left in -(1i64 << 62)..1 << 62, right in -(1i64 << 62)..1 << 62) {
            prop_assert_eq!(
                sum(&left.to_string(), &right.to_string()),
                (left + right).to_string()
            );
        }

        /// A mantissa 11 bits longer than f64's finds every f64 again.
        #[test]
        fn doubles_survive(number in -1e15f64..1e15) {
            let text = Extended::parse(format!("{number:e}").as_bytes()).unwrap();
            let hundredth = 1.0 / (1u64 << 50) as f64;
            let back: f64 = text.to_text().parse().unwrap();
            prop_assert!((back - number).abs() <= number.abs() * hundredth + 1e-17);
        }

        #[test]
        fn addition_commutes(left in "-?[0-9]{1,25}\\.[0-9]{1,25}", right in "-?[0-9]{1,30}e-?[0-9]{1,2}") {
            prop_assert_eq!(sum(&left, &right), sum(&right, &left));
        }
    }
}
