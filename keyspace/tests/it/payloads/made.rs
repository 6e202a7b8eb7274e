//! Values of every type and encoding, dumped and restored.

use bytes::BytesMut;
use proptest::prelude::*;
use resp::{Protocol, Reply};

use super::{OK, dump, restore};
use crate::world::World;

/// How values of a type are made from elements, lose some, and are looked at.
struct Kind {
    /// With every element.
    add: fn(&mut World, usize, &[u8]) -> Reply<'static>,
    /// With some.
    remove: fn(&mut World, usize, &[u8]) -> Reply<'static>,
    /// `k` is the key.
    look: &'static str,
}

const KINDS: [Kind; 6] = [
    Kind {
        add: |world, _, element| world.run(&[b"APPEND", b"k", element]),
        remove: |world, at, _| world.run(&[b"SETRANGE", b"k", at.to_string().as_bytes(), b"x"]),
        look: "GET k",
    },
    Kind {
        add: |world, _, element| world.run(&[b"RPUSH", b"k", element]),
        remove: |world, _, element| world.run(&[b"LREM", b"k", b"1", element]),
        look: "LRANGE k 0 -1",
    },
    Kind {
        add: |world, _, element| world.run(&[b"SADD", b"k", element]),
        remove: |world, _, element| world.run(&[b"SREM", b"k", element]),
        look: "SMEMBERS k",
    },
    Kind {
        add: |world, at, element| world.run(&[b"HSET", b"k", element, at.to_string().as_bytes()]),
        remove: |world, _, element| world.run(&[b"HDEL", b"k", element]),
        look: "HGETALL k",
    },
    Kind {
        add: |world, at, element| {
            let score = (at as f64 - 20.0) / 8.0;
            world.run(&[b"ZADD", b"k", score.to_string().as_bytes(), element])
        },
        remove: |world, _, element| world.run(&[b"ZREM", b"k", element]),
        look: "ZRANGE k 0 -1 WITHSCORES",
    },
    Kind {
        add: |world, at, element| {
            let id = format!("{}-{}", at / 3 + 1, at % 3);
            world.run(&[b"XADD", b"k", id.as_bytes(), b"f", element, element, b"v"])
        },
        remove: |world, at, _| {
            let id = format!("{}-{}", at / 3 + 1, at % 3);
            world.run(&[b"XDEL", b"k", id.as_bytes()])
        },
        look: "XINFO STREAM k FULL COUNT 0",
    },
];

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => any::<i16>().prop_map(|number| number.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        3 => prop::collection::vec(any::<u8>(), 0..12),
        1 => prop::collection::vec(any::<u8>(), 60..70),
    ]
}

/// Most values are all of a kind, so that every encoding is met.
fn elements() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![1..10_usize, 100..180_usize].prop_flat_map(|count| {
        let numbers = any::<i16>().prop_map(|number| number.to_string().into_bytes());
        let short = prop::collection::vec(any::<u8>(), 0..8);
        prop_oneof![
            prop::collection::vec(numbers, count),
            prop::collection::vec(short, count),
            prop::collection::vec(element(), count),
        ]
    })
}

/// The reply as clients see it; a set's members may come in another order.
fn looked(world: &mut World, words: &str) -> Vec<BytesMut> {
    let seen = |reply: &Reply<'_>| {
        let mut bytes = BytesMut::new();
        reply.encode(Protocol::Resp2, &mut bytes);
        bytes
    };
    let mut lines: Vec<BytesMut> = match world.words(words) {
        Reply::Array(items) | Reply::Set(items) => items.iter().map(seen).collect(),
        reply => vec![seen(&reply)],
    };
    if words.starts_with("SMEMBERS") {
        lines.sort_unstable();
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_is_dumped_is_restored(
        kind in 0..KINDS.len(),
        elements in elements(),
        removed in prop_oneof![Just(0), 1..100_usize],
        every in 2..5_usize,
    ) {
        let mut world = World::new(1);
        for (at, element) in elements.iter().enumerate() {
            let reply = (KINDS[kind].add)(&mut world, at, element);
            prop_assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
        }
        for (at, element) in elements.iter().enumerate().step_by(every).take(removed) {
            (KINDS[kind].remove)(&mut world, at, element);
        }
        let Some(payload) = dump(&mut world, b"k") else { return Ok(()) };
        prop_assert_eq!(restore(&mut world, b"r", &payload), OK);
        let look = KINDS[kind].look;
        let restored = look.replace(" k", " r");
        prop_assert_eq!(looked(&mut world, &restored), looked(&mut world, look));
        let again = dump(&mut world, b"r").expect("restored just now");
        prop_assert_eq!(restore(&mut world, b"r", &again), OK);
        prop_assert_eq!(dump(&mut world, b"r"), Some(again));
        // What was large once may be small again, and a string that grew in place is new.
        if removed == 0 && !look.starts_with("GET") {
            let encoding = world.words("OBJECT ENCODING k");
            prop_assert_eq!(world.words("OBJECT ENCODING r"), encoding);
        }
    }
}
