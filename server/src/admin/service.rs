//! The node's side of the admin protocol.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cluster::admin::proto;
use cluster::admin::proto::admin_server::{Admin, AdminServer};
use keyspace::Keyspace;
use keyspace::slot::SLOTS;
use tonic::{Request, Response, Status};

use crate::http::ready;
use crate::node::{Node, unix_ms};

/// Longest wait for an entry to be applied before a digest.
const APPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The service of this node; holds it not alive.
pub(crate) fn service(node: &Arc<Node>) -> AdminServer<AdminService> {
    AdminServer::new(AdminService(Arc::downgrade(node)))
}

/// Answers for one node.
pub(crate) struct AdminService(Weak<Node>);

#[tonic::async_trait]
impl Admin for AdminService {
    async fn status(
        &self,
        _request: Request<proto::StatusRequest>,
    ) -> Result<Response<proto::StatusResponse>, Status> {
        let node = self.node()?;
        let not_ready = ready::check(&node).await.err();
        Ok(Response::new(proto::StatusResponse {
            version: env!("CARGO_PKG_VERSION").into(),
            node_id: node.id,
            shard: node.shard,
            topology: Some(topology(&node)),
            group: Some(group(&node)),
            keys: keys(&node),
            memory_bytes: node.keyspace.memory_bytes() as u64,
            clients: node.clients.len() as u64,
            uptime_ms: unix_ms().saturating_sub(node.started_at_ms),
            ready: not_ready.is_none(),
            not_ready: not_ready.unwrap_or_default(),
        }))
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferLeaderRequest>,
    ) -> Result<Response<proto::TransferLeaderResponse>, Status> {
        let node = self.node()?;
        let proto::TransferLeaderRequest { shard, to } = request.into_inner();
        if shard != node.shard || !node.group.leads() {
            let (id, leads) = (node.id, "does not lead shard");
            return Err(Status::failed_precondition(format!("node {id} {leads} {shard}")));
        }
        let to = match to {
            Some(to) => to,
            None => least_lagging(&node)
                .ok_or_else(|| Status::failed_precondition("the shard has no other replica"))?,
        };
        if to != node.id {
            tracing::info!(shard, to, "handing leadership over, as an operator asked");
            let moved = node.group.transfer_leader(to).await;
            moved.map_err(|error| Status::failed_precondition(error.to_string()))?;
        }
        Ok(Response::new(proto::TransferLeaderResponse { leader: to }))
    }

    async fn digest(
        &self,
        request: Request<proto::DigestRequest>,
    ) -> Result<Response<proto::DigestResponse>, Status> {
        let node = self.node()?;
        let proto::DigestRequest { per_slot, applied_min } = request.into_inner();
        let applied = tokio::time::timeout(APPLY_TIMEOUT, node.group.wait_applied(applied_min));
        applied
            .await
            .map_err(|_| Status::deadline_exceeded("the replica lags too far behind"))?
            .map_err(|trouble| Status::unavailable(trouble.to_string()))?;
        let before = node.group.status().applied;
        let (keyspace, databases) = (node.keyspace.clone(), databases(&node));
        let slots = tokio::task::spawn_blocking(move || slot_digests(&keyspace, databases))
            .await
            .map_err(|error| Status::internal(error.to_string()))?;
        let after = node.group.status().applied;
        Ok(Response::new(proto::DigestResponse {
            applied: after,
            exact: before == after,
            digest: folded(&slots),
            slots: if per_slot { slots } else { Vec::new() },
            keys: keys(&node),
        }))
    }

    async fn checkpoint(
        &self,
        _request: Request<proto::CheckpointRequest>,
    ) -> Result<Response<proto::CheckpointResponse>, Status> {
        let node = self.node()?;
        let made = node.group.checkpoint_now().await;
        made.map_err(|trouble| Status::unavailable(trouble.to_string()))?;
        let index = node.group.status().checkpoint;
        Ok(Response::new(proto::CheckpointResponse { index }))
    }
}

impl AdminService {
    fn node(&self) -> Result<Arc<Node>, Status> {
        self.0.upgrade().ok_or_else(|| Status::unavailable("the node is stopping"))
    }
}

fn topology(node: &Node) -> proto::Topology {
    let topology = &node.topology;
    let shards = topology.shards().iter().map(|shard| proto::Shard {
        id: shard.id,
        weight: shard.weight,
        replicas: shard
            .replicas
            .iter()
            .map(|replica| proto::Replica {
                node_id: replica.node_id,
                client: replica.client.to_string(),
                peer: replica.peer.to_string(),
                http: replica.http.to_string(),
            })
            .collect(),
        slots: topology
            .ranges(shard.id)
            .iter()
            .map(|range| proto::SlotRange { first: range.first.into(), last: range.last.into() })
            .collect(),
    });
    proto::Topology {
        cluster_id: topology.cluster_id().into(),
        epoch: topology.epoch(),
        shards: shards.collect(),
        slots_checksum: topology.slots().checksum(),
    }
}

fn group(node: &Node) -> proto::Group {
    let status = node.group.status();
    proto::Group {
        term: status.term,
        leader: status.leader,
        last_log: status.last_log,
        committed: status.committed,
        applied: status.applied,
        checkpoint: status.checkpoint,
        purged: status.purged,
        matched: status
            .matched
            .into_iter()
            .map(|(node_id, index)| proto::Matched { node_id, index })
            .collect(),
        voters: status.voters,
    }
}

/// The follower whose log is known to reach furthest.
fn least_lagging(node: &Node) -> Option<u64> {
    let matched = node.group.status().matched;
    matched
        .iter()
        .filter(|(id, _)| *id != node.id)
        .max_by_key(|(_, index)| *index)
        .map(|(id, _)| *id)
}

/// Databases that this node's keyspace has.
pub(crate) fn databases(node: &Node) -> u8 {
    if node.clustered { 1 } else { node.config.settings.databases() }
}

/// Keys in all databases.
fn keys(node: &Node) -> u64 {
    (0..databases(node)).map(|db| node.keyspace.len(db) as u64).sum()
}

fn slot_digests(keyspace: &Keyspace, databases: u8) -> Vec<u64> {
    let places = (0..databases).flat_map(|db| (0..SLOTS).map(move |slot| (db, slot)));
    places.map(|(db, slot)| keyspace.digest(db, slot)).collect()
}

/// One number for all of them; two slots that exchanged their contents change it. FNV-1a over the
/// digests, position by position.
fn folded(slots: &[u64]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = slots.iter().flat_map(|digest| digest.to_le_bytes());
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::folded;

    #[test]
    fn the_folded_digest_sees_order_and_content() {
        assert_eq!(folded(&[1, 2, 3]), folded(&[1, 2, 3]));
        assert_ne!(folded(&[1, 2, 3]), folded(&[2, 1, 3]));
        assert_ne!(folded(&[0, 0]), folded(&[0, 1 << 63]));
    }
}
