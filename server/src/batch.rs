//! The shard's open batch: segments with writes on their way into the log.
//!
//! A batch closes as soon as the previous one came back (natural batching): while one is in
//! flight the next grows, which on few cores beats deeper pipelines. When the round trip rather
//! than the CPU is the limit, more fly at once. One batch is one Raft entry.
//!
//! Invariant: a batch with a watched EXEC flies alone, see `watch`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use keyspace::Clock;
use keyspace::entry::{EntryWriter, Origin};
use parking_lot::Mutex;
use raft::{Group, ProposeError};
use resp::Reply;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::blocked::{Blocked, Boarded, Failure};
use crate::exchange::Deliveries;
use crate::node::unix_ms;
use crate::segment::{Outcome, Segment};
use crate::settings::Settings;

/// Batches in flight at once: enough to hide a round trip of several times [`DEEPEN_AFTER`].
const IN_FLIGHT_MAX: usize = 4;

/// A batch that is out for longer than this is waiting for a far network, not for the CPU or a
/// disk, so another may follow it. A local quorum takes about a millisecond; a slow disk's sync
/// some ten, and there a second batch would only split what one sync can carry.
const DEEPEN_AFTER: Duration = Duration::from_millis(20);

/// A batch without an answer for this long is given up with an unknown outcome: the leader has
/// lost its quorum. Several elections long, and shorter than common clients' own timeouts.
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a client reads whose one command is larger than an entry can be.
const TOO_LARGE: &str = "ERR the command is too large for the log: it was not executed";

/// Segments waiting for a batch, and those in flight by batch number.
pub struct Batcher {
    waiting: Mutex<VecDeque<Box<Segment>>>,
    arrived: Notify,
    in_flight: Mutex<HashMap<u64, Flight>>,
    blocked: Arc<Blocked>,
    /// Drawn at random when the process started, so that an entry of an earlier life is never
    /// taken for one of ours.
    boot: u64,
    settings: Arc<Settings>,
}

/// Who waits for a batch's entry.
pub struct Flight {
    /// The segments in it, in order.
    pub segments: Vec<Box<Segment>>,
    /// The parked ones that it may serve.
    pub boarded: Boarded,
}

impl Batcher {
    /// A batcher of a process that drew `boot`.
    pub fn new(boot: u64, settings: Arc<Settings>, blocked: Arc<Blocked>) -> Batcher {
        Batcher {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            in_flight: Mutex::default(),
            blocked,
            boot,
            settings,
        }
    }

    /// Queues segments with writes. Bounded, since a connection has at most one under way.
    pub fn submit(&self, segments: impl IntoIterator<Item = Box<Segment>>) {
        self.waiting.lock().extend(segments);
        self.arrived.notify_one();
    }

    /// Looks again whether there is anything to propose.
    pub fn wake(&self) {
        self.arrived.notify_one();
    }

    /// Who waits for a committed entry, if this process proposed it and still waits.
    pub fn take(&self, origin: Origin) -> Option<Flight> {
        if origin.boot != self.boot {
            return None;
        }
        self.in_flight.lock().remove(&origin.batch)
    }

    /// Makes one entry of segments and of those who wait for what they may feed, and keeps them as
    /// `batch`; `None`: there is nothing.
    pub fn close(&self, batch: u64, segments: Vec<Box<Segment>>, now_ms: u64) -> Option<Bytes> {
        if segments.is_empty() && !self.blocked.is_due() {
            return None;
        }
        let mut writer =
            EntryWriter::with_capacity(segments.iter().map(|s| s.writes.bytes()).sum());
        let boarded = self.blocked.board(batch, &segments, &mut writer);
        if segments.is_empty() && boarded.is_empty() {
            return None;
        }
        for segment in &segments {
            writer.append(&segment.writes);
        }
        let origin = Origin { boot: self.boot, batch };
        // The seed need not be secret, only the same on every replica and never the same twice.
        let seed = self.boot ^ batch.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let payload = writer.finish(origin, Clock { now_ms, seed });
        self.in_flight.lock().insert(batch, Flight { segments, boarded });
        Some(payload)
    }

    /// Proposes batches for as long as the node lives.
    pub async fn run(self: Arc<Batcher>, group: Group) {
        let mut proposer = Proposer { batcher: self.clone(), group, next_batch: 0, alone: false };
        let mut flights = FuturesUnordered::new();
        let mut departed = Instant::now();
        loop {
            let overdue = departed.elapsed() >= DEEPEN_AFTER;
            let room =
                flights.is_empty() || (overdue && flights.len() < IN_FLIGHT_MAX && !proposer.alone);
            if room && let Some(flight) = proposer.depart(flights.is_empty()) {
                flights.push(flight);
                departed = Instant::now();
                continue;
            }
            tokio::select! {
                biased;
                Some((batch, result)) = flights.next() => {
                    proposer.alone = false;
                    self.landed(batch, result);
                }
                () = self.arrived.notified(), if room => {}
                () = tokio::time::sleep_until(departed + DEEPEN_AFTER), if !overdue => {}
            }
        }
    }

    /// A batch came back. If it was applied, `take` already removed its segments.
    pub fn landed(&self, batch: u64, result: Result<(), ProposeError>) {
        let Some(flight) = self.in_flight.lock().remove(&batch) else { return };
        let (outcome, failure) = match result {
            Err(ProposeError::NotLeader { .. }) => (Outcome::NotLeader, Failure::NotExecuted),
            Err(ProposeError::TooLarge) => (Outcome::Done, Failure::NotExecuted),
            _ => (Outcome::Unknown, Failure::Unknown),
        };
        let mut deliveries = Deliveries::default();
        for mut segment in flight.segments {
            segment.outcome = outcome;
            if outcome == Outcome::Done {
                segment.refuse(&Reply::error(TOO_LARGE));
            } else if segment.is_repeatable() {
                segment.outcome = Outcome::NotLeader;
            }
            deliveries.deliver(segment);
        }
        self.blocked.fail(flight.boarded, failure, &mut deliveries);
        deliveries.flush();
    }
}

/// The proposing side's own state.
struct Proposer {
    batcher: Arc<Batcher>,
    group: Group,
    next_batch: u64,
    /// The batch in flight holds a watched EXEC: nothing may follow it yet.
    alone: bool,
}

impl Proposer {
    /// Closes the open batch and proposes it; `None`: there is nothing that may go now.
    fn depart(
        &mut self,
        nothing_in_flight: bool,
    ) -> Option<impl Future<Output = (u64, Result<(), ProposeError>)> + use<>> {
        let segments = self.board(nothing_in_flight);
        let batch = self.next_batch;
        let payload = self.batcher.close(batch, segments, unix_ms())?;
        self.next_batch += 1;
        let group = self.group.clone();
        Some(async move {
            let proposed = tokio::time::timeout(PROPOSE_TIMEOUT, group.propose(payload)).await;
            (batch, proposed.unwrap_or(Err(ProposeError::Unknown)))
        })
    }

    /// Takes waiting segments up to the batch's limits (one segment at least), and answers the watched EXECs whose keys
    /// changed.
    fn board(&mut self, nothing_in_flight: bool) -> Vec<Box<Segment>> {
        let mut boarded = Vec::new();
        let (mut bytes, mut commands) = (0, 0);
        let bytes_max = self.batcher.settings.batch_bytes_max();
        let commands_max = self.batcher.settings.batch_commands_max();
        let mut deliveries = Deliveries::default();
        let mut waiting = self.batcher.waiting.lock();
        while let Some(next) = waiting.front() {
            let full = bytes + next.writes.bytes() > bytes_max
                || commands + next.writes.records() > commands_max;
            if (full && !boarded.is_empty()) || (next.watch.is_some() && !nothing_in_flight) {
                break;
            }
            let mut segment = waiting.pop_front().expect("it has a front");
            let ticket = segment.blocking.as_ref().map(|blocking| &blocking.ticket);
            if ticket.is_some_and(|ticket| ticket.ending().is_some()) {
                // Not executed, so that nothing is popped for a client that is gone.
                segment.outcome = Outcome::NotLeader;
                deliveries.deliver(segment);
                continue;
            }
            match &segment.watch {
                Some(flag) if flag.is_set() => {
                    Reply::NullArray.encode(segment.protocol, &mut segment.out);
                    segment.outcome = Outcome::Done;
                    deliveries.deliver(segment);
                    continue;
                }
                Some(_) => self.alone = true,
                None => {}
            }
            bytes += segment.writes.bytes();
            commands += segment.writes.records();
            boarded.push(segment);
        }
        drop(waiting);
        deliveries.flush();
        boarded
    }
}
