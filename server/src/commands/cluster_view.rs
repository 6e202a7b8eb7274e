//! The cluster as clients see it: CLUSTER NODES, SLOTS, SHARDS, REPLICAS, LINKS, INFO.
//!
//! A [`View`] is the topology with what this node knows of leaders; the rest are pure functions
//! of it. A shard's leader is shown as its master. This node knows its own group's leader exactly
//! and the others' by hearsay; where nobody was heard of, the first replica stands in, and
//! whoever asks it is sent on.

use std::fmt::Write as _;
use std::net::IpAddr;

use cluster::Address;
use cluster::ring::{SLOTS, SlotRange};
use cluster::topology::{Shard, Topology, join_ranges};
use resp::Reply;

use crate::node::Node;

/// The cluster at one moment.
pub(super) struct View<'a> {
    epoch: u64,
    /// In the topology's order.
    shards: Vec<ShardView<'a>>,
}

/// One shard.
pub(super) struct ShardView<'a> {
    ranges: &'a [SlotRange],
    /// Whether a leader is known.
    led: bool,
    /// Its nodes, the master first; never empty.
    nodes: Vec<NodeView<'a>>,
}

/// One node.
struct NodeView<'a> {
    /// 40 hexadecimal digits.
    name: String,
    client: &'a Address,
    peer_port: u16,
    /// It is the one that answers.
    myself: bool,
    /// How far its log is known to reach; 0 if we cannot know.
    offset: u64,
}

impl<'a> View<'a> {
    /// What `node` knows now.
    pub(super) fn of(node: &'a Node) -> View<'a> {
        let status = node.group.status();
        let offset = |id: u64| {
            if id == node.id {
                return status.applied;
            }
            let matched = status.matched.iter().find(|(follower, _)| *follower == id);
            matched.and_then(|(_, index)| *index).unwrap_or(0)
        };
        View::new(&node.topology, node.id, &|shard| node.leader_of(shard), &offset)
    }

    fn new(
        topology: &'a Topology,
        me: u64,
        leader_of: &dyn Fn(u32) -> Option<u64>,
        offset_of: &dyn Fn(u64) -> u64,
    ) -> View<'a> {
        let shard_view = |shard: &'a Shard| {
            let leader = leader_of(shard.id);
            let mut replicas: Vec<_> = shard.replicas.iter().collect();
            // Stable, so that replicas keep their order behind the leader.
            replicas.sort_by_key(|replica| Some(replica.node_id) != leader);
            let nodes = replicas.into_iter().map(|replica| NodeView {
                name: topology.node_name(replica.node_id),
                client: &replica.client,
                peer_port: replica.peer.port,
                myself: replica.node_id == me,
                offset: offset_of(replica.node_id),
            });
            ShardView {
                ranges: topology.ranges(shard.id),
                led: leader.is_some(),
                nodes: nodes.collect(),
            }
        };
        View { epoch: topology.epoch(), shards: topology.shards().iter().map(shard_view).collect() }
    }

    /// CLUSTER NODES
    pub(super) fn nodes(&self) -> String {
        let mut text = String::new();
        for shard in &self.shards {
            for index in 0..shard.nodes.len() {
                text.push_str(&self.node_line(shard, index));
                text.push('\n');
            }
        }
        text
    }

    /// CLUSTER REPLICAS; an error if there is no such master.
    pub(super) fn replicas(&self, name: &[u8]) -> Result<Reply<'static>, Reply<'static>> {
        let (shard, index) = self.find(name)?;
        if index > 0 {
            return Err(Reply::error("ERR The specified node is not a master"));
        }
        let line = |index| Reply::Bulk(self.node_line(shard, index).into_bytes().into());
        Ok(Reply::Array((1..shard.nodes.len()).map(line).collect()))
    }

    /// The node of that name: its shard and its place there.
    pub(super) fn find(&self, name: &[u8]) -> Result<(&ShardView<'a>, usize), Reply<'static>> {
        let places = self.shards.iter().flat_map(|shard| {
            shard.nodes.iter().enumerate().map(move |(index, node)| (shard, index, node))
        });
        let mut named = places.filter(|(_, _, node)| node.name.as_bytes() == name);
        let (shard, index, _) = named.next().ok_or_else(|| {
            let name = super::errors::word(name);
            Reply::Error(format!("ERR Unknown node {name}").into())
        })?;
        Ok((shard, index))
    }

    /// CLUSTER SLOTS
    pub(super) fn slots(&self) -> Reply<'static> {
        let mut ranges: Vec<_> = self
            .shards
            .iter()
            .flat_map(|shard| shard.ranges.iter().map(move |range| (range, shard)))
            .collect();
        ranges.sort_by_key(|(range, _)| range.first);
        let entry = |(range, shard): (&SlotRange, &ShardView<'_>)| {
            let mut entry =
                vec![Reply::Integer(range.first.into()), Reply::Integer(range.last.into())];
            entry.extend(shard.nodes.iter().map(|node| {
                Reply::Array(vec![
                    text(&node.client.host),
                    Reply::Integer(node.client.port.into()),
                    text(&node.name),
                    Reply::Map(Vec::new()),
                ])
            }));
            Reply::Array(entry)
        };
        Reply::Array(ranges.into_iter().map(entry).collect())
    }

    /// CLUSTER SHARDS
    pub(super) fn shards(&self) -> Reply<'static> {
        let shard_map = |shard: &ShardView<'_>| {
            let slots = shard.ranges.iter().flat_map(|range| [range.first, range.last]);
            let slots = slots.map(|slot| Reply::Integer(slot.into())).collect();
            let nodes = shard.nodes.iter().enumerate();
            let nodes = nodes.map(|(index, node)| shard_node(node, index == 0)).collect();
            Reply::Map(vec![
                (text("slots"), Reply::Array(slots)),
                (text("nodes"), Reply::Array(nodes)),
            ])
        };
        Reply::Array(self.shards.iter().map(shard_map).collect())
    }

    /// CLUSTER LINKS: this node's streams with the other members of its group, which exist as long
    /// as the process, one in each direction.
    pub(super) fn links(&self, since_ms: u64) -> Reply<'static> {
        let own = self.shards.iter().find(|shard| shard.nodes.iter().any(|node| node.myself));
        let peers = own.iter().flat_map(|shard| &shard.nodes).filter(|node| !node.myself);
        let since = i64::try_from(since_ms).unwrap_or(i64::MAX);
        let link = |node: &NodeView<'_>, direction: &str| {
            Reply::Map(vec![
                (text("direction"), text(direction)),
                (text("node"), text(&node.name)),
                (text("create-time"), Reply::Integer(since)),
                (text("events"), text("rw")),
                (text("send-buffer-allocated"), Reply::Integer(0)),
                (text("send-buffer-used"), Reply::Integer(0)),
            ])
        };
        Reply::Array(peers.flat_map(|node| [link(node, "to"), link(node, "from")]).collect())
    }

    /// CLUSTER INFO. `full_coverage`: one shard without a leader makes the whole cluster fail, not
    /// only this node's own.
    pub(super) fn info(&self, full_coverage: bool) -> String {
        let slots = |shard: &ShardView<'_>| shard.ranges.iter().map(SlotRange::slots).sum::<u32>();
        let assigned: u32 = self.shards.iter().map(slots).sum();
        let failed: u32 = self.shards.iter().filter(|shard| !shard.led).map(slots).sum();
        let own_led = self
            .shards
            .iter()
            .all(|shard| shard.led || !shard.nodes.iter().any(|node| node.myself));
        let covered = assigned == u32::from(SLOTS) && failed == 0;
        let ok = own_led && (covered || !full_coverage);
        let nodes: usize = self.shards.iter().map(|shard| shard.nodes.len()).sum();
        let fields = [
            ("cluster_state", if ok { "ok".to_owned() } else { "fail".to_owned() }),
            ("cluster_slots_assigned", assigned.to_string()),
            ("cluster_slots_ok", (assigned - failed).to_string()),
            ("cluster_slots_pfail", "0".to_owned()),
            ("cluster_slots_fail", failed.to_string()),
            ("cluster_known_nodes", nodes.to_string()),
            ("cluster_size", self.shards.len().to_string()),
            ("cluster_current_epoch", self.epoch.to_string()),
            ("cluster_my_epoch", self.epoch.to_string()),
            // There is no gossip to count.
            ("cluster_stats_messages_sent", "0".to_owned()),
            ("cluster_stats_messages_received", "0".to_owned()),
            ("total_cluster_links_buffer_limit_exceeded", "0".to_owned()),
        ];
        fields.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect()
    }

    fn node_line(&self, shard: &ShardView<'_>, index: usize) -> String {
        let node = &shard.nodes[index];
        let Address { host, port } = node.client;
        let mut line = format!("{} {host}:{port}@{}", node.name, node.peer_port);
        if host.parse::<IpAddr>().is_err() {
            // A name stands in the place of the address, and where Redis announces names.
            line.push_str(&format!(",{host}"));
        }
        line.push_str(if node.myself { " myself," } else { " " });
        let master = if index == 0 { "master -" } else { "slave " };
        line.push_str(master);
        if index > 0 {
            line.push_str(&shard.nodes[0].name);
        }
        // No pings: peers are known by their group's heartbeats.
        // Writing to a String cannot fail.
        let _ = write!(line, " 0 0 {} connected", self.epoch);
        if index == 0 && !shard.ranges.is_empty() {
            let _ = write!(line, " {}", join_ranges(shard.ranges));
        }
        line
    }
}

fn shard_node(node: &NodeView<'_>, master: bool) -> Reply<'static> {
    let host = &node.client.host;
    let offset = i64::try_from(node.offset).expect("a log never has 2^63 entries");
    let mut pairs = vec![
        (text("id"), text(&node.name)),
        (text("port"), Reply::Integer(node.client.port.into())),
        (text("ip"), text(host)),
        (text("endpoint"), text(host)),
    ];
    if host.parse::<IpAddr>().is_err() {
        pairs.push((text("hostname"), text(host)));
    }
    pairs.extend([
        (text("role"), text(if master { "master" } else { "replica" })),
        (text("replication-offset"), Reply::Integer(offset)),
        (text("health"), text("online")),
    ]);
    Reply::Map(pairs)
}

fn text(text: &str) -> Reply<'static> {
    Reply::Bulk(text.as_bytes().to_vec().into())
}

#[cfg(test)]
mod tests {
    use cluster::topology::Replica;

    use super::*;

    /// Two shards of two nodes; node 2 leads shard 0, and nobody is known to lead shard 1.
    fn topology() -> Topology {
        let replica = |node_id: u64, host: &str| {
            let address =
                |base: u64| Address { host: host.to_owned(), port: (base + node_id) as u16 };
            let (client, peer, http) = (address(7000), address(17_000), address(27_000));
            Replica { node_id, client, peer, http }
        };
        let shard = |id, replicas| Shard { id, weight: 1, replicas };
        let shards = vec![
            shard(0, vec![replica(1, "127.0.0.1"), replica(2, "127.0.0.1")]),
            shard(1, vec![replica(3, "kv-1-0.kv"), replica(4, "::1")]),
        ];
        Topology::new("test", 3, shards).unwrap()
    }

    fn view(topology: &Topology) -> View<'_> {
        View::new(topology, 1, &|shard| (shard == 0).then_some(2), &|node| node * 10)
    }

    #[test]
    fn nodes_are_lines_with_the_leader_as_master() {
        let topology = topology();
        let text = view(&topology).nodes();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
        let name = |node| topology.node_name(node);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0][..3], [&name(2), "127.0.0.1:7002@17002", "master"]);
        assert_eq!(lines[0][3..8], ["-", "0", "0", "3", "connected"]);
        assert_eq!(lines[0][8..].join(" "), join_ranges(topology.ranges(0)));
        assert_eq!(lines[1][..4], [&name(1), "127.0.0.1:7001@17001", "myself,slave", &name(2)]);
        assert_eq!(lines[1].len(), 8);
        assert_eq!(lines[2][..3], [&name(3), "kv-1-0.kv:7003@17003,kv-1-0.kv", "master"]);
        assert_eq!(lines[3][..4], [&name(4), "::1:7004@17004", "slave", &name(3)]);
    }

    #[test]
    fn slots_cover_the_ring_in_order() {
        let topology = topology();
        let Reply::Array(entries) = view(&topology).slots() else { panic!("an array") };
        let mut next = 0;
        for entry in entries {
            let Reply::Array(entry) = entry else { panic!("an array") };
            let [Reply::Integer(first), Reply::Integer(last)] = entry[..2] else { panic!("ends") };
            assert_eq!(first, next);
            next = last + 1;
            let master = if topology.owner(first as u16) == 0 { 2 } else { 3 };
            let (_, replica) = topology.replica(master).unwrap();
            let node = Reply::Array(vec![
                text(&replica.client.host),
                Reply::Integer(replica.client.port.into()),
                text(&topology.node_name(master)),
                Reply::Map(vec![]),
            ]);
            assert_eq!(entry[2], node);
            assert_eq!(entry.len(), 4);
        }
        assert_eq!(next, 16_384);
    }

    #[test]
    fn shards_are_maps_of_slots_and_nodes() {
        let topology = topology();
        let Reply::Array(shards) = view(&topology).shards() else { panic!("an array") };
        let Reply::Map(second) = &shards[1] else { panic!("a map") };
        let Reply::Array(slots) = &second[0].1 else { panic!("an array") };
        assert_eq!(slots.len(), 2 * topology.ranges(1).len());
        let Reply::Array(nodes) = &second[1].1 else { panic!("an array") };
        let expected = Reply::Map(vec![
            (text("id"), text(&topology.node_name(3))),
            (text("port"), Reply::Integer(7003)),
            (text("ip"), text("kv-1-0.kv")),
            (text("endpoint"), text("kv-1-0.kv")),
            (text("hostname"), text("kv-1-0.kv")),
            (text("role"), text("master")),
            (text("replication-offset"), Reply::Integer(30)),
            (text("health"), text("online")),
        ]);
        assert_eq!(nodes[0], expected);
    }

    #[test]
    fn a_shard_without_a_leader_fails_the_cluster_if_full_coverage_is_asked_for() {
        let topology = topology();
        let field = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.strip_prefix(':')).unwrap().to_owned()
        };
        let strict = view(&topology).info(true);
        assert_eq!(field(&strict, "cluster_state"), "fail");
        assert_eq!(field(&strict, "cluster_slots_assigned"), "16384");
        assert_eq!(field(&strict, "cluster_known_nodes"), "4");
        assert_eq!(field(&strict, "cluster_size"), "2");
        assert_eq!(field(&view(&topology).info(false), "cluster_state"), "ok");
        let led = View::new(&topology, 1, &|_| Some(1), &|_| 0).info(true);
        assert_eq!(field(&led, "cluster_state"), "ok");
        let own_lost = View::new(&topology, 1, &|shard| (shard == 1).then_some(3), &|_| 0);
        assert_eq!(field(&own_lost.info(false), "cluster_state"), "fail");
    }

    #[test]
    fn replicas_are_asked_of_masters_only() {
        let topology = topology();
        let view = view(&topology);
        let master = topology.node_name(2);
        let Ok(Reply::Array(lines)) = view.replicas(master.as_bytes()) else { panic!("lines") };
        assert_eq!(lines.len(), 1);
        let replica = topology.node_name(1);
        assert_eq!(
            view.replicas(replica.as_bytes()),
            Err(Reply::error("ERR The specified node is not a master"))
        );
        assert_eq!(view.replicas(b"foo"), Err(Reply::error("ERR Unknown node foo")));
    }

    #[test]
    fn links_are_with_the_own_groups_members() {
        let topology = topology();
        let Reply::Array(links) = view(&topology).links(5) else { panic!("an array") };
        assert_eq!(links.len(), 2);
        let Reply::Map(to) = &links[0] else { panic!("a map") };
        assert_eq!(to[0], (text("direction"), text("to")));
        assert_eq!(to[1], (text("node"), text(&topology.node_name(2))));
    }
}
