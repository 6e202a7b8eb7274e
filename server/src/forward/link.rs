//! The sending side: one link per node that we forward to.
//!
//! Invariant: a segment that was given to the stream and not answered has an unknown outcome if
//! it holds writes; one that was not given to it has certainly not been executed. One that waits
//! at the leader may have been served when the stream breaks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyspace::entry::EntryWriter;
use parking_lot::Mutex;
use raft::{Identity, NodeId, Peers};
use resp::Reply;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;

use super::proto::forward_client::ForwardClient;
use super::proto::{self, ExecuteRequest, ExecuteResponse};
use super::{MESSAGE_BYTES_MAX, REQUESTS_MAX, encode_ops, resp_version, stamped};
use crate::blocked::{Blocking, Ending, Ticket, UNBLOCKED};
use crate::exchange::Deliveries;
use crate::segment::{Outcome, Segment};

/// How often requests past their deadline are looked for: fine enough beside timeouts of seconds.
const SWEEP: Duration = Duration::from_millis(100);

/// Longest time to wait for a connection to the other node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// All links of a node.
pub struct Links {
    identity: Identity,
    peers: Peers,
    /// The runtime the links live on; callers are on I/O threads.
    runtime: Handle,
    next_id: AtomicU64,
    by_node: Mutex<HashMap<NodeId, mpsc::Sender<Parcel>>>,
}

/// What a link is asked to carry.
enum Parcel {
    /// Without a deadline while it waits at the leader, who ends the wait.
    Segment {
        request: ExecuteRequest,
        segment: Box<Segment>,
        deadline: Option<Instant>,
    },
    /// Ends the wait of the segment with this ticket, if it was carried here.
    EndWait {
        ticket: u64,
        ending: Ending,
    },
    Watch {
        request: ExecuteRequest,
        answer: oneshot::Sender<Option<u64>>,
        deadline: Instant,
    },
    Unwatch {
        request: ExecuteRequest,
    },
}

impl Links {
    /// Links from the node `identity` to `peers`, run on `runtime`.
    pub fn new(identity: Identity, peers: Peers, runtime: Handle) -> Links {
        Links { identity, peers, runtime, next_id: AtomicU64::new(1), by_node: Mutex::default() }
    }

    /// Sends a segment; it comes back to its waiter, whatever happens.
    pub fn send(&self, to: NodeId, shard: u32, segment: Box<Segment>, deadline: Instant) {
        let request = ExecuteRequest {
            ops: encode_ops(&segment.ops),
            resp: resp_version(segment.protocol),
            writes: segment.writes.raw().to_vec().into(),
            reads: segment.reads.raw().to_vec().into(),
            literals: segment.literals.to_vec().into(),
            session: segment.watch_session.unwrap_or(0),
            watched_exec: segment.watch_session.is_some(),
            block_ms: segment.blocking.as_ref().map(Blocking::left_ms),
            ..self.request(shard, deadline)
        };
        self.post(to, Parcel::Segment { request, segment, deadline: Some(deadline) });
    }

    /// Ends a wait at whichever leader it is. Lost with the stream, which ends it too.
    pub fn end_wait(&self, ticket: &Ticket, ending: Ending) {
        let senders: Vec<_> = self.by_node.lock().values().cloned().collect();
        for sender in senders {
            // A queue that is full or gone: whoever wants the wait to end asks again.
            let _ = sender.try_send(Parcel::EndWait { ticket: ticket.id, ending });
        }
    }

    /// Watches keys at the leader for a session here; the leader's term, or `None`: try again.
    pub async fn watch(
        &self,
        to: NodeId,
        shard: u32,
        session: u64,
        keys: &[(u8, Vec<u8>)],
        deadline: Instant,
    ) -> Option<u64> {
        let watched = |(db, key): &(u8, Vec<u8>)| proto::WatchedKey {
            db: u32::from(*db),
            key: key.clone().into(),
        };
        let request = ExecuteRequest {
            session,
            watch: keys.iter().map(watched).collect(),
            ..self.request(shard, deadline)
        };
        let (answer, answered) = oneshot::channel();
        self.post(to, Parcel::Watch { request, answer, deadline });
        answered.await.ok().flatten()
    }

    /// Ends a session's watch at the leader. Lost with the stream, which ends it too.
    pub fn unwatch(&self, to: NodeId, shard: u32, session: u64) {
        let request =
            ExecuteRequest { session, unwatch: true, ..self.request(shard, Instant::now()) };
        self.post(to, Parcel::Unwatch { request });
    }

    fn request(&self, shard: u32, deadline: Instant) -> ExecuteRequest {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        ExecuteRequest {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            shard,
            timeout_ms: u32::try_from(left).unwrap_or(u32::MAX),
            ..ExecuteRequest::default()
        }
    }

    fn post(&self, to: NodeId, parcel: Parcel) {
        let mut by_node = self.by_node.lock();
        let sender = match by_node.get(&to) {
            Some(sender) if !sender.is_closed() => sender.clone(),
            _ => {
                let (sender, parcels) = mpsc::channel(REQUESTS_MAX);
                by_node.insert(to, sender.clone());
                self.runtime.spawn(run(self.identity.clone(), self.peers.clone(), to, parcels));
                sender
            }
        };
        drop(by_node);
        if let Err(refused) = sender.try_send(parcel) {
            give_back(refused.into_inner(), Outcome::NotLeader, &mut Deliveries::default());
        }
    }
}

/// Returns a parcel that was not carried, or not answered.
fn give_back(parcel: Parcel, outcome: Outcome, deliveries: &mut Deliveries) {
    match parcel {
        Parcel::Segment { mut segment, .. } => {
            let blocking = segment.blocking.as_ref();
            let parked = blocking.is_some_and(|blocking| blocking.ticket.is_parked());
            if let Some(blocking) = blocking {
                blocking.ticket.set_parked(false);
            }
            if segment.is_repeatable() {
                segment.outcome = Outcome::NotLeader;
            } else if parked {
                // The leader may have served it at the last moment.
                segment.refuse(&Reply::error(UNBLOCKED));
                segment.outcome = Outcome::Done;
            } else {
                segment.outcome = outcome;
            }
            deliveries.deliver(segment);
            deliveries.flush();
        }
        // The receiver may have given up: it is told nothing then.
        Parcel::Watch { answer, .. } => {
            let _ = answer.send(None);
        }
        Parcel::Unwatch { .. } | Parcel::EndWait { .. } => {}
    }
}

/// Carries parcels until the stream breaks; the next parcel after that starts a new link.
async fn run(identity: Identity, peers: Peers, to: NodeId, mut parcels: mpsc::Receiver<Parcel>) {
    let mut carried = Carried::default();
    if let Err(why) = carry(&identity, &peers, to, &mut parcels, &mut carried).await {
        tracing::debug!(node = to, "forwarding link ended: {why}");
    }
    parcels.close();
    let mut deliveries = Deliveries::default();
    #[expect(clippy::iter_over_hash_type, reason = "each is given back alone, in any order")]
    for (_, parcel) in carried.parcels.drain() {
        give_back(parcel, Outcome::Unknown, &mut deliveries);
    }
    while let Some(parcel) = parcels.recv().await {
        give_back(parcel, Outcome::NotLeader, &mut deliveries);
    }
}

/// Given to the stream and not answered yet.
#[derive(Default)]
struct Carried {
    /// By the request's id.
    parcels: HashMap<u64, Parcel>,
    /// The requests that may wait, by their tickets.
    tickets: HashMap<u64, u64>,
    /// Requests given up here, whose waits the other node is still to be told to end.
    given_up: Vec<u64>,
}

async fn carry(
    identity: &Identity,
    peers: &Peers,
    to: NodeId,
    parcels: &mut mpsc::Receiver<Parcel>,
    carried: &mut Carried,
) -> Result<(), String> {
    let channel = peers.channel(to).ok_or("no address is known")?;
    let mut client = ForwardClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let (requests, outgoing) = mpsc::channel(REQUESTS_MAX);
    let opened = client.execute(stamped(identity, to, ReceiverStream::new(outgoing)));
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, opened).await;
    let opened = opened.map_err(|_| "no connection in time")?;
    let mut responses = opened.map_err(|status| status.to_string())?.into_inner();
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            biased;
            response = responses.message() => match response {
                Ok(Some(response)) => carried.answered(response),
                Ok(None) => return Ok(()),
                Err(status) => return Err(status.to_string()),
            },
            next = next_parcel(&requests, parcels) => {
                let Some((room, parcel)) = next else { return Ok(()) };
                if let Some(request) = carried.load(parcel) {
                    room.send(request);
                }
            }
            _ = sweep.tick() => carried.sweep(),
            room = requests.reserve(), if !carried.given_up.is_empty() => {
                let Ok(room) = room else { return Ok(()) };
                let id = carried.given_up.pop().expect("there is one");
                room.send(end_wait(id, Ending::Gone));
            }
        }
    }
}

/// The next parcel and room for it; may be cancelled without losing either. While the stream does
/// not drain, parcels wait in their own bounded queue.
async fn next_parcel<'a>(
    requests: &'a mpsc::Sender<ExecuteRequest>,
    parcels: &mut mpsc::Receiver<Parcel>,
) -> Option<(mpsc::Permit<'a, ExecuteRequest>, Parcel)> {
    let room = requests.reserve().await.ok()?;
    let parcel = parcels.recv().await?;
    Some((room, parcel))
}

fn end_wait(id: u64, ending: Ending) -> ExecuteRequest {
    let ending = match ending {
        Ending::Gone => proto::Ending::Gone,
        Ending::TimedOut => proto::Ending::TimedOut,
        Ending::Unblocked => proto::Ending::Unblocked,
        Ending::Stopping => proto::Ending::Stopping,
    };
    ExecuteRequest { id, ending: ending.into(), ..ExecuteRequest::default() }
}

impl Carried {
    /// Keeps a parcel under its id and returns the message to send, if there is one.
    fn load(&mut self, mut parcel: Parcel) -> Option<ExecuteRequest> {
        let request = match &mut parcel {
            Parcel::Segment { request, .. }
            | Parcel::Watch { request, .. }
            | Parcel::Unwatch { request } => std::mem::take(request),
            Parcel::EndWait { ticket, ending } => {
                return self.tickets.get(ticket).map(|id| end_wait(*id, *ending));
            }
        };
        if let Parcel::Segment { segment, .. } = &parcel
            && let Some(Blocking { ticket, .. }) = &segment.blocking
        {
            if ticket.ending().is_some() {
                give_back(parcel, Outcome::NotLeader, &mut Deliveries::default());
                return None;
            }
            self.tickets.insert(ticket.id, request.id);
        }
        if !matches!(parcel, Parcel::Unwatch { .. }) {
            self.parcels.insert(request.id, parcel);
        }
        Some(request)
    }

    fn remove(&mut self, id: u64) -> Option<Parcel> {
        let parcel = self.parcels.remove(&id)?;
        if let Parcel::Segment { segment, .. } = &parcel
            && let Some(Blocking { ticket, .. }) = &segment.blocking
        {
            self.tickets.remove(&ticket.id);
        }
        Some(parcel)
    }

    /// The request waits at the leader: it ends the wait, however long that takes.
    fn parked(&mut self, response: ExecuteResponse) {
        let Some(Parcel::Segment { segment, deadline, .. }) = self.parcels.get_mut(&response.id)
        else {
            return;
        };
        let Some(blocking) = &mut segment.blocking else { return };
        blocking.ticket.set_parked(true);
        *deadline = None;
        // A record that does not decode is left to the next leader, which refuses it.
        if !response.later.is_empty()
            && let Ok(later) = EntryWriter::from_raw(&response.later)
        {
            segment.writes = later;
        }
    }

    /// Hands a response to who waits; one that came too late is dropped.
    fn answered(&mut self, response: ExecuteResponse) {
        if response.outcome() == proto::Outcome::Parked {
            return self.parked(response);
        }
        match self.remove(response.id) {
            Some(Parcel::Segment { mut segment, .. }) => {
                segment.outcome = match response.outcome() {
                    proto::Outcome::Done => Outcome::Done,
                    proto::Outcome::Unknown => Outcome::Unknown,
                    proto::Outcome::NotLeader | proto::Outcome::Parked => Outcome::NotLeader,
                };
                if let Some(blocking) = &segment.blocking {
                    blocking.ticket.set_parked(false);
                }
                segment.index = response.index;
                segment.ends = response.ends;
                segment.out.extend_from_slice(&response.replies);
                let mut deliveries = Deliveries::default();
                deliveries.deliver(segment);
                deliveries.flush();
            }
            Some(Parcel::Watch { answer, .. }) => {
                let kept = response.outcome() == proto::Outcome::Done;
                // The connection may be gone; its end is told by an unwatch.
                let _ = answer.send(kept.then_some(response.term));
            }
            Some(Parcel::Unwatch { .. } | Parcel::EndWait { .. }) | None => {}
        }
    }

    /// Gives back what is past its deadline.
    fn sweep(&mut self) {
        let now = Instant::now();
        let late = |parcel: &Parcel| match parcel {
            Parcel::Segment { deadline, .. } => deadline.is_some_and(|deadline| deadline <= now),
            Parcel::Watch { deadline, .. } => *deadline <= now,
            Parcel::Unwatch { .. } | Parcel::EndWait { .. } => true,
        };
        let mut deliveries = Deliveries::default();
        for (id, parcel) in self.parcels.extract_if(|_, parcel| late(parcel)) {
            if let Parcel::Segment { segment, .. } = &parcel
                && let Some(Blocking { ticket, .. }) = &segment.blocking
            {
                self.tickets.remove(&ticket.id);
                self.given_up.push(id);
            }
            give_back(parcel, Outcome::Unknown, &mut deliveries);
        }
    }
}
