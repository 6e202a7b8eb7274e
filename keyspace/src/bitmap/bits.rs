//! Bits of byte strings: counted, found, read and written as fields; whole words at a time.

use std::ops::Range;

/// Widest field.
const FIELD_BYTES_MAX: usize = 9;

/// How many of the bits in `range` are set; it lies within `bytes`.
pub(super) fn count(bytes: &[u8], range: Range<u64>) -> u64 {
    let Some(edges) = Edges::of(range) else { return 0 };
    let whole = &bytes[edges.first..=edges.last];
    let (words, rest) = whole.as_chunks::<8>();
    let in_words: u64 =
        words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    let in_rest: u64 = rest.iter().map(|byte| u64::from(byte.count_ones())).sum();
    let before = bytes[edges.first] & !edges.first_mask;
    let behind = bytes[edges.last] & !edges.last_mask;
    in_words + in_rest - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// Where the first bit in `range` is that is set, or clear; the range lies within `bytes`.
pub(super) fn find(bytes: &[u8], set: bool, range: Range<u64>) -> Option<u64> {
    let edges = Edges::of(range)?;
    let Edges { first, last, .. } = edges;
    // A looked-for bit is one that differs from this.
    let dull: u8 = if set { 0 } else { 0xFF };
    let within = |at: usize, mask: u8| {
        let differing = (bytes[at] ^ dull) & mask;
        (differing != 0).then(|| at as u64 * 8 + u64::from(differing.leading_zeros()))
    };
    if first == last {
        return within(first, edges.first_mask & edges.last_mask);
    }
    within(first, edges.first_mask)
        .or_else(|| {
            let at = first + 1 + first_other(&bytes[first + 1..last], dull)?;
            within(at, 0xFF)
        })
        .or_else(|| within(last, edges.last_mask))
}

/// Where the first byte is that differs from `dull`.
fn first_other(bytes: &[u8], dull: u8) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    let dull_word = [dull; 8];
    let from = match words.iter().position(|word| *word != dull_word) {
        Some(word) => word * 8,
        None => bytes.len() - rest.len(),
    };
    bytes[from..].iter().position(|byte| *byte != dull).map(|at| from + at)
}

/// The bytes that a range of bits touches, and which bits of the outer two belong to it.
struct Edges {
    first: usize,
    last: usize,
    first_mask: u8,
    last_mask: u8,
}

impl Edges {
    /// `None`: the range is empty.
    fn of(range: Range<u64>) -> Option<Edges> {
        let last = range.end.checked_sub(1).filter(|last| range.start <= *last)?;
        Some(Edges {
            first: (range.start / 8) as usize,
            last: (last / 8) as usize,
            first_mask: 0xFF >> (range.start % 8),
            last_mask: 0xFF << (7 - last % 8),
        })
    }
}

/// The field of `bits` bits, 1 to 64, at `offset`, unsigned.
pub(super) fn field(bytes: &[u8], offset: u64, bits: u32) -> u64 {
    let mut window = [0; 16];
    let first = usize::try_from(offset / 8).unwrap_or(usize::MAX);
    if let Some(rest) = bytes.get(first..) {
        let len = rest.len().min(FIELD_BYTES_MAX);
        window[..len].copy_from_slice(&rest[..len]);
    }
    let from_offset = u128::from_be_bytes(window) << (offset % 8);
    (from_offset >> (128 - bits)) as u64
}

/// Writes the lowest `bits` bits, 1 to 64, of `value`; the field lies within `bytes`.
pub(super) fn set_field(bytes: &mut [u8], offset: u64, bits: u32, value: u64) {
    let last = (offset + u64::from(bits) - 1) / 8;
    let place = &mut bytes[(offset / 8) as usize..=last as usize];
    let mut window = [0; 16];
    window[..place.len()].copy_from_slice(place);
    let shift = 128 - bits - (offset % 8) as u32;
    let mask = (u128::MAX >> (128 - bits)) << shift;
    let word = u128::from_be_bytes(window) & !mask | (u128::from(value) << shift) & mask;
    place.copy_from_slice(&word.to_be_bytes()[..place.len()]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bit(bytes: &[u8], at: u64) -> bool {
        let byte = bytes.get((at / 8) as usize).copied().unwrap_or(0);
        byte >> (7 - at % 8) & 1 == 1
    }

    /// Long runs of the same bit, so that words are passed over.
    fn string() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop_oneof![Just(0u8), Just(0xFF), any::<u8>()], 0..30_usize);
        prop::collection::vec(run, 0..6)
            .prop_map(|runs| runs.iter().flat_map(|(byte, len)| vec![*byte; *len]).collect())
    }

    proptest! {
        #[test]
        fn counting_and_finding_look_at_every_bit(
            bytes in string(),
            one: prop::sample::Index,
            other: prop::sample::Index,
            set: bool,
        ) {
            let total = bytes.len() * 8 + 1;
            let (one, other) = (one.index(total) as u64, other.index(total) as u64);
            let range = one.min(other)..one.max(other);
            let counted = range.clone().filter(|at| bit(&bytes, *at)).count();
            prop_assert_eq!(count(&bytes, range.clone()), counted as u64);
            let found = range.clone().find(|at| bit(&bytes, *at) == set);
            prop_assert_eq!(find(&bytes, set, range), found);
        }

        #[test]
        fn a_field_is_its_bits(bytes: Vec<u8>, offset in 0..200_u64, bits in 1..=64_u32) {
            let expected = (offset..offset + u64::from(bits))
                .fold(0, |value, at| value << 1 | u64::from(bit(&bytes, at)));
            prop_assert_eq!(field(&bytes, offset, bits), expected);
        }

        #[test]
        fn a_written_field_is_read_and_nothing_else_changes(
            mut bytes in prop::collection::vec(any::<u8>(), 40),
            offset in 0..256_u64,
            bits in 1..=64_u32,
            value: u64,
        ) {
            let before = bytes.clone();
            set_field(&mut bytes, offset, bits, value);
            prop_assert_eq!(field(&bytes, offset, bits), value << (64 - bits) >> (64 - bits));
            for at in (0..320).filter(|at| !(offset..offset + u64::from(bits)).contains(at)) {
                prop_assert_eq!(bit(&bytes, at), bit(&before, at));
            }
        }
    }
}
