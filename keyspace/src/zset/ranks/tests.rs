//! The tree beside a sorted vector.

use proptest::prelude::*;

use super::*;
use crate::hashing::next_random;

/// A tree whose members' bytes are `names`, at their places.
#[derive(Default)]
struct World {
    tree: Ranks,
    names: Vec<Vec<u8>>,
    model: Vec<(f64, Vec<u8>, u32)>,
}

impl World {
    fn find(&self, score: f64, name: &[u8]) -> Result<usize, usize> {
        self.model.binary_search_by(|(other, other_name, _)| {
            other.partial_cmp(&score).unwrap().then_with(|| other_name.as_slice().cmp(name))
        })
    }

    fn insert(&mut self, score: f64, name: Vec<u8>) {
        if let Err(rank) = self.find(score, &name) {
            let place = self.names.len() as u32;
            self.names.push(name.clone());
            self.tree.insert(Entry { score, place }, &name, |place| &self.names[place as usize]);
            self.model.insert(rank, (score, name, place));
        }
    }

    /// Takes out ranks, from the entry on that (score, name) is or would be.
    fn remove(&mut self, score: f64, name: &[u8], count: usize) {
        let rank = self.tree.rank(score, name, |place| &self.names[place as usize]);
        let mut places = Vec::new();
        self.tree.remove_range(rank..rank + count, |entry| places.push(entry.place));
        let start = self.find(score, name).unwrap_or_else(|rank| rank);
        assert_eq!(rank, start);
        let end = (start + count).min(self.model.len());
        assert!(self.model.drain(start..end).map(|(_, _, place)| place).eq(places));
    }

    fn relocate(&mut self, rank: usize) {
        let (_, name, place) = &mut self.model[rank];
        *place = self.names.len() as u32;
        self.names.push(name.clone());
        self.tree.set_place(rank, *place);
    }

    fn check(&self) {
        check(&self.tree);
        let entries = self.model.iter().map(|&(score, _, place)| Entry { score, place });
        assert!(self.tree.range(0..usize::MAX).eq(entries.clone()));
        assert!(self.tree.range(0..usize::MAX).rev().eq(entries.rev()));
    }
}

/// Every invariant but the order.
fn check(tree: &Ranks) {
    fn walk(node: &Node, edges: (bool, bool), counts: &mut (usize, usize)) -> (usize, usize) {
        match node {
            Node::Leaf(leaf) => {
                counts.0 += 1;
                (1, leaf.len())
            }
            Node::Inner(children) => {
                counts.1 += 1;
                assert!(children.len() >= 2);
                let mut depths = Vec::new();
                let mut count = 0;
                for (index, child) in children.iter().enumerate() {
                    let at_edge = (edges.0 && index == 0, edges.1 && index + 1 == children.len());
                    assert!(!child.node.is_sparse() || at_edge != (false, false));
                    let (depth, below) = walk(&child.node, at_edge, counts);
                    assert!(below > 0);
                    assert_eq!(below, child.count());
                    assert_eq!(first(&child.node), child.first());
                    depths.push(depth);
                    count += below;
                }
                depths.dedup();
                assert_eq!(depths.len(), 1, "all leaves are at one depth");
                (depths[0] + 1, count)
            }
        }
    }
    fn first(node: &Node) -> Entry {
        match node {
            Node::Leaf(leaf) => leaf.entry(0),
            Node::Inner(children) => first(&children[0].node),
        }
    }
    let mut counts = (0, 0);
    let (_, len) = walk(&tree.root, (true, true), &mut counts);
    assert_eq!(len, tree.len());
    assert_eq!(counts, (tree.leaves, tree.inners));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(f64, u8),
    /// Some ascending ones, as a clock's.
    Append(u16),
    Prepend(u16),
    Remove(f64, u8, u16),
    Relocate(prop::sample::Index),
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-9i32..9).prop_map(|score| f64::from(score) / 2.0),
        1 => Just(-0.0),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
        4 => -1e3..1e3,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (score(), any::<u8>()).prop_map(|(score, name)| Step::Insert(score, name)),
        2 => (1..700_u16).prop_map(Step::Append),
        2 => (1..700_u16).prop_map(Step::Prepend),
        1 => (score(), any::<u8>(), 1..2_000_u16)
            .prop_map(|(score, name, count)| Step::Remove(score, name, count)),
        4 => (score(), any::<u8>(), 1..9_u16)
            .prop_map(|(score, name, count)| Step::Remove(score, name, count)),
        1 => any::<prop::sample::Index>().prop_map(Step::Relocate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_does_what_a_sorted_vector_does(
        steps in prop::collection::vec(step(), 1..120),
        bounds in prop::collection::vec((score(), any::<u8>()), 4),
        ranks: (usize, usize),
    ) {
        let mut world = World::default();
        for (index, step) in steps.into_iter().enumerate() {
            match step {
                Step::Insert(score, name) => world.insert(score, vec![name]),
                Step::Append(count) | Step::Prepend(count) => {
                    let sign = if matches!(step, Step::Append(_)) { 1.0 } else { -1.0 };
                    for n in 0..count {
                        let score = (index * 1000 + usize::from(n)) as f64;
                        world.insert(sign * score, b"clock".to_vec());
                    }
                }
                Step::Remove(score, name, count) => world.remove(score, &[name], count.into()),
                Step::Relocate(rank) if !world.model.is_empty() => {
                    world.relocate(rank.index(world.model.len()));
                }
                Step::Relocate(_) => {}
            }
            check(&world.tree);
        }
        world.check();
        for (score, name) in bounds {
            let rank = world.tree.rank(score, &[name], |place| &world.names[place as usize]);
            let expected = world.find(score, &[name]).unwrap_or_else(|rank| rank);
            prop_assert_eq!(rank, expected);
            prop_assert_eq!(
                world.tree.partition_point(|other, _| other <= score),
                world.model.partition_point(|(other, _, _)| *other <= score)
            );
            let found = world.tree.select(rank).map(|entry| entry.place);
            prop_assert_eq!(found, world.model.get(rank).map(|(_, _, place)| *place));
        }
        let start = ranks.0 % (world.model.len() + 1);
        let range = start..start + ranks.1 % (world.model.len() + 1 - start);
        let mut places: Vec<u32> = Vec::new();
        let mut both = world.tree.range(range.clone());
        // From both ends in turns, until they meet.
        let mut behind = Vec::new();
        while let Some(entry) = both.next() {
            places.push(entry.place);
            behind.extend(both.next_back().map(|entry| entry.place));
        }
        places.extend(behind.iter().rev());
        prop_assert!(world.model[range].iter().map(|(_, _, place)| *place).eq(places));
    }

    #[test]
    fn what_is_built_from_order_is_in_order(
        len in prop_oneof![0..300_usize, 0..20_000_usize],
        removed: prop::sample::Index,
    ) {
        let entries = (0..len).map(|place| Entry { score: place as f64, place: place as u32 });
        let mut tree = Ranks::from_sorted(entries.clone());
        check(&tree);
        prop_assert!(tree.range(0..len).eq(entries));
        if len > 0 {
            let rank = removed.index(len);
            prop_assert_eq!(tree.remove(rank).place as usize, rank);
            check(&tree);
        }
    }
}

const MANY: u32 = 200_000;

#[test]
fn an_entry_takes_few_bytes() {
    let per_entry = |tree: &Ranks| tree.heap_bytes() as f64 / tree.len() as f64;
    let none = |_: u32| -> &'static [u8] { b"" };
    let mut random = Ranks::default();
    let mut state = 1;
    for place in 0..MANY {
        let score = next_random(&mut state) as f64;
        random.insert(Entry { score, place }, b"", none);
    }
    let (mut up, mut down) = (Ranks::default(), Ranks::default());
    for place in 0..MANY {
        up.insert(Entry { score: f64::from(place), place }, b"", none);
        down.insert(Entry { score: -f64::from(place), place }, b"", none);
    }
    for (tree, bytes_max) in [(&random, 17.0), (&up, 15.0), (&down, 15.0)] {
        check(tree);
        assert!(per_entry(tree) < bytes_max, "{}", per_entry(tree));
    }
    let rebuilt = Ranks::from_sorted(random.range(0..random.len()));
    assert!(per_entry(&rebuilt) < 15.0, "{}", per_entry(&rebuilt));
    // What is left after most are gone is packed, too.
    for rank in (0..MANY as usize).rev().filter(|rank| rank % 10 != 0) {
        random.remove(rank);
    }
    check(&random);
    assert!(per_entry(&random) < 32.0, "{}", per_entry(&random));
}

#[test]
fn a_search_looks_at_few_entries() {
    let entries = (0..MANY).map(|place| Entry { score: f64::from(place), place });
    let tree = Ranks::from_sorted(entries.collect::<Vec<_>>().into_iter());
    let looks = std::cell::Cell::new(0);
    tree.partition_point(|score, _| {
        looks.set(looks.get() + 1);
        score < 77_777.0
    });
    assert!(looks.get() <= 24, "{}", looks.get());
}
