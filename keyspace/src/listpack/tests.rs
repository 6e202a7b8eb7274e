//! Listpacks against a list of strings, against Redis' own bytes, and against garbage.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

type Model = Vec<Vec<u8>>;

/// The value of Redis 7.0.15's `DUMP h` after
/// `HSET h a 1 b -5 foo 12345 x 8388607 y -2147483648 z 9223372036854775807 w 4095 v -4096 u 4096
/// t -32769 e "" f 007 g <r * 123> str <q * 200>`.
fn dumped() -> (Model, Vec<u8>) {
    let texts = [
        "a",
        "1",
        "b",
        "-5",
        "foo",
        "12345",
        "x",
        "8388607",
        "y",
        "-2147483648",
        "z",
        "9223372036854775807",
        "w",
        "4095",
        "v",
        "-4096",
        "u",
        "4096",
        "t",
        "-32769",
        "e",
        "",
        "f",
        "007",
        "g",
        &"r".repeat(123),
        "str",
        &"q".repeat(200),
    ];
    let mut bytes = b"\xb3\x01\0\0\x1c\0\x81a\x02\x01\x01\x81b\x02\xdf\xfb\x02\x83foo\x04\
        \xf190\x03\x81x\x02\xf2\xff\xff\x7f\x04\x81y\x02\xf3\0\0\0\x80\x05\x81z\x02\
        \xf4\xff\xff\xff\xff\xff\xff\xff\x7f\x09\x81w\x02\xcf\xff\x02\x81v\x02\xd0\0\x02\x81u\x02\
        \xf1\0\x10\x03\x81t\x02\xf2\xff\x7f\xff\x04\x81e\x02\x80\x01\x81f\x02\x83007\x04\x81g\x02\
        \xe0\x7b"
        .to_vec();
    bytes.extend([b'r'; 123]);
    bytes.extend(b"\x7d\x83str\x04\xe0\xc8");
    bytes.extend([b'q'; 200]);
    bytes.extend(b"\x01\xca\xff");
    (texts.iter().map(|text| text.as_bytes().to_vec()).collect(), bytes)
}

fn listpack(elements: &[Vec<u8>]) -> Listpack {
    let mut listpack = Listpack::new();
    for element in elements {
        listpack.push_back(element);
    }
    listpack
}

fn texts<'l>(values: impl Iterator<Item = StringValue<'l>>) -> Model {
    values.map(|value| value.to_bytes().into_owned()).collect()
}

/// Everything that must hold whatever was done.
fn assert_same(listpack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(check(listpack.as_bytes()), Ok(model.len()));
    assert_eq!(listpack.len(), model.len());
    assert_eq!(listpack.is_empty(), model.is_empty());
    assert_eq!(texts(listpack.iter()), model);
    let mut backwards = texts(listpack.iter().rev());
    backwards.reverse();
    assert_eq!(backwards, model);
    let bytes: usize = model.iter().map(encoded_bytes).sum();
    assert_eq!(listpack.bytes(), BYTES_MIN + bytes);
    let spare = listpack.heap_bytes() - listpack.bytes();
    assert!(spare <= GRAIN_BYTES.max(listpack.heap_bytes() / 2 + 1), "{spare} bytes unused");
}

#[test]
fn bytes_are_those_of_redis() {
    let (elements, bytes) = dumped();
    let built = listpack(&elements);
    assert_eq!(built.as_bytes(), bytes);
    assert_eq!(Listpack::from_bytes(&bytes), Ok(built.clone()));
    assert_same(&built, &elements);
    assert_eq!(Listpack::new().as_bytes(), b"\x07\0\0\0\0\0\xff");
}

#[test]
fn integers_at_every_width_come_back() {
    let edges = (0..64).flat_map(|bits| {
        let power = 1_i64.wrapping_shl(bits);
        [power.wrapping_sub(1), power, power.wrapping_add(1), power.wrapping_neg(), !power]
    });
    for number in edges.chain([i64::MIN, i64::MAX, 127, 128, 4095, 4096, -4096, -4097]) {
        let mut listpack = Listpack::new();
        listpack.push_back(number);
        listpack.push_back(&number.to_string());
        listpack.push_back(StringValue::Bytes(number.to_string().as_bytes()));
        assert!(listpack.iter().eq([StringValue::Int(number); 3]), "{number}");
        assert_eq!(check(listpack.as_bytes()), Ok(3));
    }
}

#[test]
fn strings_of_every_head_and_length_come_back() {
    for len in [0, 63, 64, 126, 127, 4095, 4096, 16_377, 16_378, 16_379, 2_097_145, 2_097_146] {
        let elements = vec![b"before".to_vec(), vec![b'x'; len], b"behind".to_vec()];
        assert_same(&listpack(&elements), &elements);
    }
    // Redis counts three bytes from 16,383 on, which would fit two.
    assert_eq!(encoded_bytes(&[b'x'; 16_377]), 16_382 + 2);
    assert_eq!(encoded_bytes(&[b'x'; 16_378]), 16_383 + 3);
}

#[test]
fn more_elements_than_the_header_can_count() {
    let mut listpack = Listpack::new();
    for n in 0..70_000_i64 {
        listpack.push_back(n % 100);
    }
    assert_eq!(listpack.known_len(), None);
    assert_eq!(listpack.len(), 70_000);
    assert_eq!(listpack.seek(69_999), listpack.last());
    assert_eq!(listpack.seek(70_000), None);
    let mut split = listpack.split_off(100);
    assert_eq!((listpack.known_len(), split.known_len()), (Some(100), None));
    split.remove_range(0, 60_000);
    assert_eq!((split.known_len(), split.len()), (Some(9_900), 9_900));
    assert_eq!(check(split.as_bytes()), Ok(9_900));
}

#[test]
fn integers_kept_as_text_are_found() {
    // As RESTORE may bring it: Redis compares bytes where it finds bytes.
    let listpack = Listpack::from_bytes(b"\x0c\0\0\0\x01\0\x8317\x20\x04\xff").unwrap();
    assert_eq!(listpack.find(b"17 ", 0), listpack.first());
    let listpack = Listpack::from_bytes(b"\x0b\0\0\0\x01\0\x8217\x03\xff").unwrap();
    assert_eq!(listpack.find(b"17", 0), listpack.first());
    assert_eq!(listpack.find(b"18", 0), None);
}

#[test]
fn the_limit_is_a_gibibyte() {
    let listpack = Listpack::new();
    assert!(listpack.fits((1 << 30) - 7));
    assert!(!listpack.fits((1 << 30) - 6));
    assert!(!listpack.fits(usize::MAX));
}

#[test]
fn what_is_no_listpack_is_refused() {
    let (_, whole) = dumped();
    for len in 0..whole.len() {
        assert!(Listpack::from_bytes(&whole[..len]).is_err(), "{len} bytes");
        // Also when the header says so.
        let mut cut = whole[..len].to_vec();
        if let Some(total) = cut.first_chunk_mut() {
            *total = (len as u32).to_le_bytes();
            assert!(Listpack::from_bytes(&cut).is_err(), "{len} bytes");
        }
    }
    for bytes in [
        b"\x08\0\0\0\0\0\xff\xff".as_slice(),
        b"\x07\0\0\0\x01\0\xff",
        b"\x07\0\0\0\0\0\x01",
        b"\x0a\0\0\0\x01\0\x81a\x01\xff",
        b"\x09\0\0\0\x01\0\xf5\x01\xff",
        b"\x0d\0\0\0\x01\0\xf0\xff\xff\xff\xff\x05\xff",
    ] {
        assert!(Listpack::from_bytes(bytes).is_err(), "{bytes:?}");
    }
    assert!(Listpack::from_bytes(b"\x07\0\0\0\xff\xff\xff").unwrap().is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    InsertBefore(Index, Vec<u8>),
    InsertAfter(Index, Vec<u8>),
    Replace(Index, Vec<u8>),
    Remove(Index),
    RemoveRange(Index, usize),
    Split(Index),
    SplitAndAppend(Index),
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i64>().prop_flat_map(|n| (0_u32..64).prop_map(move |by| n >> by))
            .prop_map(|n| n.to_string().into_bytes()),
        4 => "[a-c0-2-]{0,3}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (4000_usize..4200).prop_map(|len| vec![b'z'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        6 => element().prop_map(Step::PushBack),
        2 => element().prop_map(Step::PushFront),
        2 => (index(), element()).prop_map(|(index, e)| Step::InsertBefore(index, e)),
        2 => (index(), element()).prop_map(|(index, e)| Step::InsertAfter(index, e)),
        3 => (index(), element()).prop_map(|(index, e)| Step::Replace(index, e)),
        3 => index().prop_map(Step::Remove),
        1 => (index(), 0_usize..10).prop_map(|(index, count)| Step::RemoveRange(index, count)),
        1 => index().prop_map(Step::Split),
        1 => index().prop_map(Step::SplitAndAppend),
    ]
}

/// Does the same to both; what needs an element is skipped if there is none.
fn run(step: Step, listpack: &mut Listpack, model: &mut Model) {
    let place = |index: Index| (!model.is_empty()).then(|| index.index(model.len()));
    match step {
        Step::PushBack(element) => {
            listpack.push_back(&element);
            model.push(element);
        }
        Step::PushFront(element) => {
            listpack.push_front(&element);
            model.insert(0, element);
        }
        Step::InsertBefore(index, element) => {
            let Some(index) = place(index) else { return };
            let pos = listpack.seek(index).unwrap();
            assert_eq!(listpack.insert_before(pos, &element), pos);
            model.insert(index, element);
        }
        Step::InsertAfter(index, element) => {
            let Some(index) = place(index) else { return };
            let pos = listpack.insert_after(listpack.seek(index).unwrap(), &element);
            model.insert(index + 1, element);
            assert_eq!(listpack.seek(index + 1), Some(pos));
        }
        Step::Replace(index, element) => {
            let Some(index) = place(index) else { return };
            let pos = listpack.seek(index).unwrap();
            assert_eq!(listpack.replace(pos, &element), pos);
            model[index] = element;
        }
        Step::Remove(index) => {
            let Some(index) = place(index) else { return };
            let next = listpack.remove(listpack.seek(index).unwrap());
            model.remove(index);
            assert_eq!(next, listpack.seek(index));
        }
        Step::RemoveRange(index, count) => {
            let index = index.index(model.len() + 1);
            listpack.remove_range(index, count);
            model.drain(index..(index + count).min(model.len()));
        }
        Step::Split(index) => {
            let index = index.index(model.len() + 1);
            assert_same(&listpack.split_off(index), &model.split_off(index));
        }
        Step::SplitAndAppend(index) => {
            let index = index.index(model.len() + 1);
            let split = listpack.split_off(index);
            assert_same(listpack, &model[..index]);
            listpack.append(&split);
        }
    }
}

fn assert_reads_agree(listpack: &Listpack, model: &[Vec<u8>]) {
    let mut pos = listpack.first();
    for (index, element) in model.iter().enumerate() {
        let here = pos.unwrap();
        assert_eq!(listpack.seek(index), pos);
        assert_eq!(listpack.at(here), StringValue::encode(element));
        assert_eq!(texts(listpack.iter_from(here)), model[index..]);
        assert_eq!(texts(listpack.iter_through(here)), model[..=index]);
        for skip in 0..3 {
            let found = model.iter().step_by(skip + 1).position(|other| other == element);
            let found = found.and_then(|nth| listpack.seek(nth * (skip + 1)));
            assert_eq!(listpack.find(element, skip), found);
        }
        pos = listpack.next(here);
        if let Some(next) = pos {
            assert_eq!(listpack.prev(next), Some(here));
        }
    }
    assert_eq!((pos, listpack.seek(model.len())), (None, None));
    assert_eq!(listpack.last(), model.len().checked_sub(1).and_then(|last| listpack.seek(last)));
    assert_eq!(listpack.first().and_then(|first| listpack.prev(first)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_is_a_list_of_strings(steps in prop::collection::vec(step(), 0..60)) {
        let (mut listpack, mut model) = (Listpack::new(), Model::new());
        for step in steps {
            run(step, &mut listpack, &mut model);
            assert_same(&listpack, &model);
        }
        assert_reads_agree(&listpack, &model);
        let copy = Listpack::from_bytes(listpack.as_bytes());
        prop_assert_eq!(copy.as_ref(), Ok(&listpack));
    }

    #[test]
    fn garbage_never_panics(
        elements in prop::collection::vec("[a-c0-9]{0,3}|[a-c]{60,70}", 0..8),
        bent in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        tail in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let elements: Model = elements.into_iter().map(String::into_bytes).collect();
        let mut bytes = listpack(&elements).as_bytes().to_vec();
        bytes.extend(&tail);
        for (place, byte) in bent {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let total = (bytes.len() as u32).to_le_bytes();
        bytes[..4].copy_from_slice(&total);
        // What is accepted can be worked with.
        if let Ok(mut listpack) = Listpack::from_bytes(&bytes) {
            let read = texts(listpack.iter());
            prop_assert_eq!(read.len(), listpack.len());
            assert_reads_agree_on_text(&listpack, &read);
            listpack.push_front(b"x");
            listpack.remove_range(1, usize::MAX);
            assert_same(&listpack, &[b"x".to_vec()]);
        }
    }
}

/// As [`assert_reads_agree`], for a listpack whose integers may be text or wider than they must be.
fn assert_reads_agree_on_text(listpack: &Listpack, model: &[Vec<u8>]) {
    let mut pos = listpack.first();
    for element in model {
        let here = pos.unwrap();
        assert_eq!(listpack.at(here).to_bytes(), element.as_slice());
        assert!(listpack.find(element, 0).unwrap() <= here);
        pos = listpack.next(here);
    }
    assert_eq!(pos, None);
}
