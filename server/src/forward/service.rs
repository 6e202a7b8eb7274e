//! The receiving side: segments of other nodes' clients, executed as if the clients were ours.
//!
//! Invariant: nothing that a peer sends reaches the log before it was checked as dispatch checks
//! a client's commands: known, complete, and in one of our slots. A poisoned entry would stop
//! every replica.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use keyspace::entry::{EntryWriter, Record};
use keyspace::slot::slot_of;
use keyspace::{Block, Run};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::proto::forward_server::Forward;
use super::proto::{
    self, ExecuteRequest, ExecuteResponse, FollowLeaderRequest, Leader, PublishRequest,
    PublishResponse,
};
use super::{REQUESTS_MAX, decode_ops, protocol};
use crate::blocked::{Blocking, Ending, ParkedNote, Ticket};
use crate::node::Node;
use crate::pubsub::Kind;
use crate::router::{TaskDesk, lead};
use crate::segment::{OpKind, Outcome, Segment};
use crate::watch::{Watch, WatchFlag};

/// Answers not yet sent on one stream.
const RESPONSES_MAX: usize = 256;

/// The service; holds no node alive.
pub struct ForwardService(pub Weak<Node>);

type Outgoing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Forward for ForwardService {
    type ExecuteStream = Outgoing<ExecuteResponse>;
    type FollowLeaderStream = Outgoing<Leader>;

    async fn execute(
        &self,
        request: Request<Streaming<ExecuteRequest>>,
    ) -> Result<Response<Self::ExecuteStream>, Status> {
        let node = self.node()?;
        node.identity.admit(request.metadata())?;
        let (responses, outgoing) = mpsc::channel(RESPONSES_MAX);
        tokio::spawn(serve(node, request.into_inner(), responses));
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }

    async fn follow_leader(
        &self,
        request: Request<FollowLeaderRequest>,
    ) -> Result<Response<Self::FollowLeaderStream>, Status> {
        let node = self.node()?;
        node.identity.admit(request.metadata())?;
        if request.get_ref().shard != node.shard {
            return Err(Status::invalid_argument("this node has no replica of that shard"));
        }
        let mut leaders = node.group.watch_leader();
        let (sender, outgoing) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let known = *leaders.borrow_and_update();
                let message = Leader { term: known.term, node: known.leader.unwrap_or(0) };
                let told = sender.send(Ok(message)).await;
                if told.is_err() || leaders.changed().await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }

    async fn publish(
        &self,
        request: Request<Streaming<PublishRequest>>,
    ) -> Result<Response<PublishResponse>, Status> {
        let node = self.node()?;
        node.identity.admit(request.metadata())?;
        let pubsub = node.pubsub.clone();
        drop(node);
        let mut messages = request.into_inner();
        while let Some(PublishRequest { channel, message, shard }) = messages.message().await? {
            let kind = if shard { Kind::Shard } else { Kind::Channel };
            pubsub.publish(kind, &channel, &message);
        }
        Ok(Response::new(PublishResponse {}))
    }
}

impl ForwardService {
    fn node(&self) -> Result<Arc<Node>, Status> {
        self.0.upgrade().ok_or_else(|| Status::unavailable("the node is stopping"))
    }
}

/// Serves one stream until it ends; then its sessions' watches end.
async fn serve(
    node: Arc<Node>,
    mut requests: Streaming<ExecuteRequest>,
    responses: mpsc::Sender<Result<ExecuteResponse, Status>>,
) {
    let mut sessions =
        Sessions { node: node.clone(), watches: HashMap::new(), tickets: HashMap::new() };
    let mut under_way = FuturesUnordered::new();
    // Apart, since they may take for ever: one of each of the other node's clients at most.
    let mut waiting = FuturesUnordered::new();
    let mut notes = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            // Before the answer that may follow at once.
            Some(note) = notes.next() => {
                if let Some(note) = note && responses.send(Ok(note)).await.is_err() {
                    return;
                }
            }
            Some(response) = waiting.next() => {
                let response: ExecuteResponse = response;
                sessions.tickets.remove(&response.id);
                if responses.send(Ok(response)).await.is_err() {
                    return;
                }
            }
            Some(response) = under_way.next() => {
                if responses.send(Ok(response)).await.is_err() {
                    return;
                }
            }
            request = requests.message(), if under_way.len() < REQUESTS_MAX => {
                // A broken stream ends like a finished one: the sender settles what it sent.
                let Ok(Some(request)) = request else { return };
                if request.ending() != proto::Ending::None {
                    sessions.end_wait(&request);
                    continue;
                }
                if request.block_ms.is_some() {
                    let (sender, note) = oneshot::channel();
                    notes.push(parked(request.id, note));
                    let ticket = node.blocked.ticket_with_note(sender);
                    sessions.tickets.insert(request.id, ticket.clone());
                    waiting.push(answer(node.clone(), request, Watched::No, Some(ticket)));
                    continue;
                }
                let watch = sessions.prepare(&request);
                under_way.push(answer(node.clone(), request, watch, None));
            }
        }
    }
}

/// The message that a request waits; `None`: it came to an answer without that.
async fn parked(id: u64, note: oneshot::Receiver<ParkedNote>) -> Option<ExecuteResponse> {
    let ParkedNote { later } = note.await.ok()?;
    Some(ExecuteResponse {
        id,
        outcome: proto::Outcome::Parked.into(),
        later,
        ..ExecuteResponse::default()
    })
}

/// What the sender's sessions watch here, and for what its clients wait.
struct Sessions {
    node: Arc<Node>,
    watches: HashMap<u64, Watch>,
    /// By the request's id.
    tickets: HashMap<u64, Arc<Ticket>>,
}

/// What a request has to do with watches.
enum Watched {
    /// Nothing.
    No,
    /// It asked to watch, and in this term we do; `None`: we do not lead.
    Now(Option<u64>),
    /// It is an EXEC under this flag.
    Exec(Arc<WatchFlag>),
    /// It is an EXEC under a watch that we do not have.
    Broken,
}

impl Sessions {
    fn prepare(&mut self, request: &ExecuteRequest) -> Watched {
        if request.unwatch {
            self.unwatch(request.session);
            return Watched::No;
        }
        if !request.watch.is_empty() {
            return Watched::Now(self.watch(request));
        }
        if !request.watched_exec {
            return Watched::No;
        }
        match self.watches.get(&request.session) {
            Some(watch) => Watched::Exec(watch.flag.clone()),
            None => Watched::Broken,
        }
    }

    fn watch(&mut self, request: &ExecuteRequest) -> Option<u64> {
        let term = self.node.group.term();
        // The lease also says that every earlier leader's entries were applied here.
        if request.shard != self.node.shard || !self.node.group.lease_valid() {
            return None;
        }
        let fresh = || Watch { term, ..Watch::new(request.session, request.shard) };
        let watch = self.watches.entry(request.session).or_insert_with(fresh);
        for watched in &request.watch {
            let db = u8::try_from(watched.db).unwrap_or(0);
            watch.keys.push((db, watched.key.to_vec()));
            self.node.watches.add(db, &watched.key, &watch.flag);
        }
        if watch.term != term {
            watch.flag.set();
        }
        Some(term)
    }

    /// Ends a wait, unless its answer is on the way already.
    fn end_wait(&self, request: &ExecuteRequest) {
        let ending = match request.ending() {
            proto::Ending::None | proto::Ending::Gone => Ending::Gone,
            proto::Ending::TimedOut => Ending::TimedOut,
            proto::Ending::Unblocked => Ending::Unblocked,
            proto::Ending::Stopping => Ending::Stopping,
        };
        if let Some(ticket) = self.tickets.get(&request.id) {
            self.node.blocked.end(ticket, ending);
        }
    }

    fn unwatch(&mut self, session: u64) {
        if let Some(watch) = self.watches.remove(&session) {
            self.node.watches.remove(&watch);
        }
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        #[expect(clippy::iter_over_hash_type, reason = "each is removed alone, in any order")]
        for (_, watch) in self.watches.drain() {
            self.node.watches.remove(&watch);
        }
        #[expect(clippy::iter_over_hash_type, reason = "each is ended alone, in any order")]
        for (_, ticket) in self.tickets.drain() {
            self.node.blocked.end(&ticket, Ending::Gone);
        }
    }
}

async fn answer(
    node: Arc<Node>,
    request: ExecuteRequest,
    watched: Watched,
    ticket: Option<Arc<Ticket>>,
) -> ExecuteResponse {
    let id = request.id;
    let not_leader = ExecuteResponse {
        id,
        outcome: proto::Outcome::NotLeader.into(),
        ..ExecuteResponse::default()
    };
    let done = ExecuteResponse { outcome: proto::Outcome::Done.into(), ..not_leader.clone() };
    if let Watched::Now(term) = watched {
        return term.map_or(not_leader, |term| ExecuteResponse { term, ..done });
    }
    if request.shard != node.shard || !node.group.leads() {
        return not_leader;
    }
    let mut segment = match open(&node, request, ticket) {
        Ok(segment) => segment,
        Err(why) => {
            tracing::warn!("refused a forwarded request: {why}");
            return not_leader;
        }
    };
    match watched {
        Watched::Exec(flag) => segment.watch = Some(flag),
        Watched::Broken => {
            resp::Reply::NullArray.encode(segment.protocol, &mut segment.out);
            return ExecuteResponse { replies: segment.out.freeze(), ..done };
        }
        Watched::No | Watched::Now(_) => {}
    }
    let segment = lead(&node, &TaskDesk, segment).await;
    let outcome = match segment.outcome {
        Outcome::Done => proto::Outcome::Done,
        Outcome::NotLeader => proto::Outcome::NotLeader,
        Outcome::Unknown | Outcome::Pending => proto::Outcome::Unknown,
    };
    ExecuteResponse {
        id,
        outcome: outcome.into(),
        index: segment.index,
        ends: segment.ends,
        replies: segment.out.freeze(),
        ..ExecuteResponse::default()
    }
}

/// The request as a segment, after checking everything in it.
fn open(
    node: &Node,
    request: ExecuteRequest,
    ticket: Option<Arc<Ticket>>,
) -> Result<Box<Segment>, &'static str> {
    let ops = decode_ops(&request.ops).ok_or("malformed operations")?;
    let protocol = protocol(request.resp).ok_or("unknown RESP version")?;
    let use_of_writes = if ticket.is_some() { Use::Block } else { Use::Write };
    let writes = checked(node, &request.writes, use_of_writes)?;
    let reads = checked(node, &request.reads, Use::Read)?;
    let total = |kind| ops.iter().filter(|op| op.kind == kind).map(|op| op.count as usize).sum();
    let (w, r, l): (usize, usize, usize) =
        (total(OpKind::Write), total(OpKind::Read), total(OpKind::Literal));
    if (w, r, l) != (writes.records(), reads.records(), request.literals.len()) {
        return Err("operations and records differ");
    }
    let blocking = match ticket {
        Some(ticket) if (w, r, l) == (1, 0, 0) => {
            let block = block_of(&writes).ok_or("a command that does not wait")?;
            Some(Blocking::new(ticket, block, request.block_ms.unwrap_or(0)))
        }
        Some(_) => return Err("more than the command that waits"),
        None => None,
    };
    Ok(Box::new(Segment {
        ops,
        writes,
        reads,
        literals: request.literals.into(),
        protocol,
        blocking,
        ..Segment::default()
    }))
}

/// How the only command of these records waits.
fn block_of(writes: &EntryWriter) -> Option<&'static Block> {
    let Ok(Some(Record::Command { args, .. })) = writes.reader().next_record() else { return None };
    match keyspace::lookup(&args)?.run {
        Run::Block(block) => Some(block),
        _ => None,
    }
}

/// What records are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Write,
    Read,
    /// To be attempted through the log, even if they only look.
    Block,
}

/// Records that dispatch would have let through.
fn checked(node: &Node, records: &Bytes, wanted: Use) -> Result<EntryWriter, &'static str> {
    let writer = EntryWriter::from_raw(records).map_err(|_| "malformed records")?;
    let mut reader = writer.reader();
    while let Ok(Some(record)) = reader.next_record() {
        match record {
            Record::Command { args, .. } => check(node, &args, wanted)?,
            Record::Transaction { commands, .. } => {
                for (_, args) in &commands {
                    // A writing transaction may read as well.
                    check(node, args, wanted).or_else(|_| check(node, args, Use::Read))?;
                }
            }
            Record::Waiter { .. } | Record::Ready { .. } => return Err("a leader's own record"),
        }
    }
    Ok(writer)
}

fn check(node: &Node, args: &[&[u8]], wanted: Use) -> Result<(), &'static str> {
    let command = keyspace::lookup(args).ok_or("unknown command")?;
    let fits = match command.run.attempt() {
        Run::Write(_) => wanted != Use::Read,
        Run::Read(_) => wanted != Use::Write,
        Run::Container(_) | Run::Block(_) => false,
    };
    if !fits || !command.spec.accepts(args.len()) {
        return Err("a command of the wrong kind");
    }
    let mut ours = true;
    command.spec.key_indexes(args, &mut |index| {
        ours &= node.topology.owner(slot_of(args[index])) == node.shard;
    })?;
    if ours { Ok(()) } else { Err("a key of another shard") }
}
