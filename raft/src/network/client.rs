//! The sending side: what openraft asks of a peer.
//!
//! openraft itself gives up heartbeats and votes that are not answered in time.

use futures::stream::{self, Stream, StreamExt};
use futures::{FutureExt, pin_mut};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::ErrorSource;
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::impls::BoxedErrorSource;
use openraft::network::{
    Backoff, NetBackoff, NetSnapshot, NetStreamAppend, NetTransferLeader, NetVote, RPCOption,
    RaftNetworkFactory,
};
use openraft::raft::{
    AppendEntriesRequest, SnapshotResponse, StreamAppendResult, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{BasicNode, OptionalSend, StorageError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::Peers;
use super::limits;
use crate::checkpoint::Checkpoint;
use crate::pb::raft_client::RaftClient;
use crate::state_machine::Snapshot;
use crate::types::{TypeConfig, Vote};
use crate::wire::{self, Malformed};
use crate::{GroupId, NodeId, Trouble, pb};

type RpcResult<T> = Result<T, RPCError<TypeConfig>>;

/// Makes the links of one group.
pub(crate) struct Network {
    pub(crate) group: GroupId,
    pub(crate) peers: Peers,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Link;

    async fn new_client(&mut self, target: NodeId, node: &BasicNode) -> Link {
        self.link(target, node, false)
    }

    async fn new_heartbeat_client(&mut self, target: NodeId, node: &BasicNode) -> Link {
        self.link(target, node, true)
    }
}

impl Network {
    fn link(&self, target: NodeId, node: &BasicNode, heartbeat: bool) -> Link {
        // The book knows better than the membership, which keeps the address a member joined with.
        if self.peers.address(target).is_none()
            && let Err(trouble) = self.peers.set(target, &node.addr)
        {
            tracing::error!(group = self.group, node = target, "{trouble}");
        }
        Link { group: self.group, target, peers: self.peers.clone(), heartbeat }
    }
}

/// One group's way to one peer.
pub(crate) struct Link {
    group: GroupId,
    target: NodeId,
    peers: Peers,
    /// Heartbeats are calls of their own, so that they never wait behind entries.
    heartbeat: bool,
}

impl Link {
    fn client(&self, bytes_max: usize) -> RpcResult<RaftClient<Channel>> {
        let channel = self.peers.raft_channel(self.target).ok_or_else(|| {
            let what = format!("no address is known for node {}", self.target);
            RPCError::Unreachable(Unreachable::from_string(what))
        })?;
        Ok(RaftClient::new(channel)
            .max_encoding_message_size(bytes_max)
            .max_decoding_message_size(limits::SMALL_BYTES_MAX))
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let identity = self.peers.identity();
        identity.stamp(request.metadata_mut(), self.target, Some(self.group));
        request
    }

    async fn heartbeat<S>(
        &mut self,
        mut input: S,
    ) -> RpcResult<BoxStream<'static, RpcResult<StreamAppendResult<TypeConfig>>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + Unpin,
    {
        let Some(request) = input.next().await else {
            return Ok(stream::empty().boxed());
        };
        let request = self.request(wire::append_request(request));
        let mut client = self.client(limits::SMALL_BYTES_MAX)?;
        let reply = client.heartbeat(request).await.map_err(|status| failed(&status))?;
        let result = wire::read_append_reply(reply.into_inner()).map_err(garbled);
        Ok(stream::once(async { result }).boxed())
    }

    async fn append<S>(
        &mut self,
        input: S,
        option: RPCOption,
    ) -> RpcResult<BoxStream<'static, RpcResult<StreamAppendResult<TypeConfig>>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        let request = self.request(input.map(wire::append_request));
        let mut client = self.client(limits::APPEND_BYTES_MAX)?;
        // Only the opening is timed: the service answers before the first append, and after that
        // the connection's keepalive notices a dead peer.
        let opening = limits::CONNECT_TIMEOUT.max(option.soft_ttl());
        let opened = tokio::time::timeout(opening, client.append(request)).await;
        let replies = match opened {
            Ok(Ok(reply)) => reply.into_inner(),
            Ok(Err(status)) => return Err(failed(&status)),
            Err(_) => return Err(unreachable("the peer does not answer")),
        };
        // Ends when the service ends it, which it does cleanly after the input's end.
        let results = replies.map(|reply| match reply {
            Ok(reply) => wire::read_append_reply(reply).map_err(garbled),
            Err(status) => Err(failed(&status)),
        });
        Ok(results.boxed())
    }
}

fn unreachable(what: &str) -> RPCError<TypeConfig> {
    RPCError::Unreachable(Unreachable::from_string(what))
}

/// A peer that answers wrongly will do so again: back off as if it were away.
fn garbled(malformed: Malformed) -> RPCError<TypeConfig> {
    unreachable(&malformed.to_string())
}

fn failed(status: &Status) -> RPCError<TypeConfig> {
    let what = format!("{:?}: {}", status.code(), status.message());
    match status.code() {
        // A stream that broke in the middle: the connection is probably usable again at once.
        Code::Cancelled | Code::Aborted => RPCError::Network(NetworkError::from_string(what)),
        _ => unreachable(&what),
    }
}

impl NetStreamAppend<TypeConfig> for Link {
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, RpcResult<BoxStream<'s, RpcResult<StreamAppendResult<TypeConfig>>>>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        async move {
            if self.heartbeat {
                self.heartbeat(input).await
            } else {
                self.append(input, option).await
            }
        }
        .boxed()
    }
}

impl NetVote<TypeConfig> for Link {
    async fn vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> RpcResult<VoteResponse<TypeConfig>> {
        let request = self.request(wire::vote_request(&request));
        let mut client = self.client(limits::SMALL_BYTES_MAX)?;
        let reply = client.vote(request).await.map_err(|status| failed(&status))?;
        wire::read_vote_reply(reply.into_inner()).map_err(garbled)
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<TypeConfig>,
        _option: RPCOption,
    ) -> RpcResult<VoteResponse<TypeConfig>> {
        let request = self.request(wire::vote_request(&request));
        let mut client = self.client(limits::SMALL_BYTES_MAX)?;
        let reply = client.pre_vote(request).await.map_err(|status| failed(&status))?;
        wire::read_vote_reply(reply.into_inner()).map_err(garbled)
    }
}

impl NetTransferLeader<TypeConfig> for Link {
    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        _option: RPCOption,
    ) -> RpcResult<TransferLeaderResponse<TypeConfig>> {
        let message = pb::TransferRequest {
            from: Some(wire::vote(request.from_leader())),
            to: *request.to_node_id(),
            last: request.last_log_id().map(wire::log_id),
        };
        let mut client = self.client(limits::SMALL_BYTES_MAX)?;
        let reply = client.transfer_leader(self.request(message)).await;
        let reply = reply.map_err(|status| failed(&status))?.into_inner();
        if reply.refusal.is_empty() {
            return Ok(Ok(()));
        }
        tracing::info!(group = self.group, node = self.target, "{}", reply.refusal);
        let expected = request.last_log_id().cloned();
        Ok(Err(TransferLeaderError::LogNotFlushed { expected, actual: None }))
    }
}

impl NetBackoff<TypeConfig> for Link {
    fn backoff(&self) -> Option<Backoff> {
        None
    }
}

impl NetSnapshot<TypeConfig> for Link {
    type SnapshotData = Checkpoint;

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let (parts, received) = mpsc::channel(limits::SNAPSHOT_PARTS_IN_FLIGHT);
        let reader =
            tokio::task::spawn_blocking(move || send_parts(&vote, &snapshot.snapshot, &parts));
        let mut client = self.client(limits::SNAPSHOT_PART_BYTES_MAX)?;
        let call = client.snapshot(self.request(ReceiverStream::new(received)));
        pin_mut!(cancel);
        let reply = tokio::select! {
            closed = cancel => return Err(closed.into()),
            reply = call => reply,
        };
        // A checkpoint that cannot be read ends the stream early; the reader knows why.
        if let Ok(Err(trouble)) = reader.await {
            let source = BoxedErrorSource::from_string(trouble);
            return Err(StorageError::read_snapshot(None, source).into());
        }
        let reply = reply.map_err(|status| failed(&status))?.into_inner();
        let vote = wire::read_vote(reply.vote).map_err(garbled)?;
        Ok(SnapshotResponse::new(vote))
    }
}

/// Reads a checkpoint chunk by chunk into the stream, until the end or nobody listens.
fn send_parts(
    vote: &Vote,
    checkpoint: &Checkpoint,
    parts: &mpsc::Sender<pb::SnapshotPart>,
) -> Result<(), Trouble> {
    use pb::snapshot_part::Part;
    let send = |part| parts.blocking_send(pb::SnapshotPart { part: Some(part) }).is_ok();
    let manifest = checkpoint.manifest();
    let head = pb::SnapshotHead { vote: Some(wire::vote(vote)), manifest: Some(manifest.encode()) };
    if !send(Part::Head(head)) {
        return Ok(());
    }
    for (unit, stored) in &manifest.units {
        for number in 0..stored.chunks {
            let data = checkpoint.chunk(*unit, number)?;
            let checksum = crc32c::crc32c(&data);
            let chunk = pb::Chunk { unit: *unit, number, data: data.into(), checksum };
            if !send(Part::Chunk(chunk)) {
                return Ok(());
            }
        }
    }
    Ok(())
}
