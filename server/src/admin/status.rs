//! What `ringfort admin status` shows, from the nodes' answers.

use cluster::admin::{AdminError, proto};
use serde::Serialize;

use super::survey::{Survey, Surveyed};
use super::table::aligned;

/// The cluster, as printed and as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) cluster_id: String,
    pub(super) epoch: u64,
    pub(super) shards: Vec<ShardReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct ShardReport {
    pub(super) id: u32,
    pub(super) weight: u32,
    /// How many.
    pub(super) slots: u32,
    /// First and last.
    pub(super) ranges: Vec<(u32, u32)>,
    pub(super) leader: Option<u64>,
    pub(super) replicas: Vec<ReplicaReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReplicaReport {
    pub(super) node: u64,
    pub(super) client: String,
    pub(super) peer: String,
    pub(super) http: String,
    /// `ok`, or what is wrong.
    pub(super) health: String,
    /// `None`: it did not answer.
    #[serde(flatten)]
    pub(super) state: Option<ReplicaState>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReplicaState {
    pub(super) role: &'static str,
    pub(super) version: String,
    pub(super) term: u64,
    pub(super) last_log: u64,
    pub(super) committed: u64,
    pub(super) applied: u64,
    pub(super) checkpoint: u64,
    pub(super) purged: u64,
    /// Entries that the leader has committed and this replica has not applied; `None` while
    /// nobody leads.
    pub(super) lag: Option<u64>,
    pub(super) keys: u64,
    pub(super) memory_bytes: u64,
    pub(super) clients: u64,
    pub(super) uptime_ms: u64,
    pub(super) ready: bool,
}

/// Puts the answers together.
pub(super) fn report(survey: &Survey) -> Report {
    let topology = &survey.topology;
    let shards = topology.shards.iter().map(|shard| {
        let leader = survey.leader(shard.id);
        let nodes = survey.nodes.iter().filter(|node| node.shard == shard.id);
        let replicas = shard
            .replicas
            .iter()
            .zip(nodes)
            .map(|(replica, node)| replica_report(replica, node, leader, topology));
        ShardReport {
            id: shard.id,
            weight: shard.weight,
            slots: shard.slots.iter().map(|range| range.last - range.first + 1).sum(),
            ranges: shard.slots.iter().map(|range| (range.first, range.last)).collect(),
            leader: leader.map(|leader| leader.node_id),
            replicas: replicas.collect(),
        }
    });
    Report {
        cluster_id: topology.cluster_id.clone(),
        epoch: topology.epoch,
        shards: shards.collect(),
    }
}

fn replica_report(
    replica: &proto::Replica,
    node: &Surveyed,
    leader: Option<&Surveyed>,
    topology: &proto::Topology,
) -> ReplicaReport {
    let committed = leader.and_then(Surveyed::group).map(|group| group.committed);
    let state = node.answer.as_ref().ok().map(|answer| {
        let group = answer.group.clone().unwrap_or_default();
        let leads = leader.is_some_and(|leader| leader.node_id == node.node_id);
        ReplicaState {
            role: if leads { "leader" } else { "follower" },
            version: answer.version.clone(),
            term: group.term,
            last_log: group.last_log,
            committed: group.committed,
            applied: group.applied,
            checkpoint: group.checkpoint,
            purged: group.purged,
            lag: committed.map(|committed| committed.saturating_sub(group.applied)),
            keys: answer.keys,
            memory_bytes: answer.memory_bytes,
            clients: answer.clients,
            uptime_ms: answer.uptime_ms,
            ready: answer.ready,
        }
    });
    ReplicaReport {
        node: replica.node_id,
        client: replica.client.clone(),
        peer: replica.peer.clone(),
        http: replica.http.clone(),
        health: health(node, topology),
        state,
    }
}

fn health(node: &Surveyed, topology: &proto::Topology) -> String {
    let answer = match &node.answer {
        Ok(answer) => answer,
        // The line has the node's address already.
        Err(AdminError::Unreachable { why, .. }) => return format!("unreachable: {why}"),
        Err(AdminError::Refused { why, .. }) => return why.clone(),
    };
    let same_map = |other: &proto::Topology| {
        other.cluster_id == topology.cluster_id && other.slots_checksum == topology.slots_checksum
    };
    if !answer.topology.as_ref().is_some_and(same_map) {
        return "has another map of the slots".into();
    }
    if answer.ready { "ok".into() } else { answer.not_ready.clone() }
}

/// The report as text.
pub(super) fn render(report: &Report) -> String {
    let headings =
        ["shard", "slots", "ranges", "node", "clients at", "role", "term", "applied", "lag"];
    let mut headings: Vec<String> = headings.map(String::from).to_vec();
    headings.extend(["keys", "health"].map(String::from));
    let mut rows = vec![headings];
    for shard in &report.shards {
        for (index, replica) in shard.replicas.iter().enumerate() {
            rows.push(row(shard, replica, index == 0));
        }
    }
    let shards = report.shards.len();
    let led = report.shards.iter().filter(|shard| shard.leader.is_some()).count();
    format!(
        "cluster {}, epoch {}, {led} of {shards} shards have a leader\n\n{}",
        report.cluster_id,
        report.epoch,
        aligned(&rows)
    )
}

/// One replica's line; the shard's own facts stand only in its first.
fn row(shard: &ShardReport, replica: &ReplicaReport, first: bool) -> Vec<String> {
    let mut row = match first {
        true => [u64::from(shard.id), u64::from(shard.slots), shard.ranges.len() as u64]
            .map(|number| number.to_string())
            .to_vec(),
        false => vec![String::new(); 3],
    };
    row.extend([replica.node.to_string(), replica.client.clone()]);
    match &replica.state {
        Some(state) => {
            row.push(state.role.into());
            row.extend([state.term, state.applied].map(|number| number.to_string()));
            row.push(state.lag.map_or("-".into(), |lag| lag.to_string()));
            row.push(state.keys.to_string());
        }
        None => row.extend(vec!["-".to_owned(); 5]),
    }
    row.push(replica.health.clone());
    row
}

#[cfg(test)]
mod tests {
    use cluster::admin::proto::{Group, StatusResponse};

    use super::*;

    fn topology() -> proto::Topology {
        let replica = |node_id: u64| proto::Replica {
            node_id,
            client: format!("127.0.0.1:{}", 6999 + node_id),
            peer: format!("127.0.0.1:{}", 16_999 + node_id),
            http: format!("127.0.0.1:{}", 26_999 + node_id),
        };
        let shard = |id: u32, first, last, nodes: [u64; 3]| proto::Shard {
            id,
            weight: 1,
            replicas: nodes.map(replica).to_vec(),
            slots: vec![proto::SlotRange { first, last }],
        };
        proto::Topology {
            cluster_id: "c1".into(),
            epoch: 1,
            shards: vec![shard(0, 0, 8191, [1, 2, 3]), shard(1, 8192, 16_383, [4, 5, 6])],
            slots_checksum: 77,
        }
    }

    fn node(shard: u32, node_id: u64, leader: Option<u64>, applied: u64) -> Surveyed {
        let group = Group { term: 3, leader, committed: 1000, applied, ..Group::default() };
        let answer = StatusResponse {
            version: "0.1.0".into(),
            node_id,
            shard,
            topology: Some(topology()),
            group: Some(group),
            keys: 40,
            ready: leader.is_some(),
            not_ready: leader.map_or("knows no leader".into(), |_| String::new()),
            ..StatusResponse::default()
        };
        let peer = format!("127.0.0.1:{}", 16_999 + node_id).parse().unwrap();
        Surveyed { shard, node_id, peer, answer: Ok(answer) }
    }

    /// Shard 0 has a leader, a lagging follower and a dead one; shard 1 has lost its majority, and
    /// its last node was started with another configuration.
    fn troubled() -> Survey {
        let dead = |shard, node_id| {
            let mut dead = node(shard, node_id, None, 0);
            let why = "connection refused".into();
            dead.answer = Err(AdminError::Unreachable { address: dead.peer.clone(), why });
            dead
        };
        let mut other = node(1, 6, None, 7);
        let map = other.answer.as_mut().unwrap().topology.as_mut().unwrap();
        map.slots_checksum = 78;
        let nodes = vec![
            node(0, 1, Some(2), 880),
            node(0, 2, Some(2), 1000),
            dead(0, 3),
            dead(1, 4),
            node(1, 5, None, 7),
            other,
        ];
        Survey { topology: topology(), nodes }
    }

    #[test]
    fn status_reads_as_reviewed() {
        insta::assert_snapshot!("status_text", render(&report(&troubled())));
    }

    #[test]
    fn status_json_reads_as_reviewed() {
        let json = serde_json::to_string_pretty(&report(&troubled()).shards[0]).unwrap();
        insta::assert_snapshot!("status_json", json);
    }

    #[test]
    fn of_two_that_say_they_lead_the_later_term_counts() {
        let mut survey = troubled();
        survey.nodes[0] = node(0, 1, Some(1), 880);
        survey.nodes[0].answer.as_mut().unwrap().group.as_mut().unwrap().term = 2;
        assert_eq!(survey.leader(0).unwrap().node_id, 2);
        assert!(survey.leader(1).is_none());
    }
}
