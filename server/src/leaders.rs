//! Who leads the other shards: one replica of each is asked to tell, now and at every change.
//!
//! What is known here only sends clients and requests somewhere; whoever gets them decides by its
//! own group's state whether it leads. So old knowledge costs a hop, never a wrong answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::topology::Topology;
use raft::{Identity, NodeId, Peers};

use crate::forward::proto::FollowLeaderRequest;
use crate::forward::proto::forward_client::ForwardClient;
use crate::forward::stamped;

/// Before the next replica is asked, after one could not tell: short beside an election.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// Longest wait for a replica's first word.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// The last known leader of every other shard; 0: none was ever known.
#[derive(Clone, Default)]
pub struct Leaders(Arc<BTreeMap<u32, AtomicU64>>);

impl Leaders {
    /// Starts to follow the leaders of every shard but `own`, on the current runtime.
    pub fn follow(topology: &Topology, own: u32, identity: &Identity, peers: &Peers) -> Leaders {
        let others = topology.shards().iter().filter(|shard| shard.id != own);
        let known = others.clone().map(|shard| (shard.id, AtomicU64::new(0))).collect();
        let leaders = Leaders(Arc::new(known));
        for shard in others {
            let replicas = shard.replicas.iter().map(|replica| replica.node_id).collect();
            tokio::spawn(follow(
                leaders.clone(),
                identity.clone(),
                shard.id,
                replicas,
                peers.clone(),
            ));
        }
        leaders
    }

    /// The last known leader of a shard.
    pub fn of(&self, shard: u32) -> Option<NodeId> {
        let node = self.0.get(&shard)?.load(Ordering::Relaxed);
        (node != 0).then_some(node)
    }
}

/// Asks one replica after the other for as long as the node lives.
async fn follow(
    leaders: Leaders,
    identity: Identity,
    shard: u32,
    replicas: Vec<NodeId>,
    peers: Peers,
) {
    for replica in replicas.iter().cycle() {
        if let Err(why) = listen(&leaders, &identity, shard, *replica, &peers).await {
            tracing::debug!(shard, node = replica, "no word of the leader: {why}");
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn listen(
    leaders: &Leaders,
    identity: &Identity,
    shard: u32,
    replica: NodeId,
    peers: &Peers,
) -> Result<(), String> {
    let channel = peers.channel(replica).ok_or("no address is known")?;
    let mut client = ForwardClient::new(channel);
    let asked = client.follow_leader(stamped(identity, replica, FollowLeaderRequest { shard }));
    let asked = tokio::time::timeout(ASK_TIMEOUT, asked).await.map_err(|_| "no answer in time")?;
    let mut words = asked.map_err(|status| status.to_string())?.into_inner();
    let known = leaders.0.get(&shard).ok_or("no such shard")?;
    while let Some(leader) = words.message().await.map_err(|status| status.to_string())? {
        // Between leaders the last one stays the best guess.
        if leader.node != 0 {
            known.store(leader.node, Ordering::Relaxed);
        }
    }
    Ok(())
}
