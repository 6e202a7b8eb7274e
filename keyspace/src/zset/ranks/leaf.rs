//! A leaf of the tree: entries in order, scores and places each in one array, so that a search
//! reads little memory and an entry costs 12 bytes and its share of what is free.

use std::ops::Range;

/// Entries in a leaf: with them it is 1,528 bytes, just within an allocator's class of 1,536.
pub(super) const ENTRIES_MAX: usize = 127;

/// A member in its place among the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Never NaN.
    pub(crate) score: f64,
    /// Where the member's bytes are.
    pub(crate) place: u32,
}

/// Up to [`ENTRIES_MAX`] entries.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    scores: [f64; ENTRIES_MAX],
    places: [u32; ENTRIES_MAX],
    len: u16,
}

impl Leaf {
    pub(super) fn new() -> Box<Leaf> {
        Box::new(Leaf { scores: [0.0; ENTRIES_MAX], places: [0; ENTRIES_MAX], len: 0 })
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn entry(&self, index: usize) -> Entry {
        debug_assert!(index < self.len());
        Entry { score: self.scores[index], place: self.places[index] }
    }

    pub(super) fn set_place(&mut self, index: usize, place: u32) {
        debug_assert!(index < self.len());
        self.places[index] = place;
    }

    /// How many of the first entries satisfy `before`, which no entry after one that does not may.
    pub(super) fn partition_point(&self, before: impl Fn(f64, u32) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            if before(self.scores[middle], self.places[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Puts an entry in; there must be room.
    pub(super) fn insert(&mut self, index: usize, entry: Entry) {
        let len = self.len();
        self.scores.copy_within(index..len, index + 1);
        self.places.copy_within(index..len, index + 1);
        self.scores[index] = entry.score;
        self.places[index] = entry.place;
        self.len += 1;
    }

    /// Takes entries out.
    pub(super) fn remove(&mut self, indexes: Range<usize>) {
        let len = self.len();
        self.scores.copy_within(indexes.end..len, indexes.start);
        self.places.copy_within(indexes.end..len, indexes.start);
        self.len -= indexes.len() as u16;
    }

    /// Moves entries between two neighbours until the left one has `left_len`.
    pub(super) fn balance(left: &mut Leaf, right: &mut Leaf, left_len: usize) {
        let (left_before, right_before) = (left.len(), right.len());
        let right_len = left_before + right_before - left_len;
        if left_len < left_before {
            let moved = left_before - left_len;
            right.scores.copy_within(..right_before, moved);
            right.places.copy_within(..right_before, moved);
            right.scores[..moved].copy_from_slice(&left.scores[left_len..left_before]);
            right.places[..moved].copy_from_slice(&left.places[left_len..left_before]);
        } else {
            let moved = left_len - left_before;
            left.scores[left_before..left_len].copy_from_slice(&right.scores[..moved]);
            left.places[left_before..left_len].copy_from_slice(&right.places[..moved]);
            right.scores.copy_within(moved..right_before, 0);
            right.places.copy_within(moved..right_before, 0);
        }
        left.len = left_len as u16;
        right.len = right_len as u16;
    }
}
