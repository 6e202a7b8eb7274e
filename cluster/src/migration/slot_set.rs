//! A set of slots.

use super::wire::{Malformed, Reader, put_varint};
use crate::ring::SLOTS;

const WORDS: usize = SLOTS as usize / 64;

/// A set of slots, as a bitmap of 2 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet {
    words: Box<[u64; WORDS]>,
}

impl SlotSet {
    /// No slot.
    pub fn new() -> SlotSet {
        SlotSet { words: Box::new([0; WORDS]) }
    }

    /// Every slot.
    pub fn all() -> SlotSet {
        SlotSet { words: Box::new([u64::MAX; WORDS]) }
    }

    /// Adds a slot below [`SLOTS`].
    pub fn insert(&mut self, slot: u16) {
        assert!(slot < SLOTS, "there are {SLOTS} slots");
        self.words[usize::from(slot) / 64] |= 1 << (slot % 64);
    }

    /// Whether the slot is in it.
    pub fn contains(&self, slot: u16) -> bool {
        let word = self.words.get(usize::from(slot) / 64);
        word.is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    /// Slots.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether every slot of `other` is in it.
    pub fn contains_all(&self, other: &SlotSet) -> bool {
        self.words.iter().zip(other.words.iter()).all(|(own, other)| other & !own == 0)
    }

    /// Whether some slot is in both.
    pub fn overlaps(&self, other: &SlotSet) -> bool {
        self.words.iter().zip(other.words.iter()).any(|(own, other)| own & other != 0)
    }

    /// Adds the slots of `other`.
    pub fn add(&mut self, other: &SlotSet) {
        for (own, other) in self.words.iter_mut().zip(other.words.iter()) {
            *own |= other;
        }
    }

    /// Takes the slots of `other` out.
    pub fn remove(&mut self, other: &SlotSet) {
        for (own, other) in self.words.iter_mut().zip(other.words.iter()) {
            *own &= !other;
        }
    }

    /// The slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        let words = self.words.iter().enumerate().filter(|(_, word)| **word != 0);
        words.flat_map(|(index, word)| {
            let bits = (0..64).filter(move |bit| word & (1 << bit) != 0);
            bits.map(move |bit| index as u16 * 64 + bit)
        })
    }

    /// Appends the set: how many runs, then for each the gap before it and its length.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let runs = self.runs();
        put_varint(out, runs.len() as u64);
        let mut end = 0;
        for (first, len) in runs {
            put_varint(out, u64::from(first - end));
            put_varint(out, len.into());
            end = first + len;
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<SlotSet, Malformed> {
        let mut set = SlotSet::new();
        let mut end: u64 = 0;
        // A run takes a byte at least, so a count that lies ends with the bytes.
        for index in 0..reader.varint()? {
            let (gap, len) = (reader.varint()?, reader.varint()?);
            if len == 0 || (gap == 0 && index > 0) {
                return Err(Malformed("with slots that are no runs"));
            }
            let first = end.saturating_add(gap);
            end = first.saturating_add(len);
            if end > SLOTS.into() {
                return Err(Malformed("with slots past the last"));
            }
            (first..end).for_each(|slot| set.insert(slot as u16));
        }
        Ok(set)
    }

    /// First slot and length of each run.
    fn runs(&self) -> Vec<(u16, u16)> {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for slot in self.iter() {
            match runs.last_mut() {
                Some((first, len)) if *first + *len == slot => *len += 1,
                _ => runs.push((slot, 1)),
            }
        }
        runs
    }
}

impl Default for SlotSet {
    fn default() -> SlotSet {
        SlotSet::new()
    }
}

impl FromIterator<u16> for SlotSet {
    fn from_iter<I: IntoIterator<Item = u16>>(slots: I) -> SlotSet {
        let mut set = SlotSet::new();
        slots.into_iter().for_each(|slot| set.insert(slot));
        set
    }
}

impl std::fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let runs = self.runs().into_iter().map(|(first, len)| first..=first + (len - 1));
        f.debug_set().entries(runs).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(
            starts in prop::collection::vec((0..SLOTS, 1..300_u16), 0..20),
        ) {
            let slots = starts.iter().flat_map(|(first, len)| *first..(first + len).min(SLOTS));
            let set: SlotSet = slots.collect();
            let mut bytes = Vec::new();
            set.put(&mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(SlotSet::read(&mut reader).unwrap(), set.clone());
            reader.end().unwrap();
            prop_assert_eq!(set.iter().count(), set.len());
            prop_assert!(SlotSet::all().contains_all(&set));
        }

        #[test]
        fn garbage_never_panics(bytes: Vec<u8>) {
            let _ = SlotSet::read(&mut Reader::new(&bytes));
        }
    }

    #[test]
    fn every_slot_fits() {
        let mut bytes = Vec::new();
        SlotSet::all().put(&mut bytes);
        assert_eq!(SlotSet::read(&mut Reader::new(&bytes)).unwrap(), SlotSet::all());
        assert!(!SlotSet::new().contains(u16::MAX));
    }
}
