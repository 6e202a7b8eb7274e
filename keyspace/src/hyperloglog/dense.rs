//! Packed registers: 6 bits each, the first in the lowest bits of the first byte.

use super::estimate::Histogram;
use super::sketch::{REGISTERS, Registers};

const REGISTER_BITS: usize = 6;
const REGISTER_MASK: u16 = (1 << REGISTER_BITS) - 1;

/// All registers.
pub(super) const DENSE_BYTES: usize = REGISTERS * REGISTER_BITS / 8;

/// Three bytes hold four registers.
const GROUP_BYTES: usize = 3;

/// One register.
pub(super) fn get(registers: &[u8; DENSE_BYTES], register: usize) -> u8 {
    let (at, shift) = place(register);
    // The last register ends with the last byte, and needs none behind it.
    let next = registers.get(at + 1).copied().unwrap_or(0);
    (u16::from_le_bytes([registers[at], next]) >> shift & REGISTER_MASK) as u8
}

/// Sets one register.
pub(super) fn set(registers: &mut [u8; DENSE_BYTES], register: usize, value: u8) {
    let (at, shift) = place(register);
    let next = registers.get(at + 1).copied().unwrap_or(0);
    let word = u16::from_le_bytes([registers[at], next]) & !(REGISTER_MASK << shift);
    let [low, high] = (word | u16::from(value) << shift).to_le_bytes();
    registers[at] = low;
    if let Some(next) = registers.get_mut(at + 1) {
        *next = high;
    }
}

/// Raises a register to at least `value`; whether it was lower.
pub(super) fn raise(registers: &mut [u8; DENSE_BYTES], register: usize, value: u8) -> bool {
    let raised = get(registers, register) < value;
    if raised {
        set(registers, register, value);
    }
    raised
}

/// How many registers have which value.
pub(super) fn histogram(registers: &[u8; DENSE_BYTES]) -> Histogram {
    let mut histogram = Histogram::default();
    for_each_group(registers, |_, four| {
        for value in four {
            histogram.count(value, 1);
        }
    });
    histogram
}

/// Raises each of `all` to at least what it is here.
pub(super) fn merge_into(registers: &[u8; DENSE_BYTES], all: &mut Registers) {
    for_each_group(registers, |group, four| {
        for (value, one) in all[group * four.len()..].iter_mut().zip(four) {
            *value = one.max(*value);
        }
    });
}

/// Calls with each group's number and registers.
fn for_each_group(registers: &[u8; DENSE_BYTES], mut see: impl FnMut(usize, [u8; 4])) {
    let (groups, _) = registers.as_chunks::<GROUP_BYTES>();
    for (number, [first, second, third]) in groups.iter().enumerate() {
        let word = u32::from_le_bytes([*first, *second, *third, 0]);
        let register = |at: usize| (word >> (at * REGISTER_BITS)) as u8 & REGISTER_MASK as u8;
        see(number, std::array::from_fn(register));
    }
}

fn place(register: usize) -> (usize, usize) {
    let bit = register * REGISTER_BITS;
    (bit / 8, bit % 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn registers_do_not_touch_each_other(
            writes in prop::collection::vec((0..REGISTERS, 0..64_u8), 1..200),
        ) {
            let mut packed = [0; DENSE_BYTES];
            let mut plain = [0; REGISTERS];
            for (register, value) in writes.into_iter().chain([(REGISTERS - 1, 63), (0, 63)]) {
                set(&mut packed, register, value);
                plain[register] = value;
            }
            for (register, value) in plain.iter().enumerate() {
                prop_assert_eq!(get(&packed, register), *value);
            }
            let mut merged = [0; REGISTERS];
            merge_into(&packed, &mut merged);
            prop_assert_eq!(merged, plain);
            let mut expected = Histogram::default();
            plain.iter().for_each(|value| expected.count(*value, 1));
            prop_assert_eq!(histogram(&packed), expected);
        }
    }
}
