//! SCAN visits what is there all the time, whatever else comes and goes; RANDOMKEY is fair.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use resp::Reply;

use crate::world::World;

/// One SCAN: the next cursor, and the keys.
fn scan(world: &mut World, cursor: u64, count: usize) -> (u64, Vec<String>) {
    let Reply::Array(parts) = world.words(&format!("scan {cursor} count {count}")) else {
        panic!("SCAN answers an array")
    };
    let text = |reply: &Reply<'_>| match reply {
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::BulkInteger(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let Reply::Array(keys) = &parts[1] else { panic!("SCAN answers an array of keys") };
    (text(&parts[0]).parse().expect("the cursor is a number"), keys.iter().map(text).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scan_visits_all_that_stays_while_tables_grow_and_shrink(
        stay in 1..300_u32,
        tagged: bool,
        waves in prop::collection::vec((any::<bool>(), 1..400_u32), 1..8),
        count in 1..40_usize,
    ) {
        let tag = if tagged { "{t}" } else { "" };
        let mut world = World::new(1);
        for n in 0..stay {
            world.words(&format!("set {tag}stay:{n} 1"));
        }
        let mut seen = BTreeSet::new();
        let (mut cursor, mut wave) = (0, 0);
        loop {
            let (next, keys) = scan(&mut world, cursor, count);
            seen.extend(keys.into_iter().filter(|key| key.contains("stay")));
            prop_assert!(next == 0 || next > cursor, "the cursor only rises");
            cursor = next;
            if cursor == 0 {
                break;
            }
            let (grow, size) = waves[wave % waves.len()];
            wave += 1;
            for n in 0..size {
                let verb = if grow { "incr" } else { "del" };
                world.words(&format!("{verb} {tag}other:{n}"));
            }
        }
        prop_assert_eq!(seen.len(), stay as usize);
    }
}

#[test]
fn a_step_of_scan_visits_about_as_many_as_asked() {
    let mut world = World::new(1);
    for n in 0..1_000 {
        world.words(&format!("set {{t}}{n} 1"));
    }
    let (mut cursor, mut steps) = (0, 0);
    loop {
        let (next, keys) = scan(&mut world, cursor, 10);
        assert!(keys.len() <= 12);
        steps += 1;
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    assert!((95..=101).contains(&steps), "{steps}");
}

#[test]
fn any_cursor_is_answered() {
    let mut world = World::new(1);
    world.words("mset a 1 b 2 c 3");
    for cursor in [1, 1 << 32, 16_383 << 32, 16_384 << 32, u64::MAX, u64::from(u32::MAX)] {
        let (next, _) = scan(&mut world, cursor, 10);
        assert_eq!(next, 0);
    }
}

#[test]
fn randomkey_draws_every_key_about_as_often() {
    for tag in ["", "{t}"] {
        let mut world = World::new(1);
        for n in 0..100 {
            world.words(&format!("set {tag}{n} 1"));
        }
        let mut drawn: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        for _ in 0..20_000 {
            let Reply::Bulk(key) = world.words("randomkey") else { panic!("there are keys") };
            *drawn.entry(key.into_owned()).or_default() += 1;
        }
        assert_eq!(drawn.len(), 100);
        // 200 on average. Windows of a slot with many keys make some likelier than others.
        assert!(drawn.values().all(|count| (60..600).contains(count)), "{drawn:?}");
    }
}

#[test]
fn randomkey_does_not_answer_keys_whose_time_is_over() {
    let mut world = World::new(1);
    for n in 0..300 {
        world.words(&format!("set {n} 1 px 1"));
    }
    world.words("set alive 1");
    world.now_ms += 2;
    for _ in 0..5 {
        assert_eq!(world.words("randomkey"), Reply::Bulk(b"alive".into()));
    }
    world.words("del alive");
    assert_eq!(world.words("randomkey"), Reply::Null);
}
