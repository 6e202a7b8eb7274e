//! The receiving side: calls of peers, handed to openraft.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use futures::stream::{self, Stream, StreamExt};
use openraft::raft::TransferLeaderRequest;
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Response, Status, Streaming};

use super::identity::{Caller, Identity};
use super::limits;
use crate::checkpoint::{Checkpoint, Checkpoints, Draft, Manifest};
use crate::pb::raft_server::{Raft, RaftServer};
use crate::pb::snapshot_part::Part;
use crate::state_machine::{Snapshot, SnapshotMeta};
use crate::types::Vote;
use crate::wire::{self, Malformed};
use crate::{Group, GroupId, NodeId, Trouble, pb};

/// The groups a node hosts, by id; cheap to clone.
#[derive(Clone)]
pub struct Groups {
    identity: Identity,
    groups: Arc<RwLock<HashMap<GroupId, Group>>>,
}

impl Groups {
    /// No groups yet.
    pub fn new(identity: Identity) -> Groups {
        Groups { identity, groups: Arc::default() }
    }

    /// Makes a group reachable for its peers.
    pub fn insert(&self, group: &Group) {
        self.groups.write().insert(group.id(), group.clone());
    }

    /// Makes a group unreachable.
    pub fn remove(&self, group: GroupId) {
        self.groups.write().remove(&group);
    }

    /// A group.
    pub fn get(&self, group: GroupId) -> Option<Group> {
        self.groups.read().get(&group).cloned()
    }
}

/// The gRPC service through which peers reach `groups`; for a tonic `Router`.
pub fn service(groups: Groups) -> Routes {
    let identity = groups.identity.clone();
    let server = RaftServer::new(Receiver { groups })
        .max_decoding_message_size(limits::APPEND_BYTES_MAX)
        .max_encoding_message_size(limits::SMALL_BYTES_MAX);
    // Runs before a byte of the message is read.
    let admit = move |mut request: Request<()>| {
        let caller = identity.admit(request.metadata())?;
        request.extensions_mut().insert(caller);
        Ok(request)
    };
    Routes::new(InterceptedService::new(server, admit))
}

struct Receiver {
    groups: Groups,
}

impl Receiver {
    fn admitted<T>(&self, request: &Request<T>) -> Result<(NodeId, Group), Status> {
        let caller = request.extensions().get::<Caller>();
        let caller = caller.ok_or_else(|| Status::internal("the caller was not checked"))?;
        let id = caller.group.ok_or_else(|| Status::invalid_argument("no group named"))?;
        let group = self.groups.get(id);
        // A node that starts serves its peers before its groups are restored.
        let group = group.ok_or_else(|| Status::unavailable(format!("group {id} is not here")))?;
        Ok((caller.node, group))
    }
}

fn malformed(malformed: Malformed) -> Status {
    Status::invalid_argument(malformed.to_string())
}

fn stopped(error: impl std::fmt::Display) -> Status {
    Status::unavailable(error.to_string())
}

/// Votes and appends come from the node they are for, or somebody lies.
fn check_sender(vote: &Vote, from: NodeId) -> Result<(), Malformed> {
    if vote.leader_id.voted_for == from { Ok(()) } else { Err(Malformed("another node's vote")) }
}

type AppendReplies = Pin<Box<dyn Stream<Item = Result<pb::AppendReply, Status>> + Send>>;

#[tonic::async_trait]
impl Raft for Receiver {
    type AppendStream = AppendReplies;

    async fn append(
        &self,
        request: Request<Streaming<pb::AppendRequest>>,
    ) -> Result<Response<AppendReplies>, Status> {
        let (from, group) = self.admitted(&request)?;
        Ok(Response::new(append_stream(from, &group, request.into_inner())))
    }

    async fn heartbeat(
        &self,
        request: Request<pb::AppendRequest>,
    ) -> Result<Response<pb::AppendReply>, Status> {
        let (from, group) = self.admitted(&request)?;
        let request = wire::read_append_request(request.into_inner()).map_err(malformed)?;
        check_sender(&request.vote, from).map_err(malformed)?;
        let (previous, last) = (request.prev_log_id, request.entries.last().map(|e| e.log_id));
        let reply = group.raft().append_entries(request).await.map_err(stopped)?;
        let result = reply.into_stream_result(previous, last.or(previous));
        Ok(Response::new(wire::append_reply(result)))
    }

    async fn vote(
        &self,
        request: Request<pb::VoteRequest>,
    ) -> Result<Response<pb::VoteReply>, Status> {
        let (from, group) = self.admitted(&request)?;
        let request = wire::read_vote_request(request.into_inner()).map_err(malformed)?;
        check_sender(&request.vote, from).map_err(malformed)?;
        group.may_vote(&request)?;
        let reply = group.raft().vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::vote_reply(&reply)))
    }

    async fn pre_vote(
        &self,
        request: Request<pb::VoteRequest>,
    ) -> Result<Response<pb::VoteReply>, Status> {
        let (from, group) = self.admitted(&request)?;
        let request = wire::read_vote_request(request.into_inner()).map_err(malformed)?;
        check_sender(&request.vote, from).map_err(malformed)?;
        group.may_vote(&request)?;
        let reply = group.raft().pre_vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::vote_reply(&reply)))
    }

    async fn transfer_leader(
        &self,
        request: Request<pb::TransferRequest>,
    ) -> Result<Response<pb::TransferReply>, Status> {
        let (from, group) = self.admitted(&request)?;
        let request = request.into_inner();
        let vote = wire::read_vote(request.from).map_err(malformed)?;
        check_sender(&vote, from).map_err(malformed)?;
        let last = request.last.map(wire::read_log_id);
        let request = TransferLeaderRequest::new(vote, request.to, last);
        let reply = group.raft().handle_transfer_leader(request).await.map_err(stopped)?;
        let refusal = reply.err().map(|error| error.to_string()).unwrap_or_default();
        Ok(Response::new(pb::TransferReply { refusal }))
    }

    async fn snapshot(
        &self,
        request: Request<Streaming<pb::SnapshotPart>>,
    ) -> Result<Response<pb::SnapshotReply>, Status> {
        let (from, group) = self.admitted(&request)?;
        let reply = receive_snapshot(from, &group, request.into_inner()).await?;
        Ok(Response::new(reply))
    }
}

/// Replies to a stream of appends, in order, and ends cleanly when the stream does.
///
/// An error after the last reply would make the leader believe that entries were lost, and start
/// over: two replicas can live on that for ever.
fn append_stream(
    from: NodeId,
    group: &Group,
    requests: Streaming<pb::AppendRequest>,
) -> AppendReplies {
    let refusal = Arc::new(OnceLock::new());
    let refused = Arc::clone(&refusal);
    let group_id = group.id();
    let requests = stream::unfold(requests, move |mut requests| {
        let refused = Arc::clone(&refused);
        async move {
            let request = match requests.message().await {
                Ok(Some(request)) => request,
                Ok(None) => return None,
                Err(status) => {
                    tracing::debug!(group = group_id, from, "appends broke off: {status}");
                    return None;
                }
            };
            let read = wire::read_append_request(request);
            let read = read.and_then(|read| check_sender(&read.vote, from).map(|()| read));
            match read {
                Ok(request) => Some((request, requests)),
                Err(malformed) => {
                    tracing::warn!(group = group_id, from, "refused an append: {malformed}");
                    let _ = refused.set(malformed);
                    None
                }
            }
        }
    });
    let replies = group.raft().stream_append(requests).map(|result| match result {
        Ok(result) => Ok(wire::append_reply(result)),
        Err(fatal) => Err(stopped(fatal)),
    });
    let ending = stream::once(async move { refusal.get().map(|what| Err(malformed(*what))) });
    replies.chain(ending.filter_map(|end| async { end })).boxed()
}

/// Stores a checkpoint beside the current one, and gives it to openraft when it is whole.
async fn receive_snapshot(
    from: NodeId,
    group: &Group,
    mut parts: Streaming<pb::SnapshotPart>,
) -> Result<pb::SnapshotReply, Status> {
    let first = parts.message().await?.and_then(|part| part.part);
    let Some(Part::Head(head)) = first else {
        return Err(malformed(Malformed("a snapshot without head")));
    };
    let vote = wire::read_vote(head.vote).map_err(malformed)?;
    check_sender(&vote, from).map_err(malformed)?;
    let manifest = head.manifest.ok_or(Malformed("no manifest")).map_err(malformed)?;
    let manifest = Manifest::decode(manifest).map_err(malformed)?;
    tracing::info!(group = group.id(), from, units = manifest.units.len(), "receiving a snapshot");

    let (sender, receiver) = mpsc::channel(limits::SNAPSHOT_PARTS_IN_FLIGHT);
    let checkpoints = Arc::clone(group.checkpoints());
    let writer =
        tokio::task::spawn_blocking(move || store_snapshot(&checkpoints, manifest, receiver));
    while let Some(part) = parts.message().await? {
        let Some(Part::Chunk(chunk)) = part.part else {
            return Err(malformed(Malformed("a snapshot with two heads")));
        };
        // The writer stopped; it says why below.
        if sender.send(chunk).await.is_err() {
            break;
        }
    }
    drop(sender);
    let stored = writer.await.map_err(|error| Status::internal(error.to_string()))?;
    let checkpoint = stored.map_err(|trouble| {
        tracing::warn!(group = group.id(), from, "refused a snapshot: {trouble}");
        Status::aborted(trouble.to_string())
    })?;
    let meta = SnapshotMeta {
        last_log_id: checkpoint.manifest().last,
        last_membership: checkpoint.manifest().membership.clone(),
    };
    let snapshot = Snapshot { meta, snapshot: checkpoint };
    let reply = group.raft().install_full_snapshot(vote, snapshot).await.map_err(stopped)?;
    Ok(pb::SnapshotReply { vote: Some(wire::vote(&reply.vote)) })
}

/// Writes chunks into a generation of their own until all that the manifest promises are there.
fn store_snapshot(
    checkpoints: &Arc<Checkpoints>,
    promised: Manifest,
    mut chunks: mpsc::Receiver<pb::Chunk>,
) -> Result<Checkpoint, Trouble> {
    let mut draft = checkpoints.draft(None);
    while let Some(chunk) = chunks.blocking_recv() {
        if crc32c::crc32c(&chunk.data) != chunk.checksum {
            let what = format!("chunk {} of unit {} is damaged", chunk.number, chunk.unit);
            return Err(Trouble::Refused(what));
        }
        draft.put_chunk(chunk.unit, chunk.number, &chunk.data)?;
    }
    if !keeps_promise(&draft, &promised) {
        return Err(Trouble::Refused("the snapshot broke off".to_string()));
    }
    draft.finish(promised.last, promised.membership)
}

fn keeps_promise(draft: &Draft, promised: &Manifest) -> bool {
    let units = draft.units();
    units.len() == promised.units.len()
        && units.iter().zip(&promised.units).all(|((id, got), (promised_id, promised))| {
            id == promised_id && got.bytes == promised.bytes && got.checksum == promised.checksum
        })
}
