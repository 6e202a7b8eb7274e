//! The counts that need no lock are what counting would give.

use proptest::prelude::*;

use crate::world::{World, step};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn counts_are_those_of_the_slots(steps in prop::collection::vec(step(), 1..150)) {
        let mut world = World::new(2);
        for step in &steps {
            world.step(step);
        }
        let keys: usize = (0..keyspace::slot::SLOTS).map(|slot| world.keyspace.slot_len(slot)).sum();
        prop_assert_eq!(keys, world.keyspace.len(0));
        // With everything gone nothing may be left on the books but the slots themselves.
        let names = ["a", "b", "c", "{a}1", "{a}2", "d"];
        for db in 0..2 {
            world.db = db;
            for name in names {
                world.words(&format!("del {name}"));
            }
            prop_assert_eq!(world.keyspace.len(db), 0);
            prop_assert_eq!(world.keyspace.volatile_len(db), 0);
        }
        let emptied = world.keyspace.memory_bytes();
        world.words("flushall");
        prop_assert_eq!(world.keyspace.memory_bytes(), emptied);
        let mut fresh = World::new(2);
        for db in 0..2 {
            fresh.db = db;
            fresh.words("del a");
        }
        let slots_only = fresh.keyspace.memory_bytes();
        prop_assert!(emptied <= slots_only, "{} bytes are left over", emptied - slots_only);
    }
}

#[test]
fn memory_grows_by_what_is_stored() {
    let mut world = World::new(1);
    world.words("set a 1");
    let before = world.keyspace.memory_bytes();
    world.words(&format!("set b {}", "x".repeat(100_000)));
    let grown = world.keyspace.memory_bytes() - before;
    assert!((100_000..101_000).contains(&grown), "{grown}");
}
