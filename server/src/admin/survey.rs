//! Every node of a cluster, asked at once for its status.

use cluster::Address;
use cluster::admin::proto::{self, StatusResponse};
use cluster::admin::{Admin, AdminError};
use futures::StreamExt;

/// Nodes asked at the same time.
const ASKED_MAX: usize = 64;

/// What the nodes said.
pub(super) struct Survey {
    /// As the first node knows it.
    pub(super) topology: proto::Topology,
    /// In the topology's order.
    pub(super) nodes: Vec<Surveyed>,
}

/// A node, and what it said.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    pub(super) shard: u32,
    pub(super) node_id: u64,
    pub(super) peer: Address,
    pub(super) answer: Result<StatusResponse, AdminError>,
}

impl Survey {
    /// Asks the node at this peer address for the topology, then everyone in it.
    pub(super) async fn from(first: &Address) -> Result<Survey, AdminError> {
        let answer = Admin::connect(first).await?.status().await?;
        let garbled =
            |why: &str| AdminError::Refused { address: first.clone(), why: why.to_owned() };
        let topology = answer.topology.ok_or_else(|| garbled("the answer has no topology"))?;
        let mut places = Vec::new();
        for shard in &topology.shards {
            for replica in &shard.replicas {
                let peer: Address =
                    replica.peer.parse().map_err(|_| garbled("the topology has no addresses"))?;
                places.push((shard.id, replica.node_id, peer));
            }
        }
        let asked = futures::stream::iter(places).map(|(shard, node_id, peer)| async move {
            let answer = async { Admin::connect(&peer).await?.status().await }.await;
            let answer = answer.and_then(|answer| {
                if answer.node_id == node_id {
                    return Ok(answer);
                }
                let why = format!("node {} answers here", answer.node_id);
                Err(AdminError::Refused { address: peer.clone(), why })
            });
            Surveyed { shard, node_id, peer, answer }
        });
        let nodes = asked.buffered(ASKED_MAX).collect().await;
        Ok(Survey { topology, nodes })
    }

    /// All nodes.
    pub(super) fn replicas(&self) -> &[Surveyed] {
        &self.nodes
    }

    /// A shard's nodes; `None`: there is no such shard.
    pub(super) fn shard(&self, id: u32) -> Option<Vec<&Surveyed>> {
        let nodes: Vec<_> = self.nodes.iter().filter(|node| node.shard == id).collect();
        (!nodes.is_empty()).then_some(nodes)
    }

    /// The node that says that it leads the shard; of several, which a partition can leave
    /// behind, the one with the highest term.
    pub(super) fn leader(&self, shard: u32) -> Option<&Surveyed> {
        let leading = self.nodes.iter().filter(|node| node.shard == shard && node.leads());
        leading.max_by_key(|node| node.group().map(|group| group.term))
    }
}

impl Surveyed {
    /// Its group, if it answered.
    pub(super) fn group(&self) -> Option<&proto::Group> {
        self.answer.as_ref().ok()?.group.as_ref()
    }

    /// Whether it says that it leads.
    pub(super) fn leads(&self) -> bool {
        self.group().is_some_and(|group| group.leader == Some(self.node_id))
    }
}
