//! The value against a vector, with limits so small that nodes split and join all the time.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::element::{End, Taken, Wanted};
use super::{List, ListBuilder, NodeLimit};
use crate::limits::{Limit, Limits};
use crate::object::Data;
use crate::value::StringValue;
use crate::wire::WireReader;

type Model = Vec<Vec<u8>>;

fn limit(size: i64) -> NodeLimit {
    NodeLimit::of(&Limits::default().with(Limit::ListSize, size).expect("in range"))
}

fn contents(list: &List) -> Model {
    list.iter().map(|element| element.to_bytes().into_owned()).collect()
}

fn decoded(list: &List) -> List {
    let mut bytes = Vec::new();
    list.encode(&mut bytes);
    let mut reader = WireReader::new(&bytes);
    let decoded = List::decode(&mut reader).expect("it was encoded");
    assert!(reader.is_done());
    decoded
}

fn encoded(list: &List) -> Vec<u8> {
    let mut bytes = list.encoding().as_bytes().to_vec();
    list.encode(&mut bytes);
    bytes
}

/// Adds elements as the commands do.
fn push(list: &mut List, end: End, values: &[Vec<u8>], limit: NodeLimit) {
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    list.make_room(&values, limit);
    for value in values {
        list.push(end, value, limit);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<Vec<u8>>),
    Pop(End),
    PopMany(End, usize),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(Vec<u8>, usize, End),
    Limit(i64),
    Restart,
}

/// Takes a step on both sides.
fn step(list: &mut List, model: &mut Model, limits: &mut NodeLimit, step: &Step) {
    let limit = *limits;
    let len = model.len();
    match step {
        Step::Push(end, values) => {
            push(list, *end, values, limit);
            for value in values {
                let at = if *end == End::Left { 0 } else { model.len() };
                model.insert(at, value.clone());
            }
        }
        Step::Pop(end) => {
            let expected = match end {
                _ if len == 0 => None,
                End::Left => Some(model.remove(0)),
                End::Right => model.pop(),
            };
            let taken = list.pop(*end);
            assert_eq!(taken.as_ref().map(|taken| taken.to_bytes().into_owned()), expected);
            list.shrink(limit);
        }
        Step::PopMany(end, count) => {
            list.remove_at_end(*end, *count);
            list.shrink(limit);
            let count = len.min(*count);
            match end {
                End::Left => drop(model.drain(..count)),
                End::Right => model.truncate(len - count),
            }
        }
        Step::Set(index, value) => {
            let index = index % (len + 1);
            list.make_room(&[value], limit);
            assert_eq!(list.set(index, value, limit), index < len);
            list.shrink(limit);
            if let Some(place) = model.get_mut(index) {
                place.clone_from(value);
            }
        }
        Step::Insert(index, value) => {
            let index = index % (len + 1);
            list.make_room(&[value], limit);
            list.insert(index, value, limit);
            model.insert(index, value.clone());
        }
        Step::Remove(value, count_max, from) => {
            let removed = list.remove_equal(Wanted::new(value), *count_max, *from, limit);
            list.shrink(limit);
            let equal = (0..len).filter(|at| &model[*at] == value);
            let doomed: Vec<usize> = match from {
                End::Left => equal.take(*count_max).collect(),
                End::Right => equal.rev().take(*count_max).collect(),
            };
            assert_eq!(removed, doomed.len());
            let mut at = 0;
            model.retain(|_| {
                at += 1;
                !doomed.contains(&(at - 1))
            });
        }
        Step::Limit(size) => *limits = super::tests::limit(*size),
        Step::Restart if len > 0 => *list = decoded(list),
        Step::Restart => {}
    }
}

fn check(list: &List, model: &Model) {
    if let List::Quick(quick) = list {
        quick.check();
    }
    assert_eq!(list.len(), model.len());
    assert_eq!(list.is_empty(), model.is_empty());
    let is = |(element, expected): (StringValue<'_>, &Vec<u8>)| *element.to_bytes() == **expected;
    assert!(list.iter().count() == model.len() && list.iter().zip(model).all(is));
    assert!(list.iter().rev().count() == model.len());
    assert!(list.iter().rev().zip(model.iter().rev()).all(is));
    for index in 0..=model.len() {
        let got = list.get(index).map(|element| element.to_bytes());
        assert_eq!(got.as_deref(), model.get(index).map(Vec::as_slice));
        let behind = &model[index..];
        assert!(list.iter_from(index).zip(behind).take(3).all(is));
        assert_eq!(list.iter_from(index).count(), behind.len());
    }
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec!["", "a", "b", "1", "-70000", "007", "twelve bytes"]);
    let repeated = |(byte, len)| vec![byte; len];
    prop_oneof![
        4 => word.prop_map(|word| word.as_bytes().to_vec()),
        2 => (b'a'..b'c', 1..80_usize).prop_map(repeated),
        1 => (b'a'..b'c', 1000..3000_usize).prop_map(repeated),
        1 => (b'a'..b'c', 4000..20_000_usize).prop_map(repeated),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop::sample::select(vec![End::Left, End::Right])
}

/// Few elements a node most of the time; sometimes bytes.
fn size() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0, 1, 2, 3, 4, 7, 128, -1, -2])
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        5 => (end(), prop::collection::vec(value(), 1..6)).prop_map(|(e, v)| Step::Push(e, v)),
        2 => end().prop_map(Step::Pop),
        1 => (end(), 0..9_usize).prop_map(|(e, n)| Step::PopMany(e, n)),
        3 => (any::<usize>(), value()).prop_map(|(i, v)| Step::Set(i, v)),
        4 => (any::<usize>(), value()).prop_map(|(i, v)| Step::Insert(i, v)),
        2 => (value(), prop_oneof![0..4_usize, Just(usize::MAX)], end())
            .prop_map(|(v, n, e)| Step::Remove(v, n, e)),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_list_is_a_vector(size in size(), steps in steps()) {
        let (mut list, mut model, mut limits) = (List::default(), Model::new(), limit(size));
        for one in &steps {
            step(&mut list, &mut model, &mut limits, one);
            check(&list, &model);
        }
    }

    #[test]
    fn limits_may_change_at_any_time(
        steps in prop::collection::vec((size(), steps()), 1..4),
    ) {
        let (mut list, mut model, mut limits) = (List::default(), Model::new(), limit(-2));
        for (size, steps) in steps {
            step(&mut list, &mut model, &mut limits, &Step::Limit(size));
            for one in &steps {
                step(&mut list, &mut model, &mut limits, one);
            }
            check(&list, &model);
        }
    }

    /// A replica that came back from a checkpoint goes on like the others, to the byte.
    #[test]
    fn what_is_decoded_goes_on_the_same(
        size in size(),
        before in steps(),
        after in steps(),
    ) {
        let (mut list, mut model, mut limits) = (List::default(), Model::new(), limit(size));
        for one in &before {
            step(&mut list, &mut model, &mut limits, one);
        }
        prop_assume!(!model.is_empty());
        let (mut copy, mut copied) = (decoded(&list), model.clone());
        for one in &after {
            prop_assert_eq!(encoded(&list), encoded(&copy));
            step(&mut list, &mut model, &mut limits, one);
            step(&mut copy, &mut copied, &mut limits, one);
        }
        prop_assert_eq!(encoded(&list), encoded(&copy));
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes: Vec<u8>, kind in 0..2_u8, count in 0..3_u8) {
        for start in [vec![], vec![kind], vec![1, count]] {
            let bytes = [start, bytes.clone()].concat();
            if let Ok(list) = List::decode(&mut WireReader::new(&bytes)) {
                prop_assert!(!list.is_empty());
                contents(&list);
            }
        }
    }

    #[test]
    fn flipped_bits_never_panic(steps in steps(), at: prop::sample::Index, flip in 1..=255_u8) {
        let (mut list, mut model, mut limits) = (List::default(), Model::new(), limit(3));
        for one in &steps {
            step(&mut list, &mut model, &mut limits, one);
        }
        prop_assume!(!model.is_empty());
        let mut bytes = Vec::new();
        list.encode(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(list) = List::decode(&mut WireReader::new(&bytes)) {
            contents(&list);
        }
    }
}

fn of(words: &[&str], size: i64) -> List {
    let mut list = ListBuilder::new(limit(size));
    words.iter().for_each(|word| list.push(word.as_bytes()));
    list.finish().expect("words were given")
}

#[test]
fn encodings_follow_the_limit_and_come_back_at_half_of_it() {
    let limit = limit(4);
    let mut list = of(&["a", "b", "c", "d"], 4);
    assert_eq!(list.encoding(), "listpack");
    push(&mut list, End::Right, &[b"e".to_vec()], limit);
    assert_eq!(list.encoding(), "quicklist");
    for left in [4, 3, 2] {
        list.pop(End::Right);
        list.shrink(limit);
        assert_eq!(list.len(), left);
        assert_eq!(list.encoding(), if left == 2 { "listpack" } else { "quicklist" });
    }
}

#[test]
fn a_huge_element_has_a_node_of_its_own_and_leaves_in_one_piece() {
    let limit = limit(-2);
    let huge = vec![b'x'; 10_000];
    let mut list = of(&["a", "b"], -2);
    push(&mut list, End::Right, &[huge.clone(), b"c".to_vec()], limit);
    assert_eq!(list.encoding(), "quicklist");
    assert_eq!(list.pop(End::Right), Some(Taken::Bytes(b"c".to_vec())));
    assert_eq!(list.pop(End::Right), Some(Taken::Bytes(huge)));
    list.shrink(limit);
    assert_eq!(list.encoding(), "listpack");
}

#[test]
fn a_million_empty_strings_are_no_listpack() {
    let mut list = List::default();
    push(&mut list, End::Right, &vec![Vec::new(); 1_000_000], limit(-2));
    assert_eq!((list.encoding(), list.len()), ("quicklist", 1_000_000));
}

#[test]
fn memory_comes_back_after_removals_in_the_middle() {
    let limit = limit(-2);
    let mut list = List::default();
    // Nine of ten words are to go: half of them are the same, the others all different.
    let word = |n: u32| match n % 10 {
        0 => format!("stays:{n:08}"),
        1..5 => format!("leaves:{n:08}"),
        _ => "all leave".to_owned(),
    };
    let words: Vec<Vec<u8>> = (0..10_000).map(|n| word(n).into_bytes()).collect();
    push(&mut list, End::Right, &words, limit);
    let full = list.heap_bytes();
    for word in words.iter().filter(|word| word.starts_with(b"leaves")) {
        assert_eq!(list.remove_equal(Wanted::new(word), 1, End::Left, limit), 1);
    }
    let removed = list.remove_equal(Wanted::new(b"all leave"), usize::MAX, End::Right, limit);
    assert_eq!((removed, list.len()), (5_000, 1_000));
    assert!(list.heap_bytes() < full / 5, "{} of {full}", list.heap_bytes());
}

#[test]
fn the_tail_of_a_long_list_is_near() {
    // One element a node: to walk past all of them would take a hundred times as long.
    let limit = limit(1);
    let long = |len: u32| {
        let mut list = List::default();
        for n in 0..len {
            push(&mut list, End::Right, &[n.to_string().into_bytes()], limit);
        }
        list
    };
    let time = |list: &mut List| -> Duration {
        let start = Instant::now();
        for n in 0..100_u32 {
            let first = list.len() - 100;
            assert_eq!(list.iter_from(first).count(), 100);
            assert_eq!(list.iter().rev().take(100).count(), 100);
            assert!(list.get(list.len() - 1).is_some());
            let value = n.to_string().into_bytes();
            assert!(list.set(first, &value, limit));
            list.insert(first, &value, limit);
            list.remove_at_end(End::Right, 1);
        }
        start.elapsed()
    };
    let (short, long) = (time(&mut long(200)), time(&mut long(400_000)));
    assert!(long < short * 20, "{long:?} against {short:?}");
}
