//! Who is in the cluster: shards, their replicas with addresses, and the slots' owners.
//!
//! Invariants: shards are in the order of their ids, a node is in one shard, every slot has an
//! owner. A topology does not change; a change is a new one with a higher epoch.
//!
//! Leaves out: who leads a shard, which only its group knows. What stands here tells clients where
//! to go; whether a node may serve a slot is decided by its group's own state.

use std::fmt;

use crate::Address;
use crate::ring::{SlotMap, SlotRange, Weighted};

/// The cluster as one node sees it.
#[derive(Clone, Debug)]
pub struct Topology {
    cluster_id: String,
    epoch: u64,
    shards: Vec<Shard>,
    slots: SlotMap,
    /// By index in `shards`.
    ranges: Vec<Vec<SlotRange>>,
}

/// The data and the group that owns a set of slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number; also its Raft group's.
    pub id: u32,
    /// Its share of the slots, relative to the others'.
    pub weight: u32,
    /// The nodes that hold it.
    pub replicas: Vec<Replica>,
}

/// A node, as others reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replica {
    /// Its id, unique in the cluster.
    pub node_id: u64,
    /// Where clients connect.
    pub client: Address,
    /// Where peers connect.
    pub peer: Address,
    /// Where HTTP is served.
    pub http: Address,
}

/// Shards that are no topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTopology {
    /// There is none.
    #[error("there is no shard")]
    Empty,
    /// A shard nobody holds.
    #[error("shard {0} has no replica")]
    NoReplica(u32),
    /// A weight out of range.
    #[error("shard {0} has a weight out of range")]
    Weight(u32),
    /// A shard's number is there twice.
    #[error("shard {0} is there twice")]
    ShardTwice(u32),
    /// A node's id is there twice.
    #[error("node {0} is there twice")]
    NodeTwice(u64),
}

impl Topology {
    /// The topology of these shards, in any order.
    pub fn new(
        cluster_id: impl Into<String>,
        epoch: u64,
        mut shards: Vec<Shard>,
    ) -> Result<Topology, BadTopology> {
        shards.sort_by_key(|shard| shard.id);
        check(&shards)?;
        let weighted: Vec<_> =
            shards.iter().map(|shard| Weighted { shard: shard.id, weight: shard.weight }).collect();
        let slots = SlotMap::new(&weighted);
        let mut ranges = vec![Vec::new(); shards.len()];
        for range in slots.ranges() {
            let owner = shards.binary_search_by_key(&range.shard, |shard| shard.id);
            ranges[owner.expect("the map was made of these shards")].push(range);
        }
        Ok(Topology { cluster_id: cluster_id.into(), epoch, shards, slots, ranges })
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Counts the topology's changes.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// All shards, in the order of their ids.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The shard of that number.
    pub fn shard(&self, id: u32) -> Option<&Shard> {
        self.index(id).map(|index| &self.shards[index])
    }

    /// All nodes with their shards, in the order of shards.
    pub fn replicas(&self) -> impl Iterator<Item = (&Shard, &Replica)> {
        self.shards.iter().flat_map(|shard| shard.replicas.iter().map(move |node| (shard, node)))
    }

    /// The node of that id, with its shard.
    pub fn replica(&self, node_id: u64) -> Option<(&Shard, &Replica)> {
        self.replicas().find(|(_, replica)| replica.node_id == node_id)
    }

    /// The node of that 40-digit name, with its shard.
    pub fn replica_named(&self, name: &str) -> Option<(&Shard, &Replica)> {
        self.replicas().find(|(_, replica)| self.node_name(replica.node_id) == name)
    }

    /// The slots' owners.
    pub fn slots(&self) -> &SlotMap {
        &self.slots
    }

    /// The number of the shard that owns `slot`.
    pub fn owner(&self, slot: u16) -> u32 {
        self.slots.owner(slot)
    }

    /// The slots of a shard, in order; none for a shard that is not there.
    pub fn ranges(&self, shard: u32) -> &[SlotRange] {
        self.index(shard).map_or(&[], |index| &self.ranges[index])
    }

    /// Where a client should go for a shard: to its leader, or, while none is known, to its first
    /// replica, which learns of a new leader before others do. `None`: there is no such shard.
    pub fn client_address(&self, shard: u32, leader: Option<u64>) -> Option<&Address> {
        let replicas = &self.shard(shard)?.replicas;
        let leads = replicas.iter().find(|replica| Some(replica.node_id) == leader);
        leads.or(replicas.first()).map(|replica| &replica.client)
    }

    /// A node's name in CLUSTER NODES: 40 hexadecimal digits, the same on every node.
    pub fn node_name(&self, node_id: u64) -> String {
        name(&[self.cluster_id.as_bytes(), b"node", &node_id.to_le_bytes()])
    }

    /// A shard's name in CLUSTER SHARDS and INFO's `master_replid`: 40 hexadecimal digits.
    pub fn shard_name(&self, shard: u32) -> String {
        name(&[self.cluster_id.as_bytes(), b"shard", &shard.to_le_bytes()])
    }

    fn index(&self, shard: u32) -> Option<usize> {
        self.shards.binary_search_by_key(&shard, |shard| shard.id).ok()
    }
}

impl fmt::Display for SlotRange {
    /// As CLUSTER NODES writes it: `0-5460`, and `7` for a single slot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// Ranges with spaces between them, as CLUSTER NODES ends its lines.
pub fn join_ranges(ranges: &[SlotRange]) -> String {
    ranges.iter().map(SlotRange::to_string).collect::<Vec<_>>().join(" ")
}

fn check(shards: &[Shard]) -> Result<(), BadTopology> {
    if shards.is_empty() {
        return Err(BadTopology::Empty);
    }
    if let Some(two) = shards.windows(2).find(|two| two[0].id == two[1].id) {
        return Err(BadTopology::ShardTwice(two[0].id));
    }
    let mut nodes = std::collections::BTreeSet::new();
    for shard in shards {
        if shard.replicas.is_empty() {
            return Err(BadTopology::NoReplica(shard.id));
        }
        if !(1..=crate::ring::WEIGHT_MAX).contains(&shard.weight) {
            return Err(BadTopology::Weight(shard.id));
        }
        if let Some(twice) = shard.replicas.iter().find(|replica| !nodes.insert(replica.node_id)) {
            return Err(BadTopology::NodeTwice(twice.node_id));
        }
    }
    Ok(())
}

/// 160 bits of the parts as 40 hexadecimal digits. Names only have to differ, not to resist
/// anyone, so three 64-bit FNV-1a hashes from different starts, each mixed at the end, are enough.
fn name(parts: &[&[u8]]) -> String {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let hash = |start: u64| {
        let mut hash = crate::ring::mix(start);
        for part in parts {
            // The length first, so that parts cannot run into each other.
            for byte in (part.len() as u64).to_le_bytes().iter().chain(*part) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
            }
        }
        crate::ring::mix(hash)
    };
    let mut digits = format!("{:016x}{:016x}{:016x}", hash(1), hash(2), hash(3));
    digits.truncate(40);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(node_id: u64) -> Replica {
        let address = |port: u64| format!("10.0.0.{node_id}:{port}").parse().unwrap();
        Replica { node_id, client: address(7000), peer: address(17000), http: address(27000) }
    }

    fn shard(id: u32, nodes: &[u64]) -> Shard {
        Shard { id, weight: 1, replicas: nodes.iter().map(|node| replica(*node)).collect() }
    }

    fn three() -> Topology {
        let shards = vec![shard(2, &[7, 8, 9]), shard(0, &[1, 2, 3]), shard(1, &[4, 5, 6])];
        Topology::new("c1", 5, shards).unwrap()
    }

    #[test]
    fn everything_is_found() {
        let topology = three();
        assert_eq!((topology.cluster_id(), topology.epoch()), ("c1", 5));
        assert_eq!(topology.shards().iter().map(|s| s.id).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(topology.shard(1).unwrap().replicas[0].node_id, 4);
        assert!(topology.shard(3).is_none() && topology.replica(10).is_none());
        let (shard, replica) = topology.replica(8).unwrap();
        assert_eq!((shard.id, replica.peer.to_string().as_str()), (2, "10.0.0.8:17000"));
        assert_eq!(topology.slots(), &SlotMap::even(3));
        for range in [0, 1, 2].iter().flat_map(|shard| topology.ranges(*shard)) {
            assert_eq!(topology.owner(range.first), range.shard);
        }
        let slots: u32 = [0, 1, 2, 9]
            .iter()
            .flat_map(|shard| topology.ranges(*shard))
            .map(SlotRange::slots)
            .sum();
        assert_eq!(slots, 16_384);
    }

    #[test]
    fn clients_are_sent_to_the_leader_if_it_is_known() {
        let topology = three();
        let address =
            |shard, leader| topology.client_address(shard, leader).map(Address::to_string);
        assert_eq!(address(1, Some(5)).unwrap(), "10.0.0.5:7000");
        assert_eq!(address(1, None).unwrap(), "10.0.0.4:7000");
        assert_eq!(address(1, Some(1)).unwrap(), "10.0.0.4:7000");
        assert_eq!(address(9, Some(1)), None);
    }

    #[test]
    fn names_have_40_digits_differ_and_last() {
        let topology = three();
        assert_eq!(topology.node_name(1), NODE_1_OF_C1);
        let mut names: Vec<String> = (0..2000).map(|id| topology.node_name(id)).collect();
        names.extend((0..2000).map(|id| topology.shard_name(id)));
        let other = Topology::new("c2", 1, vec![shard(0, &[1])]).unwrap();
        names.push(other.node_name(1));
        let plain = |name: &String| name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(names.iter().all(plain));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(topology.replica_named(&topology.node_name(8)).unwrap().1.node_id, 8);
        assert!(topology.replica_named(&other.node_name(1)).is_none());
    }

    /// Clients and operators keep names; they must survive an upgrade.
    const NODE_1_OF_C1: &str = "6d91338ca31de0da522805aaad440ad2e448ef27";

    #[test]
    fn ranges_are_written_as_cluster_nodes_does() {
        let ranges = [
            SlotRange { first: 0, last: 5460, shard: 0 },
            SlotRange { first: 7000, last: 7000, shard: 0 },
        ];
        assert_eq!(join_ranges(&ranges), "0-5460 7000");
        assert_eq!(join_ranges(&[]), "");
    }

    #[test]
    fn what_is_no_topology_is_refused() {
        let wrong = |shards| Topology::new("c", 1, shards).unwrap_err();
        assert_eq!(wrong(vec![]), BadTopology::Empty);
        assert_eq!(wrong(vec![shard(1, &[])]), BadTopology::NoReplica(1));
        assert_eq!(wrong(vec![shard(1, &[1]), shard(1, &[2])]), BadTopology::ShardTwice(1));
        assert_eq!(wrong(vec![shard(1, &[1]), shard(2, &[1])]), BadTopology::NodeTwice(1));
        let heavy = Shard { weight: u32::MAX, ..shard(4, &[1]) };
        assert_eq!(wrong(vec![heavy]), BadTopology::Weight(4));
    }
}
