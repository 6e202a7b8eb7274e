//! Clients that wait (BLPOP): their segments are parked here, on the leader, until an attempt
//! finds something, their time is over, or they are gone.
//!
//! Which waiters an entry may serve is written into the entry (`boarding`), and apply serves them
//! directly behind the command that fed them, alike on every replica. What is here is not
//! replicated: who waits, since when, and for how long. What an entry could not know when it was
//! made, a key fed before its waiter was parked, makes the key *due*: the next entry says that it
//! is ready.
//!
//! Invariants: a waiter is in at most one entry under way (*boarded*), and until that comes back
//! it is not timed out, ended or moved, since it may have been served; a key that holds what a
//! waiter wants is due, or an entry under way serves it; first come, first served, by key.
//!
//! Leaves out: the attempts (`machine`), watching the client's socket (`connection`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use keyspace::Kind;
use keyspace::entry::{EntryWriter, Record};
use parking_lot::Mutex;
use raft::{Group, NodeId};
use resp::{Protocol, Reply};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::exchange::Deliveries;
use crate::segment::{Outcome, Segment};

mod boarding;
mod queues;
mod ticket;

pub use boarding::Boarded;
pub use queues::{Keys, Queues, Wanted};
pub use ticket::{Blocking, Ending, ParkedNote, Ticket, UNBLOCKED};

/// Parked segments of one node, its own clients' and other nodes'. By eye: ten times Redis' usual
/// `maxclients`, and at some 500 bytes each no trouble yet.
const PARKED_MAX: usize = 100_000;

/// Between two looks whether a quorum still follows.
const LOOK_AT_QUORUM: Duration = Duration::from_secs(1);

/// A leader without a quorum for this long keeps nobody waiting: others may lead by now, and be fed.
/// As long as a proposal waits for its answer.
const QUORUM_LOST: Duration = Duration::from_secs(5);

const TOO_MANY: &str = "ERR too many clients wait here";

/// See the module's documentation.
#[derive(Default)]
pub struct Blocked {
    /// Parked segments, so that apply skips the lock while there are none.
    count: AtomicUsize,
    /// Due keys, so that the proposer skips the lock while there are none.
    due: AtomicUsize,
    /// The node stops: nobody is parked any more.
    stopping: AtomicBool,
    last_ticket: AtomicU64,
    registry: Mutex<Registry>,
    /// There is a new earliest deadline.
    sooner: Notify,
}

#[derive(Default)]
struct Registry {
    /// The term in which this node leads; segments of entries of other terms are not parked.
    leading: Option<u64>,
    last_waiter: u64,
    /// By number, which is the order of arrival.
    parked: BTreeMap<u64, Parked>,
    queues: Queues,
    deadlines: BTreeSet<(Instant, u64)>,
    /// Keys that were fed while somebody waited whom the feeding entry did not name; with each the
    /// last waiter that an entry was told of since.
    due: BTreeMap<(u8, Vec<u8>), u64>,
}

struct Parked {
    segment: Box<Segment>,
    db: u8,
    waited: Vec<Vec<u8>>,
    fed: Option<Vec<u8>>,
    wanted: Wanted,
    /// The batch under way that names it.
    boarded: Option<u64>,
    /// Its deadline passed while it was boarded.
    late: bool,
    /// Leadership changed while it was boarded.
    stranded: bool,
}

/// How a batch came back that was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is certainly in no log.
    NotExecuted,
    /// Nobody knows.
    Unknown,
}

impl Blocked {
    /// A ticket for a client of this node.
    pub fn ticket(&self) -> Arc<Ticket> {
        Ticket::new(self.last_ticket.fetch_add(1, Ordering::Relaxed) + 1, None)
    }

    /// A ticket for a request of another node, which is told when it is parked.
    pub fn ticket_with_note(&self, note: oneshot::Sender<ParkedNote>) -> Arc<Ticket> {
        Ticket::new(self.last_ticket.fetch_add(1, Ordering::Relaxed) + 1, Some(note))
    }

    /// Whether anybody is parked.
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Whether a key is due.
    pub fn is_due(&self) -> bool {
        self.due.load(Ordering::Acquire) > 0
    }

    /// Whether the node stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Parks a segment whose attempt, in an entry of `term`, found nothing; its record is what to
    /// attempt from now on, `is_other` if the first was another one. Gives it back, with its
    /// outcome, if it may not wait here. Called by apply, in the order of the log.
    pub fn park(
        &self,
        mut segment: Box<Segment>,
        is_other: bool,
        term: u64,
    ) -> Result<(), Box<Segment>> {
        let blocking = segment.blocking.as_ref().expect("only a marked segment waits");
        let (ticket, deadline) = (blocking.ticket.clone(), blocking.deadline);
        let mut registry = self.registry.lock();
        if registry.leading != Some(term) || ticket.ending().is_some() || self.is_stopping() {
            // Nothing was executed: whoever sent it decides.
            segment.outcome = Outcome::NotLeader;
            return Err(segment);
        }
        if registry.parked.len() >= PARKED_MAX {
            segment.refuse(&Reply::error(TOO_MANY));
            segment.outcome = Outcome::Done;
            return Err(segment);
        }
        registry.last_waiter += 1;
        let waiter = registry.last_waiter;
        let later = match is_other {
            true => Bytes::copy_from_slice(segment.writes.raw()),
            false => Bytes::new(),
        };
        registry.insert(waiter, Parked::new(segment));
        let soonest = deadline.is_some_and(|at| {
            registry.deadlines.insert((at, waiter));
            registry.deadlines.first() == Some(&(at, waiter))
        });
        ticket.waiter.store(waiter, Ordering::Release);
        ticket.set_parked(true);
        self.note_counts(&registry);
        drop(registry);
        ticket.tell_parked(|| ParkedNote { later });
        if soonest {
            self.sooner.notify_one();
        }
        Ok(())
    }

    /// Whether somebody waits for a key. Called by apply for each change.
    pub fn waits_for(&self, db: u8, key: &[u8]) -> bool {
        self.any() && self.registry.lock().queues.get(db, key).is_some()
    }

    /// Looks, at the end of an entry that was `batch` (`None`: no batch of ours), at a key that it
    /// touched, or said was ready, and that holds `kind` now: whether there is one who may want it
    /// and whom the entry did not name.
    pub fn settle(
        &self,
        (db, key): (u8, &[u8]),
        kind: Option<Kind>,
        batch: Option<u64>,
        touched: bool,
    ) {
        let mut registry = self.registry.lock();
        let place = (db, key.to_vec());
        let told = registry.due.get(&place).copied();
        let Registry { queues, parked, .. } = &*registry;
        let those = |told: u64| {
            let queue = queues.get(db, key);
            queue
                .into_iter()
                .flat_map(move |queue| queue.who_may_want(kind))
                .filter(move |w| *w > told)
        };
        let named = |waiter: &u64| batch.is_some() && parked[waiter].boarded == batch;
        if touched && those(0).any(|waiter| !named(&waiter)) {
            registry.due.insert(place, 0);
        } else if told.is_some_and(|told| those(told).next().is_none()) {
            registry.due.remove(&place);
        }
        self.note_counts(&registry);
    }

    /// Writes into the entry of `batch` who waits for what `segments` may feed, and which keys are
    /// due.
    pub fn board(
        &self,
        batch: u64,
        segments: &[Box<Segment>],
        writer: &mut EntryWriter,
    ) -> Boarded {
        if !self.any() && !self.is_due() {
            return Boarded::default();
        }
        let mut registry = self.registry.lock();
        let boarded = registry.board(batch, segments, writer);
        self.note_counts(&registry);
        boarded
    }

    /// How a waiter's answer is to be encoded; `None`: it is not here, or wants no answer.
    pub fn encoding(&self, waiter: u64) -> Option<Protocol> {
        let registry = self.registry.lock();
        let segment = &registry.parked.get(&waiter)?.segment;
        (!segment.is_silent()).then_some(segment.protocol)
    }

    /// Takes out a waiter that was served.
    pub fn take(&self, waiter: u64) -> Option<Box<Segment>> {
        let mut registry = self.registry.lock();
        let parked = registry.remove(waiter);
        self.note_counts(&registry);
        parked.map(|parked| parked.segment)
    }

    /// A batch was applied: those whom it named and did not serve wait on, unless they were to end
    /// meanwhile.
    pub fn release(&self, boarded: &Boarded, deliveries: &mut Deliveries) {
        if boarded.waiters.is_empty() {
            return;
        }
        let mut registry = self.registry.lock();
        let ended = registry.release(&boarded.waiters);
        self.note_counts(&registry);
        drop(registry);
        ended.into_iter().for_each(|segment| deliveries.deliver(segment));
    }

    /// A batch came back without being applied here.
    pub fn fail(&self, boarded: Boarded, failure: Failure, deliveries: &mut Deliveries) {
        let mut registry = self.registry.lock();
        let ended = match failure {
            Failure::NotExecuted => {
                for (db, key) in boarded.ready {
                    if registry.queues.get(db, &key).is_some() {
                        registry.due.insert((db, key), 0);
                    }
                }
                registry.release(&boarded.waiters)
            }
            Failure::Unknown => {
                let taken: Vec<Parked> =
                    boarded.waiters.iter().filter_map(|waiter| registry.remove(*waiter)).collect();
                taken.into_iter().map(|parked| parked.ended_as(Outcome::Unknown)).collect()
            }
        };
        self.note_counts(&registry);
        drop(registry);
        ended.into_iter().for_each(|segment| deliveries.deliver(segment));
    }

    /// Ends a wait, wherever its segment is: at once if it is parked here and no entry under way
    /// names it.
    pub fn end(&self, ticket: &Ticket, ending: Ending) {
        ticket.end(ending);
        let mut registry = self.registry.lock();
        let waiter = ticket.waiter.load(Ordering::Acquire);
        let ended = registry.end(waiter);
        self.note_counts(&registry);
        drop(registry);
        deliver(ended);
    }

    /// Those who wait for some keys go on to whoever has them now, as after a change of leaders; a
    /// boarded one when its batch comes back.
    pub fn send_on(&self, is_one: impl Fn(&[u8]) -> bool, deliveries: &mut Deliveries) {
        if !self.any() {
            return;
        }
        let mut registry = self.registry.lock();
        let sent = registry.send_on(is_one);
        self.note_counts(&registry);
        drop(registry);
        sent.into_iter().for_each(|segment| deliveries.deliver(segment));
    }

    /// Nobody is parked any more, since the node stops.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// This node leads in `term`, or not at all: those who waited in another term go on to whoever
    /// leads now.
    pub fn lead(&self, term: Option<u64>) {
        let mut registry = self.registry.lock();
        let ended = registry.lead(term);
        self.note_counts(&registry);
        drop(registry);
        deliver(ended);
    }

    /// Ends the waits whose time is over at `now`.
    pub fn expire(&self, now: Instant) {
        let mut registry = self.registry.lock();
        let ended = registry.expire(now);
        self.note_counts(&registry);
        drop(registry);
        deliver(ended);
    }

    /// Ends waits when their time is over, for as long as the node lives.
    pub async fn keep_time(self: Arc<Blocked>) {
        loop {
            let next = self.registry.lock().deadlines.first().map(|(at, _)| *at);
            let over = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = over => self.expire(Instant::now()),
                () = self.sooner.notified() => {}
            }
        }
    }

    /// Follows the group's leadership, for as long as the node lives.
    pub async fn follow_leadership(self: Arc<Blocked>, group: Group, node: NodeId) {
        let mut leaders = group.watch_leader();
        let mut followed = Instant::now();
        let mut term = 0;
        loop {
            let known = *leaders.borrow_and_update();
            if known.term != term || group.lease_valid() {
                (term, followed) = (known.term, Instant::now());
            }
            let leads = known.leader == Some(node) && followed.elapsed() < QUORUM_LOST;
            self.lead(leads.then_some(known.term));
            let changed = tokio::time::timeout(LOOK_AT_QUORUM, leaders.changed()).await;
            if let Ok(Err(_)) = changed {
                return;
            }
        }
    }

    fn note_counts(&self, registry: &Registry) {
        self.count.store(registry.parked.len(), Ordering::Relaxed);
        self.due.store(registry.due.len(), Ordering::Release);
    }
}

fn deliver(segments: Vec<Box<Segment>>) {
    let mut deliveries = Deliveries::default();
    segments.into_iter().for_each(|segment| deliveries.deliver(segment));
    deliveries.flush();
}

impl Registry {
    fn insert(&mut self, waiter: u64, parked: Parked) {
        for key in &parked.waited {
            self.queues.add(parked.db, key, parked.wanted, waiter);
        }
        self.parked.insert(waiter, parked);
    }

    fn remove(&mut self, waiter: u64) -> Option<Parked> {
        let parked = self.parked.remove(&waiter)?;
        for key in &parked.waited {
            self.queues.remove(parked.db, key, parked.wanted, waiter);
        }
        if let Some(deadline) = parked.blocking().deadline {
            self.deadlines.remove(&(deadline, waiter));
        }
        parked.blocking().ticket.waiter.store(0, Ordering::Release);
        parked.blocking().ticket.set_parked(false);
        Some(parked)
    }

    /// No entry names these any more; returns those who do not wait on.
    fn release(&mut self, waiters: &[u64]) -> Vec<Box<Segment>> {
        let mut ended = Vec::new();
        for waiter in waiters {
            let Some(parked) = self.parked.get_mut(waiter) else { continue };
            parked.boarded = None;
            let stays =
                !parked.late && !parked.stranded && parked.blocking().ticket.ending().is_none();
            if !stays && let Some(parked) = self.remove(*waiter) {
                ended.push(parked.ended());
            }
        }
        ended
    }

    /// Ends a wait that was asked to; a boarded one ends when it is released.
    fn end(&mut self, waiter: u64) -> Vec<Box<Segment>> {
        if self.parked.get(&waiter).is_none_or(|parked| parked.boarded.is_some()) {
            return Vec::new();
        }
        self.remove(waiter).map(Parked::ended).into_iter().collect()
    }

    fn lead(&mut self, term: Option<u64>) -> Vec<Box<Segment>> {
        if self.leading == term {
            return Vec::new();
        }
        self.leading = term;
        self.due.clear();
        let mut free = Vec::new();
        for (waiter, parked) in &mut self.parked {
            parked.stranded = true;
            if parked.boarded.is_none() {
                free.push(*waiter);
            }
        }
        free.into_iter().filter_map(|waiter| Some(self.remove(waiter)?.ended())).collect()
    }

    fn send_on(&mut self, is_one: impl Fn(&[u8]) -> bool) -> Vec<Box<Segment>> {
        self.due.retain(|(_, key), _| !is_one(key));
        let mut free = Vec::new();
        for (waiter, parked) in &mut self.parked {
            if parked.waited.iter().any(|key| is_one(key)) {
                parked.stranded = true;
                if parked.boarded.is_none() {
                    free.push(*waiter);
                }
            }
        }
        free.into_iter().filter_map(|waiter| Some(self.remove(waiter)?.ended())).collect()
    }

    fn expire(&mut self, now: Instant) -> Vec<Box<Segment>> {
        let mut ended = Vec::new();
        while let Some((at, waiter)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            let parked = self.parked.get_mut(&waiter).expect("a deadline is of one who waits");
            parked.late = true;
            if parked.boarded.is_none() {
                ended.extend(self.remove(waiter).map(Parked::ended));
            }
        }
        ended
    }
}

impl Parked {
    fn new(segment: Box<Segment>) -> Parked {
        let mut records = segment.writes.reader();
        let Ok(Some(Record::Command { db, args })) = records.next_record() else {
            panic!("a segment that waits has one command");
        };
        let command = keyspace::lookup(&args).expect("the command was attempted just now");
        let keys = Keys::of(command, &args);
        let waited = keys.waited.into_iter().map(<[u8]>::to_vec).collect();
        let (fed, wanted) = (keys.fed.map(<[u8]>::to_vec), Wanted::by(command));
        drop(args);
        Parked { segment, db, waited, fed, wanted, boarded: None, late: false, stranded: false }
    }

    fn blocking(&self) -> &Blocking {
        self.segment.blocking.as_ref().expect("only a marked segment is parked")
    }

    /// The segment with the answer, if it is to have one: the client goes first, then the time,
    /// then leadership.
    fn ended(mut self) -> Box<Segment> {
        let ending = self.blocking().ticket.ending().or(self.late.then_some(Ending::TimedOut));
        match ending {
            Some(ending) => self.segment.end_wait(ending),
            None => self.segment.outcome = Outcome::NotLeader,
        }
        self.segment
    }

    /// The segment with an outcome; what only looks may be repeated, and was not executed.
    fn ended_as(mut self, outcome: Outcome) -> Box<Segment> {
        self.segment.outcome =
            if self.segment.is_repeatable() { Outcome::NotLeader } else { outcome };
        self.segment
    }
}

#[cfg(test)]
mod tests;
