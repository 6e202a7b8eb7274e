//! Which shard owns which slots: consistent hashing with bounded loads (Mirrokni, Thorup,
//! Zadimoghaddam 2016).
//!
//! A slot number is a position on the ring. Each shard has 64 virtual nodes at hashed positions;
//! slots are given out in slot order, each to the next virtual node clockwise whose shard is below
//! its cap of 1.05 times its fair share.
//!
//! Invariants: the map is a pure function of the shards' ids and weights, whatever their order and
//! the machine; no shard is above its cap; there are at most `65 * shards` ranges. Growing by one
//! shard moves at most 1.25 times the new shard's fair share of slots, up to 17 shards of one
//! weight with ids from 0 (1.14 at most, as it happens).
//!
//! Leaves out: who decides to change the map, and how slots move. Hashing the slots instead of the
//! shards' virtual nodes would break the map into up to 11,000 ranges, which every client would
//! have to read.

/// Slots on the ring; Redis Cluster's number.
pub const SLOTS: u16 = 16_384;
/// Largest weight of a shard: caps stay far inside 64 bits, and no ratio of interest is lost.
pub const WEIGHT_MAX: u32 = 1_000_000;

/// More would even out the shares before the cap does it, but add ranges; 64 was settled by
/// simulation together with the cap.
const VIRTUAL_NODES: u32 = 64;
/// A shard's cap, in hundredths of its fair share. Lower evens out more and moves more slots.
const CAP_PERCENT: u64 = 105;
/// Chosen among 4,000 for the least movement while growing to 17 shards. Part of the map's
/// definition, like everything here that is hashed: a change moves almost every slot.
const SEED: u64 = 1647;

/// What the map needs to know of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighted {
    /// The shard's number.
    pub shard: u32,
    /// Its weight, 1 to [`WEIGHT_MAX`].
    pub weight: u32,
}

/// A slot's owner, for every slot.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotMap {
    /// By slot; exactly [`SLOTS`] of them.
    owners: Vec<u32>,
}

/// Slots next to each other with one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRange {
    /// The first slot.
    pub first: u16,
    /// The last slot, included.
    pub last: u16,
    /// Who owns them.
    pub shard: u32,
}

/// Slots next to each other that move from one owner to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotMove {
    /// The first slot.
    pub first: u16,
    /// The last slot, included.
    pub last: u16,
    /// Who owned them.
    pub from: u32,
    /// Who will.
    pub to: u32,
}

impl SlotRange {
    /// How many slots it has.
    pub fn slots(&self) -> u32 {
        u32::from(self.last - self.first) + 1
    }
}

impl SlotMove {
    /// How many slots it has.
    pub fn slots(&self) -> u32 {
        u32::from(self.last - self.first) + 1
    }
}

impl SlotMap {
    /// The map for these shards, in any order.
    ///
    /// Panics if there are none, if an id is there twice or a weight is out of range: the
    /// configuration has been checked before.
    pub fn new(shards: &[Weighted]) -> SlotMap {
        assert!(!shards.is_empty(), "a map needs a shard");
        let mut shards = shards.to_vec();
        shards.sort_by_key(|shard| shard.shard);
        assert!(shards.windows(2).all(|two| two[0].shard < two[1].shard), "ids are unique");

        let caps = caps(&shards);
        let ring = virtual_nodes(&shards);
        let mut counts = vec![0; shards.len()];
        let mut owners = Vec::with_capacity(usize::from(SLOTS));
        let mut next = 0;
        for slot in 0..SLOTS {
            while next < ring.len() && ring[next].position < slot {
                next += 1;
            }
            // The caps add up to more than all slots, so some shard on the ring is below its own.
            let clockwise = ring[next..].iter().chain(&ring[..next]);
            let taker = clockwise
                .map(|node| node.index)
                .find(|index| counts[*index] < caps[*index])
                .expect("not every shard is at its cap");
            counts[taker] += 1;
            owners.push(shards[taker].shard);
        }
        SlotMap { owners }
    }

    /// The map for shards 0 to `count` - 1, all of the same weight.
    pub fn even(count: u32) -> SlotMap {
        let shards: Vec<_> = (0..count).map(|shard| Weighted { shard, weight: 1 }).collect();
        SlotMap::new(&shards)
    }

    /// The owner of `slot`, which is below [`SLOTS`].
    pub fn owner(&self, slot: u16) -> u32 {
        self.owners[usize::from(slot)]
    }

    /// How many slots `shard` owns.
    pub fn count(&self, shard: u32) -> u32 {
        self.owners.iter().map(|owner| u32::from(*owner == shard)).sum()
    }

    /// All slots as ranges, in order.
    pub fn ranges(&self) -> Vec<SlotRange> {
        let mut ranges: Vec<SlotRange> = Vec::new();
        for (slot, shard) in (0..).zip(self.owners.iter().copied()) {
            match ranges.last_mut() {
                Some(range) if range.shard == shard => range.last = slot,
                _ => ranges.push(SlotRange { first: slot, last: slot, shard }),
            }
        }
        ranges
    }

    /// What changes owner between this map and `after`, in order.
    pub fn moves(&self, after: &SlotMap) -> Vec<SlotMove> {
        let mut moves: Vec<SlotMove> = Vec::new();
        for slot in 0..SLOTS {
            let (from, to) = (self.owner(slot), after.owner(slot));
            if from == to {
                continue;
            }
            match moves.last_mut() {
                Some(last) if last.last + 1 == slot && (last.from, last.to) == (from, to) => {
                    last.last = slot;
                }
                _ => moves.push(SlotMove { first: slot, last: slot, from, to }),
            }
        }
        moves
    }

    /// A number that two nodes compare to see whether they have the same map: FNV-1a over the
    /// owners' little-endian bytes.
    pub fn checksum(&self) -> u64 {
        const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let bytes = self.owners.iter().flat_map(|owner| owner.to_le_bytes());
        bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
    }
}

impl std::fmt::Debug for SlotMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotMap").field("ranges", &self.ranges().len()).finish_non_exhaustive()
    }
}

/// One of a shard's places on the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct VirtualNode {
    position: u16,
    /// Index of its shard in the order of ids. Compared after the position, so that two nodes at
    /// one place have the same order everywhere.
    index: usize,
}

fn virtual_nodes(shards: &[Weighted]) -> Vec<VirtualNode> {
    let mut ring = Vec::with_capacity(shards.len() * VIRTUAL_NODES as usize);
    for (index, shard) in shards.iter().enumerate() {
        for replica in 0..VIRTUAL_NODES {
            ring.push(VirtualNode { position: position(shard.shard, replica), index });
        }
    }
    ring.sort_unstable();
    ring
}

/// Where a shard's `number`th virtual node stands: the upper 14 bits of its hash.
fn position(shard: u32, number: u32) -> u16 {
    let hash = mix(mix(SEED) ^ (u64::from(shard) << 32 | u64::from(number)));
    (hash >> (u64::BITS - SLOTS.trailing_zeros())) as u16
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit, and
/// a few lines define it for good.
pub(crate) fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `ceil(1.05 * SLOTS * weight / total)` for each shard, in integers, which are the same on every
/// machine.
fn caps(shards: &[Weighted]) -> Vec<u64> {
    let weights = || shards.iter().map(|shard| shard.weight);
    assert!(weights().all(|weight| (1..=WEIGHT_MAX).contains(&weight)), "weights are in range");
    let total: u64 = weights().map(u64::from).sum();
    let cap =
        |weight: u32| (CAP_PERCENT * u64::from(SLOTS) * u64::from(weight)).div_ceil(100 * total);
    weights().map(cap).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Movement from `before` to `before + 1` shards, in parts of the new shard's fair share.
    fn movement(before: u32) -> f64 {
        let moves = SlotMap::even(before).moves(&SlotMap::even(before + 1));
        let moved: u32 = moves.iter().map(SlotMove::slots).sum();
        f64::from(moved) * f64::from(before + 1) / f64::from(SLOTS)
    }

    #[test]
    fn growing_by_a_shard_moves_little_more_than_its_share() {
        for before in 1..17 {
            let ratio = movement(before);
            assert!(ratio <= 1.25, "{before} to {} moves {ratio:.3}", before + 1);
        }
    }

    #[test]
    fn one_shard_owns_everything() {
        let map = SlotMap::even(1);
        assert_eq!(map.ranges(), [SlotRange { first: 0, last: SLOTS - 1, shard: 0 }]);
        assert_eq!(map.count(0), u32::from(SLOTS));
        assert_eq!(map.ranges()[0].slots(), u32::from(SLOTS));
    }

    /// Every node has to compute these; a change here would move almost every slot of every
    /// cluster.
    #[test]
    fn the_map_never_changes() {
        let golden: Vec<(u32, u64, usize)> = [1, 2, 3, 4, 9, 17]
            .into_iter()
            .map(|count| {
                (count, SlotMap::even(count).checksum(), SlotMap::even(count).ranges().len())
            })
            .collect();
        assert_eq!(golden, GOLDEN);
        let weighted = [Weighted { shard: 7, weight: 1 }, Weighted { shard: 3, weight: 5 }];
        assert_eq!(SlotMap::new(&weighted).checksum(), GOLDEN_WEIGHTED);
    }

    /// Shards, checksum, ranges.
    const GOLDEN: [(u32, u64, usize); 6] = [
        (1, 16934947671703429925, 1),
        (2, 11168869545559937701, 73),
        (3, 13652178623285438743, 136),
        (4, 16754117945169972692, 201),
        (9, 8730642663051914577, 497),
        (17, 14668266284449704256, 991),
    ];
    const GOLDEN_WEIGHTED: u64 = 10142311047470771941;

    fn shards() -> impl Strategy<Value = Vec<Weighted>> {
        let weight = prop_oneof![Just(1), 1..100u32, 1..=WEIGHT_MAX];
        prop::collection::btree_map(0..2000u32, weight, 1..40).prop_map(|shards: BTreeMap<_, _>| {
            shards.into_iter().map(|(shard, weight)| Weighted { shard, weight }).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_shard_is_above_its_cap(shards in shards()) {
            let map = SlotMap::new(&shards);
            let total: f64 = shards.iter().map(|s| f64::from(s.weight)).sum();
            let mut owned = 0;
            for shard in &shards {
                let count = map.count(shard.shard);
                let fair = f64::from(SLOTS) * f64::from(shard.weight) / total;
                prop_assert!(f64::from(count) < 1.05 * fair + 1.0, "{shard:?} owns {count}");
                owned += count;
            }
            prop_assert_eq!(owned, u32::from(SLOTS));
        }

        #[test]
        fn ranges_are_few_and_cover_the_ring(shards in shards()) {
            let map = SlotMap::new(&shards);
            let ranges = map.ranges();
            prop_assert!(ranges.len() <= 65 * shards.len(), "{} ranges", ranges.len());
            let mut next = 0;
            for range in &ranges {
                prop_assert_eq!(u32::from(range.first), next);
                prop_assert!((range.first..=range.last).all(|slot| map.owner(slot) == range.shard));
                next += range.slots();
            }
            prop_assert_eq!(next, u32::from(SLOTS));
        }

        #[test]
        fn the_order_of_shards_does_not_matter(shards in shards().prop_shuffle()) {
            let mut sorted = shards.clone();
            sorted.sort_by_key(|shard| shard.shard);
            prop_assert!(SlotMap::new(&shards) == SlotMap::new(&sorted));
        }

        #[test]
        fn moves_lead_from_one_map_to_the_other(before in shards(), after in shards()) {
            let (before, after) = (SlotMap::new(&before), SlotMap::new(&after));
            let mut moved = before.clone();
            for step in before.moves(&after) {
                for slot in step.first..=step.last {
                    prop_assert_eq!(moved.owner(slot), step.from);
                    moved.owners[usize::from(slot)] = step.to;
                }
            }
            prop_assert!(moved == after);
        }
    }
}
