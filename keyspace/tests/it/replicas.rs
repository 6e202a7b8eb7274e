//! The same entries give the same state and the same answers, whatever a replica lived through.

use proptest::prelude::*;

use crate::world::{Step, World, step};

/// Lived through other keys before it was emptied for a snapshot.
fn used() -> World {
    let mut world = World::new(2);
    for n in 0..40 {
        world.words(&format!("set {{a}}{n} {n}"));
        world.words(&format!("setex k{n} 10 {n}"));
    }
    world.keyspace.clear();
    World::over(world.keyspace)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn replicas_with_different_pasts_stay_equal(
        steps in prop::collection::vec(step(), 1..120),
        restart: prop::sample::Index,
    ) {
        let mut replicas = [World::new(2), used(), World::new(2)];
        let restart = restart.index(steps.len());
        for (index, step) in steps.iter().enumerate() {
            if index == restart {
                replicas[2] = replicas[0].restored();
            }
            let answers: Vec<_> = replicas.iter_mut().map(|replica| replica.step(step)).collect();
            prop_assert_eq!(&answers[0], &answers[1]);
            prop_assert_eq!(&answers[0], &answers[2]);
            let touched = &replicas[0].touched;
            // A flush tells of its keys in an order that no client can see.
            if !matches!(step, Step::Run(_, words) if words.starts_with("flush")) {
                prop_assert_eq!(touched, &replicas[1].touched);
            }
        }
        prop_assert_eq!(replicas[0].digests(), replicas[1].digests());
        prop_assert_eq!(replicas[0].digests(), replicas[2].digests());
        // As part of an entry even random and unordered answers are the same.
        let lines = ["randomkey", "randomkey", "keys *", "scan 0 count 2", "randomkey"];
        let answers: Vec<_> = replicas.iter_mut().map(|replica| replica.block(&lines)).collect();
        prop_assert_eq!(&answers[0], &answers[1]);
        prop_assert_eq!(&answers[0], &answers[2]);
    }
}
