//! Payloads with a valid footer and anything before it.

use proptest::prelude::*;
use proptest::sample::Index;
use resp::Reply;

use super::{OK, dump, exercise, fixtures, restore};
use crate::world::World;

const FOOTER_BYTES: usize = 10;

/// One change of the bytes before the footer.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<Index>(), prop_oneof![any::<u8>(), Just(0), Just(0xFF), Just(0x80), Just(0xC3)])
            .prop_map(|(at, byte)| Change::Set(at, byte)),
        3 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..5))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (any::<Index>(), 1..6_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => (any::<Index>(), 1..30_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

fn apply(change: &Change, body: &mut Vec<u8>) {
    let len = body.len();
    let place = |at: &Index| at.index(len + 1);
    match change {
        Change::Set(at, byte) => {
            if let Some(place) = body.get_mut(place(at)) {
                *place = *byte;
            }
        }
        Change::Flip(at, bits) => {
            if let Some(place) = body.get_mut(place(at)) {
                *place ^= bits;
            }
        }
        Change::Insert(at, bytes) => drop(body.splice(place(at)..place(at), bytes.clone())),
        Change::Remove(at, count) => drop(body.drain(place(at)..len.min(place(at) + count))),
        Change::Repeat(at, count) => {
            body.extend_from_within(place(at)..len.min(place(at) + count));
        }
    }
}

/// The bytes with a footer that is accepted.
fn sealed(mut body: Vec<u8>, version: u16) -> Vec<u8> {
    body.extend_from_slice(&version.to_le_bytes());
    let checksum = body.iter().fold(0_u64, |crc, byte| {
        let mut crc = crc ^ u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x95AC_9329_AC4B_C9B5 } else { crc >> 1 };
        }
        crc
    });
    body.extend_from_slice(&checksum.to_le_bytes());
    body
}

fn check(body: Vec<u8>) -> Result<(), TestCaseError> {
    let mut world = World::new(1);
    let payload = sealed(body, 11);
    match restore(&mut world, b"r", &payload) {
        reply if reply == OK => {
            let dumped = dump(&mut world, b"r").expect("restored just now");
            prop_assert_eq!(restore(&mut world, b"again", &dumped), OK);
            prop_assert_eq!(dump(&mut world, b"again"), Some(dumped));
            let mut restored = world.restored();
            prop_assert_eq!(dump(&mut restored, b"r"), dump(&mut world, b"r"));
            exercise(&mut world);
        }
        reply => {
            prop_assert_eq!(reply, Reply::error("ERR Bad data format"));
            prop_assert!(world.touched.0.is_empty());
            prop_assert_eq!(world.words("EXISTS r"), Reply::Integer(0));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_payload_is_a_value_or_refused(
        which: Index,
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let fixtures = fixtures();
        let payload = &fixtures[which.index(fixtures.len())].payload;
        let mut body = payload[..payload.len() - FOOTER_BYTES].to_vec();
        changes.iter().for_each(|change| apply(change, &mut body));
        check(body)?;
    }

    #[test]
    fn any_bytes_are_a_value_or_refused(kind in 0..23_u8, mut body: Vec<u8>) {
        body.insert(0, kind);
        check(body)?;
    }
}
