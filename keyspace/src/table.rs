//! One slot's keys: an ordered hash table (Amble and Knuth, "Ordered Hash Tables", 1974).
//!
//! Open addressing with linear probing, the entries kept sorted by hash: a key's home is its hash
//! scaled to the table's size, so homes rise with hashes, and walking the table is walking its keys
//! in the order of their hashes, *whatever the table's size*. That is what makes SCAN's cursor a
//! hash: each step costs what it visits, also in a slot of millions, and a table that grew or
//! shrank in between changes nothing. The order is a function of the keys alone, the same on every
//! replica.
//!
//! It costs less memory than a table that doubles: any size will do, so it grows by a quarter. A
//! place takes 12 bytes: 32 bits of the hash, which most misses never look beyond, and the pointer.
//!
//! Invariants: an entry stands at its home or after it with no empty place in between; hashes never
//! fall from left to right; the last place is empty, so that every walk ends.

use crate::packed::Packed;

/// Marks an empty place; above every hash.
const EMPTY: u32 = u32::MAX;

/// The first table's homes.
const HOMES_MIN: usize = 4;

/// Places behind the last home at first, for entries that are pushed over the end.
const TAIL_MIN: usize = 2;

/// Keys of a slot, sorted by hash.
#[derive(Default)]
pub(crate) struct Table {
    /// For each place its entry's hash, or `EMPTY`.
    hashes: Box<[u32]>,
    entries: Box<[Option<Packed>]>,
    homes: u32,
    len: u32,
}

/// A place in the table, good until the table is changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket(usize);

/// The part of a key's hash that the table works with.
pub(crate) fn short(hash: u64) -> u32 {
    ((hash >> 32) as u32).min(EMPTY - 1)
}

impl Table {
    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// Where `key` is; `Err`: where it belongs.
    pub(crate) fn find(&self, hash: u32, key: &[u8]) -> Result<Bucket, Bucket> {
        let Some(mut place) = self.first_at(hash) else { return Err(Bucket(0)) };
        while self.hashes[place] == hash {
            if self.entries[place].as_ref().is_some_and(|packed| packed.key() == key) {
                return Ok(Bucket(place));
            }
            place += 1;
        }
        Err(Bucket(place))
    }

    /// The entry at a place that `find` found.
    pub(crate) fn at(&self, place: Bucket) -> &Packed {
        self.entries[place.0].as_ref().expect("find gave this place and nothing changed since")
    }

    /// The entry at a place that `find` found, to change; its key must stay.
    pub(crate) fn at_mut(&mut self, place: Bucket) -> &mut Packed {
        self.entries[place.0].as_mut().expect("find gave this place and nothing changed since")
    }

    /// Swaps the entry for another of the same key.
    pub(crate) fn replace(&mut self, place: Bucket, packed: Packed) -> Packed {
        std::mem::replace(self.at_mut(place), packed)
    }

    /// Swaps the entry for what `change` makes of it; the key must stay.
    pub(crate) fn replace_with(&mut self, place: Bucket, change: impl FnOnce(Packed) -> Packed) {
        let entry = &mut self.entries[place.0];
        let packed = entry.take().expect("find gave this place and nothing changed since");
        *entry = Some(change(packed));
    }

    /// Inserts a key that `find` said belongs at `place`.
    pub(crate) fn insert(&mut self, mut place: Bucket, hash: u32, packed: Packed) {
        // An eighth of the homes stays empty: with n/8 free a failed look-up reads 32 hashes on
        // average, two cache lines.
        if self.len() + 1 > self.homes as usize * 7 / 8 {
            self.resize(self.len() + 1, TAIL_MIN);
            place = self.vacancy(hash);
        }
        let mut end = self.run_end(place.0);
        while end + 1 >= self.hashes.len() {
            // The last run reached the end. More tail always helps, even if all hashes are equal.
            let tail = self.hashes.len() - self.homes as usize;
            self.rebuild(self.homes as usize, tail * 2);
            place = self.vacancy(hash);
            end = self.run_end(place.0);
        }
        self.hashes.copy_within(place.0..end, place.0 + 1);
        self.hashes[place.0] = hash;
        self.entries[place.0..=end].rotate_right(1);
        self.entries[place.0] = Some(packed);
        self.len += 1;
    }

    /// Takes the entry out; the ones behind it that are not at home move up.
    pub(crate) fn remove(&mut self, place: Bucket) -> Packed {
        let start = place.0;
        let packed = self.entries[start].take().expect("find gave this place");
        let mut end = start + 1;
        while self.hashes[end] != EMPTY && self.home(self.hashes[end]) < end {
            end += 1;
        }
        self.hashes.copy_within(start + 1..end, start);
        self.hashes[end - 1] = EMPTY;
        self.entries[start..end].rotate_left(1);
        self.len -= 1;
        // A third: far enough from full that alternating inserts and removals do not resize.
        if self.len() < self.homes as usize / 3 {
            self.resize(self.len(), TAIL_MIN);
        }
        packed
    }

    /// The entries whose hash is at least `from`, in the order of hashes.
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &Packed)> {
        let start = self.first_at(from).unwrap_or(0);
        self.hashes[start..]
            .iter()
            .zip(&self.entries[start..])
            .filter_map(|(hash, entry)| Some((*hash, entry.as_ref()?)))
    }

    /// All entries, in the order of hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Packed> {
        self.entries.iter().flatten()
    }

    /// All entries, taken out.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = Packed> {
        self.entries.into_iter().flatten()
    }

    /// Bytes of the table itself, without what its entries point to.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&self.hashes[..]) + size_of_val(&self.entries[..])
    }

    fn home(&self, hash: u32) -> usize {
        (u64::from(hash) * u64::from(self.homes) >> 32) as usize
    }

    /// The first place from the hash's home on whose hash is not lower; `None` without places.
    fn first_at(&self, hash: u32) -> Option<usize> {
        let mut place = self.home(hash);
        while *self.hashes.get(place)? < hash {
            place += 1;
        }
        Some(place)
    }

    /// Where to insert a hash whose key is not there.
    fn vacancy(&self, hash: u32) -> Bucket {
        Bucket(self.first_at(hash).expect("resized just now, so there are places"))
    }

    /// The first empty place from `place` on.
    fn run_end(&self, mut place: usize) -> usize {
        while self.hashes[place] != EMPTY {
            place += 1;
        }
        place
    }

    /// Makes a table for `len` entries and a quarter more.
    fn resize(&mut self, len: usize, tail: usize) {
        if len == 0 {
            *self = Table::default();
            return;
        }
        // 8/7 for the limit above, times 5/4.
        self.rebuild((len * 10 / 7 + 1).max(HOMES_MIN), tail);
    }

    fn rebuild(&mut self, homes: usize, tail: usize) {
        let before = std::mem::take(&mut self.entries);
        let hashes = std::mem::take(&mut self.hashes);
        self.homes = u32::try_from(homes).expect("a table of 2^32 entries needs 48 GiB");
        // Entries come sorted, so each goes to its home or just behind the one before. The
        // places are counted before they are taken, since the last run may need more tail.
        let entries = || hashes.iter().filter(|hash| **hash != EMPTY);
        let end = entries().fold(0, |end, hash| end.max(self.home(*hash)) + 1);
        let places = (homes + tail).max(end + TAIL_MIN);
        self.hashes = vec![EMPTY; places].into();
        self.entries = std::iter::repeat_with(|| None).take(places).collect();
        let mut next = 0;
        for (hash, entry) in hashes.iter().zip(before) {
            if entry.is_some() {
                next = self.home(*hash).max(next);
                self.hashes[next] = *hash;
                self.entries[next] = entry;
                next += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::packed::Fresh;

    fn packed(key: u16) -> Packed {
        Packed::new(&key.to_be_bytes(), Fresh::Int(0), None, 0)
    }

    fn key(packed: &Packed) -> u16 {
        u16::from_be_bytes(packed.key().try_into().unwrap())
    }

    /// A bad hash on purpose: runs, ties, and everything at the end of the table.
    fn hash(key: u16, spread: u32) -> u32 {
        (u32::from(key) / 3).wrapping_mul(spread).min(EMPTY - 1)
    }

    fn check(table: &Table, spread: u32) {
        assert_eq!(table.hashes.last().copied().unwrap_or(EMPTY), EMPTY);
        let mut last = 0;
        for (place, entry) in table.entries.iter().enumerate() {
            let hash = table.hashes[place];
            assert_eq!(entry.is_none(), hash == EMPTY);
            let Some(entry) = entry else { continue };
            assert_eq!(hash, super::tests::hash(key(entry), spread));
            assert!(hash >= last);
            last = hash;
            let home = table.home(hash);
            assert!(home <= place);
            assert!(table.entries[home..place].iter().all(Option::is_some));
        }
        assert_eq!(table.iter().count(), table.len());
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_keys_sorted_by_hash(
            steps in prop::collection::vec((prop::bool::weighted(0.7), 0..300_u16), 0..400),
            spread in prop_oneof![Just(0), Just(u32::MAX), Just(1), Just(1 << 23), any::<u32>()],
            from: u32,
        ) {
            let mut table = Table::default();
            let mut model = BTreeSet::new();
            for (insert, name) in steps {
                let hash = hash(name, spread);
                match table.find(hash, &name.to_be_bytes()) {
                    Ok(bucket) => {
                        prop_assert!(model.contains(&name));
                        prop_assert_eq!(key(table.at(bucket)), name);
                        if !insert {
                            prop_assert_eq!(key(&table.remove(bucket)), name);
                            model.remove(&name);
                        }
                    }
                    Err(bucket) => {
                        prop_assert!(!model.contains(&name));
                        if insert {
                            table.insert(bucket, hash, packed(name));
                            model.insert(name);
                        }
                    }
                }
                check(&table, spread);
            }
            let all: BTreeSet<u16> = table.iter().map(key).collect();
            prop_assert_eq!(&all, &model);
            let tail: BTreeSet<u16> = table.iter_from(from).map(|(_, packed)| key(packed)).collect();
            let expected: BTreeSet<u16> =
                model.into_iter().filter(|name| hash(*name, spread) >= from).collect();
            prop_assert_eq!(tail, expected);
        }
    }

    #[test]
    fn an_emptied_table_takes_no_memory() {
        let mut table = Table::default();
        for name in 0..100 {
            let bucket = table.find(hash(name, 1 << 20), &name.to_be_bytes()).unwrap_err();
            table.insert(bucket, hash(name, 1 << 20), packed(name));
        }
        for name in 0..100 {
            let bucket = table.find(hash(name, 1 << 20), &name.to_be_bytes()).unwrap();
            table.remove(bucket);
        }
        assert_eq!(table.heap_bytes(), 0);
    }
}
