//! A set of integers in one run of bytes, sorted: what Redis calls an intset.
//!
//! All integers take the same number of bytes: 2, 4 or 8, as the widest that was ever in the set
//! needs. Removing that one narrows nothing, as in Redis, whose bytes are told apart by DUMP: the
//! width as a `u32`, the number of integers as a `u32`, the integers in ascending order, all of it
//! little-endian.
//!
//! Finding is logarithmic, changing linear in the bytes behind the place: callers keep it small.

use crate::wire::Fault;

/// Width and number of integers.
const HEADER_BYTES: usize = 8;

/// Redis lets no intset grow beyond 2^30 integers, whatever its settings say.
pub(crate) const LEN_MAX: usize = 1 << 30;

/// Allocations are multiples of this many bytes, as small size classes are.
const GRAIN_BYTES: usize = 16;

/// From here on room to grow is a share of what is needed, so that growing stays linear.
const SHARED_ROOM_BYTES_MIN: usize = 256;

/// Bytes of an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    #[default]
    Two = 2,
    Four = 4,
    Eight = 8,
}

/// Integers in ascending order.
pub(crate) type Integers<'i> = std::iter::Map<std::slice::ChunksExact<'i, u8>, fn(&[u8]) -> i64>;

/// A set of integers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intset {
    width: Width,
    /// A multiple of the width.
    bytes: Vec<u8>,
}

impl Width {
    /// What an integer needs.
    fn of(integer: i64) -> Width {
        if i16::try_from(integer).is_ok() {
            Width::Two
        } else if i32::try_from(integer).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }

    fn bytes(self) -> usize {
        self as usize
    }
}

/// Reading.
impl Intset {
    /// Reads what DUMP wrote, or says what is wrong with it.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Intset, Fault> {
        let Some((header, integers)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err("an intset without header");
        };
        let [a, b, c, d, e, f, g, h] = *header;
        let width = match u32::from_le_bytes([a, b, c, d]) {
            2 => Width::Two,
            4 => Width::Four,
            8 => Width::Eight,
            _ => return Err("an intset of another width than there is"),
        };
        let len = u32::from_le_bytes([e, f, g, h]) as usize;
        if len.checked_mul(width.bytes()) != Some(integers.len()) {
            return Err("an intset of another length than it says");
        }
        let mut set = Intset { width, bytes: Vec::with_capacity(with_room(integers.len())) };
        set.bytes.extend_from_slice(integers);
        if !set.iter().is_sorted_by(|left, right| left < right) {
            return Err("an intset out of order");
        }
        Ok(set)
    }

    /// Appends the bytes that DUMP writes.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let len = u32::try_from(self.len()).expect("far fewer fit");
        out.extend_from_slice(&(self.width as u32).to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&self.bytes);
    }

    /// How many bytes DUMP writes.
    pub(crate) fn dump_bytes(&self) -> usize {
        HEADER_BYTES + self.bytes.len()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Number of integers.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.width.bytes()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The integer with `index` smaller ones, which must be fewer than all.
    pub(crate) fn at(&self, index: usize) -> i64 {
        let width = self.width.bytes();
        read(&self.bytes[index * width..][..width])
    }

    /// The smallest and the largest.
    pub(crate) fn ends(&self) -> Option<(i64, i64)> {
        let last = self.len().checked_sub(1)?;
        Some((self.at(0), self.at(last)))
    }

    /// Whether it is in the set.
    pub(crate) fn contains(&self, integer: i64) -> bool {
        self.find(integer).is_ok()
    }

    /// All integers, in ascending order.
    pub(crate) fn iter(&self) -> Integers<'_> {
        self.bytes.chunks_exact(self.width.bytes()).map(read)
    }

    /// Where it is, or where it would be.
    fn find(&self, integer: i64) -> Result<usize, usize> {
        // Sets are often filled in ascending order.
        let (mut low, mut high) = (0, self.len());
        if let Some((_, last)) = self.ends()
            && integer > last
        {
            return Err(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.at(middle).cmp(&integer) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }
}

/// Changing.
impl Intset {
    /// Adds it; whether it was not there.
    pub(crate) fn insert(&mut self, integer: i64) -> bool {
        self.widen(Width::of(integer));
        let Err(index) = self.find(integer) else { return false };
        let (width, len) = (self.width.bytes(), self.bytes.len());
        let start = index * width;
        if self.bytes.capacity() - len < width {
            self.bytes.reserve_exact(with_room(len + width) - len);
        }
        self.bytes.extend_from_slice(&integer.to_le_bytes()[..width]);
        if start < len {
            self.bytes.copy_within(start..len, start + width);
            self.bytes[start..start + width].copy_from_slice(&integer.to_le_bytes()[..width]);
        }
        true
    }

    /// Takes it out; whether it was there.
    pub(crate) fn remove(&mut self, integer: i64) -> bool {
        match self.find(integer) {
            Ok(index) => {
                self.remove_all_at(&[index]);
                true
            }
            Err(_) => false,
        }
    }

    /// Takes the integers at these places out, which ascend and are below the length.
    pub(crate) fn remove_all_at(&mut self, places: &[usize]) {
        let width = self.width.bytes();
        let mut kept = places.first().map_or(self.bytes.len(), |place| place * width);
        for (index, place) in places.iter().enumerate() {
            let next = places.get(index + 1).map_or(self.bytes.len(), |next| next * width);
            let run = (place + 1) * width..next;
            let run_bytes = run.len();
            self.bytes.copy_within(run, kept);
            kept += run_bytes;
        }
        self.bytes.truncate(kept);
        self.shrink();
    }

    /// Lets every integer take so many bytes, unless they take more.
    fn widen(&mut self, width: Width) {
        if width <= self.width {
            return;
        }
        let before = std::mem::take(self);
        let bytes = before.len() * width.bytes();
        // Widened only for one more.
        self.bytes.reserve_exact(with_room(bytes + width.bytes()));
        for integer in before.iter() {
            self.bytes.extend_from_slice(&integer.to_le_bytes()[..width.bytes()]);
        }
        self.width = width;
    }

    /// Gives memory back once more than half is unused.
    fn shrink(&mut self) {
        if self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to(with_room(self.bytes.len()));
        }
    }
}

impl FromIterator<i64> for Intset {
    fn from_iter<I: IntoIterator<Item = i64>>(integers: I) -> Intset {
        let mut set = Intset::default();
        for integer in integers {
            set.insert(integer);
        }
        set
    }
}

/// An integer of one of the widths.
fn read(bytes: &[u8]) -> i64 {
    match *bytes {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
        _ => unreachable!("the widths are 2, 4 and 8"),
    }
}

/// What so many bytes get.
fn with_room(bytes: usize) -> usize {
    let wanted = if bytes < SHARED_ROOM_BYTES_MIN { bytes } else { bytes + bytes / 8 };
    wanted.next_multiple_of(GRAIN_BYTES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bytes(set: &Intset) -> Vec<u8> {
        let mut out = Vec::new();
        set.put(&mut out);
        assert_eq!(out.len(), set.dump_bytes());
        out
    }

    #[test]
    fn the_bytes_are_those_of_redis() {
        let mut set: Intset = [3, 1, -2].into_iter().collect();
        assert_eq!(bytes(&set), b"\x02\0\0\0\x03\0\0\0\xfe\xff\x01\0\x03\0");
        set.insert(70_000);
        let wide = b"\x04\0\0\0\x04\0\0\0\xfe\xff\xff\xff\x01\0\0\0\x03\0\0\0\x70\x11\x01\0";
        assert_eq!(bytes(&set), wide);
        set.insert(i64::MIN);
        assert_eq!(&bytes(&set)[..16], b"\x08\0\0\0\x05\0\0\0\0\0\0\0\0\0\0\x80");
        // Narrow integers alone keep the width.
        assert!(set.remove(i64::MIN) && set.remove(70_000));
        assert_eq!(&bytes(&set)[..8], b"\x08\0\0\0\x03\0\0\0");
        assert_eq!(set.iter().collect::<Vec<i64>>(), [-2, 1, 3]);
    }

    #[test]
    fn memory_is_given_back() {
        let mut set: Intset = (0..10_000).collect();
        assert!(set.heap_bytes() < 20_000 * 9 / 8 + 16);
        set.remove_all_at(&(10..10_000).collect::<Vec<usize>>());
        assert_eq!(set.len(), 10);
        assert!(set.heap_bytes() <= 32);
    }

    #[test]
    fn what_is_no_intset_is_refused() {
        let refused: [&[u8]; 8] = [
            b"",
            b"\x02\0\0\0\0\0\0",
            b"\x03\0\0\0\0\0\0\0",
            b"\x02\0\0\0\x01\0\0\0",
            b"\x02\0\0\0\x01\0\0\0\x01",
            b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0",
            b"\x02\0\0\0\x02\0\0\0\x01\0\xff\xff",
            b"\x08\0\0\0\xff\xff\xff\xff\x01\0\0\0\0\0\0\0",
        ];
        for bytes in refused {
            assert!(Intset::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }

    fn integer() -> impl Strategy<Value = i64> {
        let edge = |edge: i64| edge.saturating_sub(2)..=edge.saturating_add(2);
        prop_oneof![
            4 => -10..10_i64,
            1 => edge(i16::MAX.into()),
            1 => edge(i16::MIN.into()),
            1 => edge(i32::MAX.into()),
            1 => edge(i32::MIN.into()),
            1 => prop_oneof![Just(i64::MIN), Just(i64::MAX)],
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(steps in prop::collection::vec((0..4_u8, integer()), 1..80)) {
            let (mut set, mut model) = (Intset::default(), BTreeSet::new());
            for (step, integer) in steps {
                match step {
                    0 | 1 => prop_assert_eq!(set.insert(integer), model.insert(integer)),
                    2 => prop_assert_eq!(set.remove(integer), model.remove(&integer)),
                    _ => prop_assert_eq!(set.contains(integer), model.contains(&integer)),
                }
                prop_assert!(set.iter().eq(model.iter().copied()));
                prop_assert_eq!(set.len(), model.len());
                let read = Intset::from_bytes(&bytes(&set)).unwrap();
                prop_assert_eq!(&read, &set);
            }
        }

        #[test]
        fn many_are_removed_as_one_by_one(
            integers in prop::collection::btree_set(integer(), 1..30),
            chosen: u32,
        ) {
            let mut set: Intset = integers.iter().copied().collect();
            let places: Vec<usize> =
                (0..set.len()).filter(|place| chosen >> (place % 32) & 1 == 1).collect();
            let mut model: Vec<i64> = integers.into_iter().collect();
            for place in places.iter().rev() {
                model.remove(*place);
            }
            set.remove_all_at(&places);
            prop_assert!(set.iter().eq(model));
        }

        #[test]
        fn nothing_read_panics(bytes: Vec<u8>) {
            let _ = Intset::from_bytes(&bytes);
        }
    }
}
