//! Carries a segment to whoever may execute it, and tries again where that is safe.
//!
//! Invariants: a segment that may have been executed is never sent again; an error that says
//! "not executed" is true. Retries end at a deadline.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use raft::ReadError;
use resp::Reply;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::blocked::Ending;
use crate::exchange::{Exchange, Waiter};
use crate::machine::run_reads;
use crate::node::{Node, count, unix_ms};
use crate::segment::{Outcome, Segment};

/// Between two looks for a leader while there is none; a change wakes us sooner.
pub const LEADER_POLL: Duration = Duration::from_millis(20);

/// What a client reads when its writes may or may not have happened.
pub const UNKNOWN_OUTCOME: &str = "UNKNOWN leadership was lost before a quorum acknowledged the \
     command: it may or may not be executed";

/// What a client reads when nothing was executed because nobody leads.
pub const NO_LEADER: &str = "CLUSTERDOWN The shard has no leader: the command was not executed";

/// Where a finished segment is awaited.
pub trait Desk {
    /// Who waits, for the segment to carry, and the wait itself. `None`: whoever had the segment
    /// is gone, with the node.
    fn promise(&self) -> (Waiter, impl Future<Output = Option<Box<Segment>>>);

    /// Sends a segment with writes on its way into the log.
    fn submit(&self, node: &Node, segment: Box<Segment>);
}

/// A connection's desk: its place in its thread's exchange.
pub struct ConnectionDesk(pub Rc<Exchange>, pub usize);

impl Desk for ConnectionDesk {
    fn promise(&self) -> (Waiter, impl Future<Output = Option<Box<Segment>>>) {
        let ConnectionDesk(exchange, place) = self;
        (exchange.waiter(*place), async { Some(exchange.finished(*place).await) })
    }

    fn submit(&self, _node: &Node, segment: Box<Segment>) {
        self.0.submit(segment);
    }
}

/// The desk of a task of any runtime.
pub struct TaskDesk;

impl Desk for TaskDesk {
    #[expect(refining_impl_trait, reason = "whoever uses this desk needs to know that it is Send")]
    fn promise(&self) -> (Waiter, impl Future<Output = Option<Box<Segment>>> + Send) {
        let (sender, receiver) = oneshot::channel();
        (Waiter::Task(sender), async { receiver.await.ok() })
    }

    fn submit(&self, node: &Node, segment: Box<Segment>) {
        node.batcher.submit([segment]);
    }
}

/// Executes a segment on `shard`, wherever its leader is, and returns it with all its replies.
pub async fn execute(
    node: &Arc<Node>,
    desk: &impl Desk,
    shard: u32,
    mut segment: Box<Segment>,
) -> Box<Segment> {
    let mut deadline = Instant::now() + node.forward_timeout();
    loop {
        if let Some(ending) = ending(node, &segment) {
            segment.end_wait(ending);
            return segment;
        }
        segment = attempt(node, desk, shard, segment, deadline).await;
        match segment.outcome {
            Outcome::Done => return segment,
            Outcome::Unknown => {
                segment.refuse(&Reply::error(UNKNOWN_OUTCOME));
                return segment;
            }
            Outcome::NotLeader | Outcome::Pending => {}
        }
        let blocking = segment.blocking.as_ref();
        if blocking.is_some_and(|blocking| blocking.ticket.take_was_parked()) {
            // It had a leader until now.
            deadline = Instant::now() + node.forward_timeout();
        }
        if Instant::now() >= deadline {
            segment.refuse(&Reply::error(NO_LEADER));
            return segment;
        }
        segment.out.clear();
        segment.ends.clear();
        segment.outcome = Outcome::Pending;
        node.leader_changed(LEADER_POLL).await;
    }
}

/// Why a segment that may wait is to end rather than to be sent (on).
fn ending(node: &Node, segment: &Segment) -> Option<Ending> {
    let ticket = &segment.blocking.as_ref()?.ticket;
    ticket.ending().or(node.blocked.is_stopping().then_some(Ending::Stopping))
}

async fn attempt(
    node: &Arc<Node>,
    desk: &impl Desk,
    shard: u32,
    mut segment: Box<Segment>,
    deadline: Instant,
) -> Box<Segment> {
    let here = shard == node.shard && node.group.leads();
    let watch_kept_here = segment.watch.is_some();
    let watch_kept_away = segment.watch_session.is_some();
    if (here && watch_kept_away) || (!here && watch_kept_here) {
        // The leader changed since WATCH: the new one cannot know what happened in between.
        Reply::NullArray.encode(segment.protocol, &mut segment.out);
        segment.outcome = Outcome::Done;
        return segment;
    }
    if here {
        return lead(node, desk, segment).await;
    }
    let Some(leader) = node.leader_of(shard).filter(|&leader| leader != node.id) else {
        segment.outcome = Outcome::NotLeader;
        return segment;
    };
    count(&node.stats.forwarded, 1);
    let (waiter, finished) = desk.promise();
    segment.waiter = Some(waiter);
    node.links.send(leader, shard, segment, deadline);
    finished.await.unwrap_or_else(lost)
}

/// Executes a segment as the leader.
pub async fn lead(node: &Arc<Node>, desk: &impl Desk, mut segment: Box<Segment>) -> Box<Segment> {
    if segment.has_writes() {
        let (waiter, finished) = desk.promise();
        segment.waiter = Some(waiter);
        desk.submit(node, segment);
        return finished.await.unwrap_or_else(lost);
    }
    segment.outcome = match node.read_barrier().await {
        Ok(()) => match run_reads(&node.keyspace, &mut segment, unix_ms()) {
            Ok(()) => Outcome::Done,
            Err(what) => {
                // Only another node's records can be malformed; its client is told.
                tracing::warn!("refused forwarded reads: {what}");
                segment.refuse(&Reply::error("ERR malformed forwarded command"));
                Outcome::Done
            }
        },
        Err(ReadError::NotLeader { .. } | ReadError::NoQuorum) => Outcome::NotLeader,
    };
    segment
}

fn lost() -> Box<Segment> {
    Box::new(Segment { outcome: Outcome::Unknown, ..Segment::default() })
}
