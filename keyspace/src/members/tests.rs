//! Members against a list in the same order, and the costs of large ones.

use std::cell::Cell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index as AnyIndex;

use super::index::{Index, hash};
use super::*;

type Model = Vec<(Vec<u8>, Vec<u8>)>;

fn of(element: &Pair) -> (Vec<u8>, Vec<u8>) {
    (element.field().to_vec(), element.value().to_vec())
}

/// What it must take on the heap, counted anew.
fn counted_bytes<T: Named>(members: &Members<T>) -> usize {
    members.chunks.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum::<usize>()
        + members.chunks.capacity() * size_of::<Vec<T>>()
        + Index::heap_bytes(members.len())
        + members.iter().map(T::heap_bytes).sum::<usize>()
}

fn assert_same(members: &Members<Pair>, model: &Model) {
    assert_eq!((members.len(), members.is_empty()), (model.len(), model.is_empty()));
    assert!(members.iter().map(of).eq(model.iter().cloned()));
    assert!(members.iter().rev().map(of).eq(model.iter().rev().cloned()));
    for (place, (field, _)) in model.iter().enumerate() {
        assert_eq!(members.find(field), Some(place));
    }
    assert_eq!(members.heap_bytes(), counted_bytes(members));
}

#[derive(Clone, Debug)]
enum Step {
    /// Adds, or changes the value; in place or by a new element.
    Set(Vec<u8>, Vec<u8>, bool),
    Remove(AnyIndex),
    /// Adds some numbered ones.
    Fill(usize),
    /// Removes so many from a place on.
    Drain(AnyIndex, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = |len| prop::collection::vec(any::<u8>(), 0..len);
    let index = any::<AnyIndex>;
    prop_oneof![
        8 => (bytes(3), bytes(4), any::<bool>())
            .prop_map(|(field, value, in_place)| Step::Set(field, value, in_place)),
        4 => index().prop_map(Step::Remove),
        1 => (0_usize..700).prop_map(Step::Fill),
        1 => (index(), 0_usize..900).prop_map(|(index, count)| Step::Drain(index, count)),
    ]
}

fn set(members: &mut Members<Pair>, model: &mut Model, field: &[u8], value: &[u8], edit: bool) {
    match model.iter().position(|(name, _)| name == field) {
        Some(place) => {
            assert_eq!(members.find(field), Some(place));
            if edit {
                members.edit(place, |pair| pair.set_value(value));
            } else {
                members.edit(place, |pair| *pair = Pair::new(field, value));
            }
            model[place].1 = value.to_vec();
        }
        None => {
            assert_eq!(members.find(field), None);
            assert_eq!(members.insert(Pair::new(field, value)), model.len());
            model.push((field.to_vec(), value.to_vec()));
        }
    }
}

fn run(step: Step, members: &mut Members<Pair>, model: &mut Model) {
    match step {
        Step::Set(field, value, edit) => set(members, model, &field, &value, edit),
        Step::Remove(_) if model.is_empty() => {}
        Step::Remove(index) => {
            let place = index.index(model.len());
            assert_eq!(of(&members.remove(place)), model.swap_remove(place));
        }
        Step::Fill(count) => {
            for n in 0..count {
                set(members, model, format!("number {n}").as_bytes(), b"", true);
            }
        }
        Step::Drain(index, count) => {
            let place = index.index(model.len() + 1);
            for _ in 0..count.min(model.len() - place) {
                assert_eq!(of(&members.remove(place)), model.swap_remove(place));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn they_are_a_list_without_repeats(steps in prop::collection::vec(step(), 0..60)) {
        let (mut members, mut model) = (Members::new(), Model::new());
        for step in steps {
            run(step, &mut members, &mut model);
        }
        assert_same(&members, &model);
        assert_same(&members.clone(), &model);
        while !model.is_empty() {
            assert_eq!(of(&members.remove(0)), model.swap_remove(0));
        }
        assert_same(&members, &model);
        prop_assert!(members.chunks.is_empty());
    }

    #[test]
    fn a_scan_sees_whoever_stays(
        before in prop::collection::vec(any::<u16>(), 0..300),
        steps in prop::collection::vec((1_usize..40, prop::collection::vec(any::<(bool, u16)>(), 0..30)), 1..40),
    ) {
        let mut members = Members::new();
        let add = |members: &mut Members<Name>, number: u16| {
            if members.find(&number.to_le_bytes()).is_none() {
                members.insert(Name::new(&number.to_le_bytes()));
            }
        };
        before.into_iter().for_each(|number| add(&mut members, number));
        let mut stayed: BTreeSet<Vec<u8>> = members.iter().map(|e| e.name().to_vec()).collect();
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        for (count, changes) in steps.into_iter().cycle() {
            let mut visited = 0;
            cursor = members.scan(cursor, count, |element| {
                visited += 1;
                seen.insert(element.name().to_vec());
            });
            prop_assert!(visited <= count);
            if cursor == 0 {
                break;
            }
            for (insert, number) in changes {
                if insert {
                    add(&mut members, number);
                } else if !members.is_empty() {
                    let removed = members.remove(usize::from(number) % members.len());
                    stayed.remove(removed.name());
                }
            }
        }
        prop_assert!(stayed.is_subset(&seen));
    }

    #[test]
    fn a_pair_is_a_field_and_a_value(
        field in prop::collection::vec(any::<u8>(), 0..300),
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 1..5),
    ) {
        let mut pair = Pair::new(&field, &values[0]);
        for value in &values {
            pair.set_value(value);
            prop_assert_eq!(of(&pair), (field.clone(), value.clone()));
            prop_assert_eq!(&pair, &Pair::new(&field, value));
        }
    }
}

#[test]
fn a_field_may_be_of_any_length() {
    for len in [0, 1, 127, 128, 16_383, 16_384, 2_097_152] {
        let pair = Pair::new(&vec![b'f'; len], b"value");
        assert_eq!((pair.field().len(), pair.value()), (len, b"value".as_slice()));
    }
}

#[test]
fn a_scan_survives_any_cursor() {
    let mut members = Members::new();
    for cursor in [0, 1, u64::MAX] {
        assert_eq!(members.scan(cursor, 10, |_: &Name| panic!("nobody is there")), 0);
    }
    members.insert(Name::new(b"a"));
    members.insert(Name::new(b"b"));
    for cursor in [0, 2, 3, 1 << 32, u64::MAX] {
        let mut seen = Vec::new();
        let next = members.scan(cursor, 0, |name| seen.extend_from_slice(name.name()));
        assert_eq!((next, seen.as_slice()), (1, b"b".as_slice()));
    }
    let mut seen = 0;
    assert_eq!(members.scan(0, usize::MAX, |_| seen += 1), 0);
    assert_eq!(seen, 2);
}

/// An element that counts how often anyone asked for its name.
#[derive(Clone)]
struct Counted([u8; 4]);

thread_local! {
    static NAMES_ASKED: Cell<usize> = const { Cell::new(0) };
}

impl Named for Counted {
    fn name(&self) -> &[u8] {
        NAMES_ASKED.set(NAMES_ASKED.get() + 1);
        &self.0
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Names asked for in all while each name from `range` is found, or is removed.
fn names_asked(members: &mut Members<Counted>, range: std::ops::Range<u32>, remove: bool) -> usize {
    NAMES_ASKED.set(0);
    for number in range {
        let place = members.find(&number.to_le_bytes()).expect("it was inserted");
        if remove {
            members.remove(place);
        }
    }
    NAMES_ASKED.get()
}

#[test]
fn a_million_are_found_and_removed_like_a_few() {
    const LEN: u32 = 1_000_000;
    let mut members = Members::new();
    for number in 0..LEN {
        members.insert(Counted(number.to_le_bytes()));
    }
    // One name is compared for each that is there, and one more where 32 bits collide: about once
    // in 4,000 names. A removal also hashes two.
    let asked = names_asked(&mut members, 0..LEN, false);
    assert!((1_000_000..1_001_000).contains(&asked), "{asked}");
    let asked = names_asked(&mut members, 0..1000, true);
    assert!((3_000..3_020).contains(&asked), "{asked}");

    // What one insertion may have to move: the mean is 3,902, the deviation 62.
    assert!(members.index.table_len_max() < 4_500);
    assert!(members.chunks.iter().rev().skip(1).all(|chunk| chunk.capacity() == CHUNK_LEN));
    let (told, real) = (Index::heap_bytes(members.len()), members.index.true_heap_bytes());
    assert!(told.abs_diff(real) < real / 2, "{told} for {real}");

    let asked = names_asked(&mut members, 1000..LEN - 100, true);
    assert!(asked < 3 * LEN as usize + 1_000, "{asked}");
    assert_eq!(members.len(), 100);
    let asked = names_asked(&mut members, LEN - 100..LEN, false);
    assert!(asked <= 102, "{asked}");
    let bytes = members.heap_bytes() - Index::heap_bytes(100) + members.index.true_heap_bytes();
    assert!(bytes < 16 * 1024, "{bytes} bytes for a hundred elements");
}

#[test]
fn the_index_changes_its_shape_and_loses_nobody() {
    let mut index = Index::new();
    let hash = |place: usize| hash(&place.to_le_bytes());
    for place in 0..60_000 {
        index.insert(hash(place), place);
    }
    for place in 0..60_000 {
        assert_eq!(index.find(hash(place), |found| found == place), Some(place));
    }
    for place in 0..60_000 {
        index.remove(hash(place), place);
        if place % 1000 == 0 {
            for left in (place + 1..60_000).step_by(997) {
                assert_eq!(index.find(hash(left), |found| found == left), Some(left));
            }
        }
    }
    assert_eq!(index.table_len_max(), 0);
    assert!(index.true_heap_bytes() < 2048);
}
