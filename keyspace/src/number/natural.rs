//! Natural numbers of any size, with just the operations that exact conversion between decimal and
//! binary floats needs.
//!
//! Schoolbook algorithms on 32-bit limbs: the numbers here have at most some 20,000 bits, because
//! the caller bounds both digits and exponents, so nothing cleverer pays.

use std::cmp::Ordering;

/// A natural number: limbs, the least significant first, no zero limb at the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural {
    limbs: Vec<u32>,
}

/// The largest power of ten in a limb, and its exponent.
const LIMB_POWER_OF_TEN: u32 = 1_000_000_000;
const LIMB_DIGITS: usize = 9;

impl Natural {
    pub(super) fn from_u64(value: u64) -> Natural {
        let mut natural = Natural { limbs: vec![value as u32, (value >> 32) as u32] };
        natural.trim();
        natural
    }

    pub(super) fn is_zero(&self) -> bool {
        self.limbs.is_empty()
    }

    /// Number of bits, without leading zeros.
    pub(super) fn bits(&self) -> i64 {
        match self.limbs.last() {
            None => 0,
            Some(top) => self.limbs.len() as i64 * 32 - i64::from(top.leading_zeros()),
        }
    }

    /// `self * factor + addend`, in place.
    pub(super) fn mul_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            let sum = u64::from(*limb) * u64::from(factor) + carry;
            *limb = sum as u32;
            carry = sum >> 32;
        }
        if carry != 0 {
            self.limbs.push(carry as u32);
        }
        self.trim();
    }

    /// `self * 10^power`, in place.
    pub(super) fn mul_power_of_ten(&mut self, power: u32) {
        for _ in 0..power / LIMB_DIGITS as u32 {
            self.mul_add(LIMB_POWER_OF_TEN, 0);
        }
        self.mul_add(10u32.pow(power % LIMB_DIGITS as u32), 0);
    }

    /// `self * 2^bits`, in place.
    pub(super) fn shift_left(&mut self, bits: u64) {
        if self.is_zero() {
            return;
        }
        self.mul_add(1 << (bits % 32), 0);
        let whole = usize::try_from(bits / 32).expect("the caller bounds exponents");
        self.limbs.splice(0..0, std::iter::repeat_n(0, whole));
    }

    /// `self / divisor` rounded down, and whether a remainder was left. The quotient must fit 64
    /// bits and one more, which is what rounding to 64 bits needs; so bit by bit is fast enough.
    pub(super) fn div_rem(&self, divisor: &Natural) -> (u128, bool) {
        assert!(!divisor.is_zero(), "division by zero");
        let steps = self.bits() - divisor.bits();
        if steps < 0 {
            return (0, !self.is_zero());
        }
        assert!(steps < 127, "the quotient fits 128 bits");
        let mut remainder = self.clone();
        let mut shifted = divisor.clone();
        shifted.shift_left(steps as u64);
        let mut quotient: u128 = 0;
        for _ in 0..=steps {
            quotient <<= 1;
            if remainder.compare(&shifted) != Ordering::Less {
                remainder.subtract(&shifted);
                quotient |= 1;
            }
            shifted.halve();
        }
        (quotient, !remainder.is_zero())
    }

    /// Decimal digits.
    pub(super) fn to_decimal(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let mut rest = self.clone();
        let mut groups = Vec::new();
        while !rest.is_zero() {
            groups.push(rest.divide_by_power_of_ten());
        }
        let mut text = groups.pop().map(|top| top.to_string()).unwrap_or_default();
        for group in groups.iter().rev() {
            text.push_str(&format!("{group:0LIMB_DIGITS$}"));
        }
        text
    }

    /// Divides by [`LIMB_POWER_OF_TEN`] in place and returns the remainder.
    fn divide_by_power_of_ten(&mut self) -> u32 {
        let divisor = u64::from(LIMB_POWER_OF_TEN);
        let mut remainder: u64 = 0;
        for limb in self.limbs.iter_mut().rev() {
            let part = (remainder << 32) | u64::from(*limb);
            *limb = (part / divisor) as u32;
            remainder = part % divisor;
        }
        self.trim();
        remainder as u32
    }

    fn compare(&self, other: &Natural) -> Ordering {
        let lengths = self.limbs.len().cmp(&other.limbs.len());
        lengths.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    /// `self - other`, in place; `other` is not larger.
    fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (index, limb) in self.limbs.iter_mut().enumerate() {
            let taken = other.limbs.get(index).copied().unwrap_or(0);
            let (once, first) = limb.overflowing_sub(taken);
            let (twice, second) = once.overflowing_sub(u32::from(borrow));
            *limb = twice;
            borrow = first || second;
        }
        assert!(!borrow, "subtracted the larger number");
        self.trim();
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for limb in self.limbs.iter_mut().rev() {
            let low = *limb & 1;
            *limb = (*limb >> 1) | (carry << 31);
            carry = low;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn powers_print_in_full() {
        let mut number = Natural::from_u64(7);
        number.mul_power_of_ten(25);
        assert_eq!(number.to_decimal(), format!("7{}", "0".repeat(25)));
        let mut number = Natural::from_u64(1);
        number.shift_left(100);
        assert_eq!(number.to_decimal(), (1u128 << 100).to_string());
        assert_eq!(number.bits(), 101);
    }

    proptest! {
        #[test]
        fn division_is_exact(dividend: u64, divisor in 1u64.., shift in 0u64..60) {
            let mut large = Natural::from_u64(dividend);
            large.shift_left(shift);
            let expected = u128::from(dividend) << shift;
            let (quotient, rest) = large.div_rem(&Natural::from_u64(divisor));
            prop_assert_eq!(quotient, expected / u128::from(divisor));
            prop_assert_eq!(rest, expected % u128::from(divisor) != 0);
        }
    }
}
