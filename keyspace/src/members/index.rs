//! From the hash of a name to its element's place.
//!
//! One table while it is small, then 256, each for the hashes with the same upper byte: a table
//! that doubles moves all it has. Up to 3,000,000 entries no insertion was measured to take more than
//! 0.4 ms, and that is the one that makes 256 of one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use hashbrown::HashTable;

use crate::hashing;

/// Tables of a large index.
const STRIPES: usize = 256;

/// The index has one table up to so many entries: what a table of 32,768 places holds. One more,
/// and it would move them all in any case.
const SINGLE_LEN_MAX: usize = 28_672;

/// Below so many entries there is one table again: far enough below that a length which swings
/// around a limit does not move everything each time.
const STRIPED_LEN_MIN: usize = SINGLE_LEN_MAX / 4;

/// What one place of a table takes: an entry and a byte that tells whether there is one.
const PLACE_BYTES: usize = size_of::<Entry>() + 1;

/// A table of fewer entries is never worth shrinking.
const SHRINK_CAPACITY_MIN: usize = 56;

/// Unknown to clients, so that they cannot choose names that collide. Each process has its own,
/// since the index's order is never seen: only the elements' dense order is, and that is a function
/// of the operations.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());

/// The hash that the index knows `name` by.
pub(super) fn hash(name: &[u8]) -> u32 {
    (hashing::hash(*SEED, name) >> 32) as u32
}

/// Places by hash; several may have the same hash.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// One table or [`STRIPES`].
    tables: Box<[HashTable<Entry>]>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    place: u32,
}

impl Entry {
    /// A table picks a place by its hash's lower bits, and has a first look at the upper seven.
    /// The product's lower bits depend on the lower bits only, of which those that choose the
    /// stripe are none until a table has 2^24 places; its upper bits depend on all.
    fn table_hash(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Index {
    /// No entries.
    pub(super) fn new() -> Index {
        Index { tables: Box::new([HashTable::new()]), len: 0 }
    }

    /// The first place with this hash that is the one looked for.
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(usize) -> bool) -> Option<usize> {
        let is = |entry: &Entry| entry.hash == hash && is(entry.place as usize);
        let entry = self.tables[self.stripe(hash)].find(Entry::table_hash(hash), is)?;
        Some(entry.place as usize)
    }

    /// Adds a place.
    pub(super) fn insert(&mut self, hash: u32, place: usize) {
        if self.len == SINGLE_LEN_MAX && self.tables.len() == 1 {
            self.spread(STRIPES);
        }
        let place = u32::try_from(place).expect("4,294,967,296 elements are 64 GiB without names");
        let table = &mut self.tables[self.stripe(hash)];
        let rehash = |entry: &Entry| Entry::table_hash(entry.hash);
        table.insert_unique(Entry::table_hash(hash), Entry { hash, place }, rehash);
        self.len += 1;
    }

    /// Takes a place out that is there under this hash.
    pub(super) fn remove(&mut self, hash: u32, place: usize) {
        let table = &mut self.tables[self.stripe(hash)];
        let is = |entry: &Entry| entry.place as usize == place;
        let entry = table.find_entry(Entry::table_hash(hash), is);
        entry.expect("every element is in the index").remove();
        if table.capacity() > SHRINK_CAPACITY_MIN && table.len() < table.capacity() / 8 {
            table.shrink_to(table.len() * 2, |entry| Entry::table_hash(entry.hash));
        }
        self.len -= 1;
        if self.len < STRIPED_LEN_MIN && self.tables.len() > 1 {
            self.spread(1);
        }
    }

    /// Changes a place that is there under this hash.
    pub(super) fn move_to(&mut self, hash: u32, from: usize, to: usize) {
        let table = &mut self.tables[self.stripe(hash)];
        let is = |entry: &Entry| entry.place as usize == from;
        let entry = table.find_mut(Entry::table_hash(hash), is);
        entry.expect("every element is in the index").place = to as u32;
    }

    /// Bytes on the heap of an index with `len` entries, as it is likely to be. The true number
    /// depends on how the hashes fall, which replicas do not agree on.
    pub(super) fn heap_bytes(len: usize) -> usize {
        let tables = if len > SINGLE_LEN_MAX { STRIPES } else { 1 };
        let table_len = len.div_ceil(tables);
        let places = if table_len == 0 { 0 } else { (table_len * 8 / 7 + 1).next_power_of_two() };
        tables * (size_of::<HashTable<Entry>>() + places * PLACE_BYTES)
    }

    fn stripe(&self, hash: u32) -> usize {
        (hash >> 24) as usize & (self.tables.len() - 1)
    }

    /// Moves all entries to so many new tables.
    fn spread(&mut self, tables: usize) {
        // Twice what they get, so that none has to grow at once.
        let capacity = self.len / tables * 2;
        let new = (0..tables).map(|_| HashTable::with_capacity(capacity)).collect();
        let old = std::mem::replace(&mut self.tables, new);
        // In whatever order: none of it can be seen.
        for entry in old.into_iter().flatten() {
            let rehash = |entry: &Entry| Entry::table_hash(entry.hash);
            let table = &mut self.tables[self.stripe(entry.hash)];
            table.insert_unique(Entry::table_hash(entry.hash), entry, rehash);
        }
    }

    /// Entries of the fullest table.
    #[cfg(test)]
    pub(super) fn table_len_max(&self) -> usize {
        self.tables.iter().map(HashTable::len).max().unwrap_or(0)
    }

    /// Bytes on the heap as they are.
    #[cfg(test)]
    pub(super) fn true_heap_bytes(&self) -> usize {
        let tables: usize = self.tables.iter().map(HashTable::allocation_size).sum();
        size_of_val(&*self.tables) + tables
    }
}
