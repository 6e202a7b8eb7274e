//! One slot's keys: an ordered hash table (Amble and Knuth, "Ordered Hash Tables", 1974).
//!
//! Open addressing with linear probing, the entries kept sorted by hash: a key's home is its hash
//! scaled to the table's size, so homes rise with hashes, and walking the table is walking its keys
//! in the order of their hashes, *whatever the table's size*. That is what makes SCAN's cursor a
//! hash: each step costs what it visits, also in a slot of millions, and a table that grew or
//! shrank in between changes nothing. The order is a function of the keys alone, the same on every
//! replica.
//!
//! It costs less memory than a table that doubles: any size will do, so it grows by a quarter. Five
//! places share a cache line: 32 bits of each hash, which most misses never look beyond, and the
//! pointers. So a look-up in a cold table is one cache miss, and one for the entry.
//!
//! Invariants: an entry stands at its home or after it with no empty place in between; hashes never
//! fall from left to right; the last place is empty, so that every walk ends.

use crate::packed::Packed;

/// Marks an empty place; above every hash.
const EMPTY: u32 = u32::MAX;

/// The first table's homes.
const HOMES_MIN: usize = 4;

/// Places behind the last home at least: the empty last one, and one for an entry that is pushed
/// over the end.
const TAIL_MIN: usize = 2;

/// Five hashes of 4 bytes and five pointers of 8 fill a cache line, but for 4 bytes.
const LINE_PLACES: usize = 5;

/// Keys of a slot, sorted by hash.
#[derive(Default)]
pub(crate) struct Table {
    lines: Box<[Line]>,
    homes: u32,
    len: u32,
}

/// Some places of a table.
#[repr(align(64))]
struct Line {
    /// For each place its entry's hash, or `EMPTY`.
    hashes: [u32; LINE_PLACES],
    entries: [Option<Packed>; LINE_PLACES],
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
        if self.len == 0 {
            return Err(Bucket(0));
        }
        let mut place = self.first_at(hash);
        while self.hash(place) == hash {
            if self.entry(place).is_some_and(|packed| packed.key() == key) {
                return Ok(Bucket(place));
            }
            place += 1;
        }
        Err(Bucket(place))
    }

    /// The entry at a place that `find` found.
    pub(crate) fn at(&self, bucket: Bucket) -> &Packed {
        self.entry(bucket.0).expect("find gave this place and nothing changed since")
    }

    /// The entry at a place that `find` found, to change; its key must stay.
    pub(crate) fn at_mut(&mut self, bucket: Bucket) -> &mut Packed {
        let entry = self.entry_mut(bucket.0).as_mut();
        entry.expect("find gave this place and nothing changed since")
    }

    /// Swaps the entry for another of the same key.
    pub(crate) fn replace(&mut self, bucket: Bucket, packed: Packed) -> Packed {
        std::mem::replace(self.at_mut(bucket), packed)
    }

    /// Swaps the entry for what `change` makes of it; the key must stay.
    pub(crate) fn replace_with(&mut self, bucket: Bucket, change: impl FnOnce(Packed) -> Packed) {
        let entry = self.entry_mut(bucket.0);
        let packed = entry.take().expect("find gave this place and nothing changed since");
        *entry = Some(change(packed));
    }

    /// Inserts a key that `find` said belongs at `bucket`.
    pub(crate) fn insert(&mut self, bucket: Bucket, hash: u32, packed: Packed) {
        let mut place = bucket.0;
        // An eighth of the homes stays empty: with n/8 free a failed look-up reads 32 hashes on
        // average, a handful of cache lines.
        if self.len() + 1 > self.homes as usize * 7 / 8 {
            self.resize(self.len() + 1);
            place = self.first_at(hash);
        }
        let mut end = self.run_end(place);
        if end + 1 == self.places() {
            // The last run reached the end. More tail always helps, even if all hashes are equal.
            self.rebuild(self.homes as usize, self.places() * 5 / 4 + LINE_PLACES);
            place = self.first_at(hash);
            end = self.run_end(place);
        }
        while end > place {
            self.shift(end - 1, end);
            end -= 1;
        }
        self.set(place, hash, Some(packed));
        self.len += 1;
    }

    /// Takes the entry out; the ones behind it that are not at home move up.
    pub(crate) fn remove(&mut self, bucket: Bucket) -> Packed {
        let mut place = bucket.0;
        let packed = self.entry_mut(place).take().expect("find gave this place");
        while self.hash(place + 1) != EMPTY && self.home(self.hash(place + 1)) <= place {
            self.shift(place + 1, place);
            place += 1;
        }
        self.set(place, EMPTY, None);
        self.len -= 1;
        // A third: far enough from full that alternating inserts and removals do not resize.
        if self.len() < self.homes as usize / 3 {
            self.resize(self.len());
        }
        packed
    }

    /// The entries whose hash is at least `from`, in the order of hashes.
    pub(crate) fn iter_from(&self, from: u32) -> impl Iterator<Item = (u32, &Packed)> {
        let start = if self.len == 0 { 0 } else { self.first_at(from) };
        (start..self.places()).filter_map(|place| Some((self.hash(place), self.entry(place)?)))
    }

    /// All entries, in the order of hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Packed> {
        self.lines.iter().flat_map(|line| &line.entries).flatten()
    }

    /// All entries, taken out.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = Packed> {
        self.lines.into_iter().flat_map(|line| line.entries).flatten()
    }

    /// Bytes of the table itself, without what its entries point to.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&self.lines[..])
    }

    fn places(&self) -> usize {
        self.lines.len() * LINE_PLACES
    }

    fn hash(&self, place: usize) -> u32 {
        self.lines[place / LINE_PLACES].hashes[place % LINE_PLACES]
    }

    fn entry(&self, place: usize) -> Option<&Packed> {
        self.lines[place / LINE_PLACES].entries[place % LINE_PLACES].as_ref()
    }

    fn entry_mut(&mut self, place: usize) -> &mut Option<Packed> {
        &mut self.lines[place / LINE_PLACES].entries[place % LINE_PLACES]
    }

    fn set(&mut self, place: usize, hash: u32, entry: Option<Packed>) {
        let line = &mut self.lines[place / LINE_PLACES];
        line.hashes[place % LINE_PLACES] = hash;
        line.entries[place % LINE_PLACES] = entry;
    }

    /// Moves what is at one place to another.
    fn shift(&mut self, from: usize, to: usize) {
        let (hash, entry) = (self.hash(from), self.entry_mut(from).take());
        self.set(to, hash, entry);
    }

    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * u64::from(self.homes)) >> 32) as usize
    }

    /// The first place from the hash's home on whose hash is not lower; the table is not empty.
    fn first_at(&self, hash: u32) -> usize {
        let mut place = self.home(hash);
        while self.hash(place) < hash {
            place += 1;
        }
        place
    }

    /// The first empty place from `place` on.
    fn run_end(&self, mut place: usize) -> usize {
        while self.hash(place) != EMPTY {
            place += 1;
        }
        place
    }

    /// Makes a table for `len` entries and a quarter more.
    fn resize(&mut self, len: usize) {
        if len == 0 {
            *self = Table::default();
            return;
        }
        // 8/7 for the limit above, times 5/4.
        let homes = (len * 10 / 7 + 1).max(HOMES_MIN);
        self.rebuild(homes, homes + TAIL_MIN);
    }

    fn rebuild(&mut self, homes: usize, places_min: usize) {
        let before = std::mem::take(&mut self.lines);
        self.homes = u32::try_from(homes).expect("a table of 2^32 entries needs 64 GiB");
        // Entries come sorted, so each goes to its home or just behind the one before. The
        // places are counted before they are taken, since the last run may need more tail.
        let hashes = before.iter().flat_map(|line| line.hashes).filter(|hash| *hash != EMPTY);
        let end = hashes.fold(0, |end, hash| end.max(self.home(hash)) + 1);
        let places = places_min.max(end + TAIL_MIN);
        self.lines =
            std::iter::repeat_with(Line::empty).take(places.div_ceil(LINE_PLACES)).collect();
        let mut next = 0;
        for (hash, entry) in
            before.into_iter().flat_map(|line| line.hashes.into_iter().zip(line.entries))
        {
            if entry.is_some() {
                next = self.home(hash).max(next);
                self.set(next, hash, entry);
                next += 1;
            }
        }
    }
}

impl Line {
    fn empty() -> Line {
        Line { hashes: [EMPTY; LINE_PLACES], entries: Default::default() }
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
        assert!(table.places() == 0 || table.hash(table.places() - 1) == EMPTY);
        let mut last = 0;
        for place in 0..table.places() {
            let hash = table.hash(place);
            assert_eq!(table.entry(place).is_none(), hash == EMPTY);
            let Some(entry) = table.entry(place) else { continue };
            assert_eq!(hash, super::tests::hash(key(entry), spread));
            assert!(hash >= last);
            last = hash;
            let home = table.home(hash);
            assert!(home <= place);
            assert!((home..place).all(|place| table.entry(place).is_some()));
        }
        assert_eq!(table.iter().count(), table.len());
    }

    proptest! {
        // Each of up to 400 steps walks the whole table.
        #![proptest_config(ProptestConfig::with_cases(64))]

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
    fn a_line_of_places_is_a_cache_line() {
        assert_eq!(size_of::<Line>(), 64);
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
