//! A handle on one Raft group of this node.

mod barrier;
mod lease;
mod start;
mod transfer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use openraft::RaftMetrics;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use openraft::impls::ProgressResponder;
use openraft::raft::{ReadPolicy, VoteRequest};
use openraft::type_config::alias;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::Status;

use self::barrier::Barrier;
use self::lease::{Clock, Lease};
use self::start::GroupRaft;
use crate::checkpoint::Checkpoints;
use crate::types::{LogId, Payload, TypeConfig};
use crate::{GroupId, Machine, NodeId, Peers, Storage, Trouble};

/// The largest entry; above the largest value a client may send, below what a log record and a
/// message can hold.
pub const PAYLOAD_BYTES_MAX: usize = 768 * 1024 * 1024;
/// No node has this id.
const NO_LEADER: u64 = u64::MAX;

/// How long things take. Must be the same on all members: a leader's lease counts on the patience
/// of its followers, which is half of `election_ms_max`.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between a leader's heartbeats.
    pub heartbeat_ms: u64,
    /// Shortest time without a leader before an election.
    pub election_ms_min: u64,
    /// Longest time without a leader before an election.
    pub election_ms_max: u64,
}

impl Default for Timing {
    /// For one datacenter: an outage of some 0.5 s after a leader's death, while three
    /// heartbeats in a row may be late or lost, as happens when the processors are saturated.
    fn default() -> Timing {
        Timing { heartbeat_ms: 75, election_ms_min: 450, election_ms_max: 640 }
    }
}

/// What a group is started with.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// The group.
    pub group: GroupId,
    /// This node.
    pub node: NodeId,
    /// Everyone in the group with its peer address, this node included.
    pub members: Vec<(NodeId, String)>,
    /// Whether this node, and no other, may form the group when its disk is empty.
    pub bootstrap: bool,
    /// Timing.
    pub timing: Timing,
    /// A checkpoint is made after this many log entries...
    pub checkpoint_entries: u64,
    /// ...or this many bytes of log, whichever comes first.
    pub checkpoint_log_bytes: u64,
}

/// Why a proposal was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// This node does not lead, and the payload is certainly in no log: it was not executed.
    #[error("not the leader")]
    NotLeader {
        /// Who leads, if known.
        leader: Option<NodeId>,
    },
    /// Leadership was lost after the payload entered the log: it may or may not be executed.
    #[error("leadership was lost before the write was acknowledged")]
    Unknown,
    /// The payload is larger than [`PAYLOAD_BYTES_MAX`]; it was not executed.
    #[error("the entry is too large")]
    TooLarge,
    /// The group had stopped before; the payload was not executed.
    #[error("the group stopped")]
    Stopped,
}

/// Why a linearizable read could not be allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Another node leads, or none.
    #[error("not the leader")]
    NotLeader {
        /// Who leads, if known.
        leader: Option<NodeId>,
    },
    /// No quorum confirmed the leadership in time.
    #[error("no quorum")]
    NoQuorum,
}

/// A group's state, for INFO, CLUSTER NODES and the admin tool.
#[derive(Clone, Debug, Default)]
pub struct GroupStatus {
    /// The current term.
    pub term: u64,
    /// Who leads, as far as this node knows.
    pub leader: Option<NodeId>,
    /// Index of the last entry in this node's log.
    pub last_log: u64,
    /// Index of the last entry known to be committed.
    pub committed: u64,
    /// Index of the last entry applied here.
    pub applied: u64,
    /// Index up to which the last checkpoint reaches.
    pub checkpoint: u64,
    /// Index up to which the log was purged.
    pub purged: u64,
    /// On the leader: every other member and the index up to which its log matches.
    pub matched: Vec<(NodeId, Option<u64>)>,
    /// Voters.
    pub voters: Vec<NodeId>,
}

/// Who leads, as far as this node knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The current term.
    pub term: u64,
    /// Its leader, if known.
    pub leader: Option<NodeId>,
}

/// Why leadership was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Only a leader can hand over.
    #[error("not the leader")]
    NotLeader {
        /// Who leads, if known.
        leader: Option<NodeId>,
    },
    /// The target is no voter of this group.
    #[error("node {0} is no voter of this group")]
    NotVoter(NodeId),
    /// The target lags too far behind to lead soon.
    #[error("node {0} has not caught up")]
    Behind(NodeId),
    /// The target did not win an election in time; somebody will.
    #[error("node {0} did not take over in time")]
    Late(NodeId),
    /// The group stopped.
    #[error("the group stopped")]
    Stopped,
}

/// A handle on one Raft group; cheap to clone.
#[derive(Clone)]
pub struct Group {
    inner: Arc<Inner>,
}

struct Inner {
    options: GroupOptions,
    raft: GroupRaft,
    metrics: alias::WatchReceiverOf<TypeConfig, RaftMetrics<TypeConfig>>,
    checkpoints: Arc<Checkpoints>,
    /// [`NO_LEADER`]: nobody, as far as is known.
    leader: AtomicU64,
    term: AtomicU64,
    leads: AtomicBool,
    clock: Clock,
    /// The lease holds while the clock shows less. Changed only under the lease's lock.
    lease_until_ns: AtomicU64,
    lease: Mutex<GroupLease>,
    /// One at a time, so that the end of one does not bring back a lease that another gave up.
    transfers: tokio::sync::Mutex<()>,
    barrier: Barrier,
    leadership: watch::Sender<Leadership>,
    failed: watch::Sender<Option<String>>,
    stopping: AtomicBool,
    /// Until then this replica neither votes nor stands for election: it may have granted a lease
    /// before it restarted, and has forgotten.
    silent_until: Instant,
    runtime: tokio::runtime::Handle,
    /// The log closes when its last owner is gone, even if a reader or writer is left.
    _storage: Storage,
}

/// The lease, and what stands against it.
struct GroupLease {
    lease: Lease,
    /// In terms up to this one leadership was given away: no lease holds in them, since the
    /// followers were told not to respect it.
    given_away: u64,
}

impl Group {
    /// Starts the group's replica on this node, on the tokio runtime this is called from: its
    /// tasks stay there. The state is restored from the checkpoint and the committed log before
    /// this returns.
    pub async fn start(
        options: GroupOptions,
        storage: &Storage,
        machine: Arc<dyn Machine>,
        peers: &Peers,
    ) -> Result<Group, Trouble> {
        start::start(options, storage, machine, peers).await
    }

    /// The group's id.
    pub fn id(&self) -> GroupId {
        self.inner.options.group
    }

    /// Proposes one entry, which must not be empty; resolves when this node's machine has applied
    /// it. The machine itself answers whoever waits for the outcome. Never gives up by time.
    pub async fn propose(&self, payload: Bytes) -> Result<(), ProposeError> {
        assert!(!payload.is_empty(), "an empty entry could not be told from a leader's first");
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(ProposeError::TooLarge);
        }
        let (responder, outcome) = ProgressResponder::complete_only();
        let sent = self.inner.raft.client_write_ff(Payload(payload), Some(responder)).await;
        sent.map_err(|_| ProposeError::Stopped)?;
        match outcome.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(ClientWriteError::ForwardToLeader(to))) => {
                Err(ProposeError::NotLeader { leader: to.leader_id })
            }
            // Discarded for another leader's entry, or the group stopped with it in its log.
            Ok(Err(_)) | Err(_) => Err(ProposeError::Unknown),
        }
    }

    /// Whether a read of the machine is linearizable now: this node leads, has applied an entry of
    /// its own term, and no other node can have been elected since. Costs a clock reading; a read
    /// is as good as the moment of this check, however long it then takes.
    pub fn lease_valid(&self) -> bool {
        let inner = &self.inner;
        if !inner.leads.load(Ordering::Acquire) {
            return false;
        }
        inner.clock.boot_ns() < inner.lease_until_ns.load(Ordering::Acquire) || inner.renew_lease()
    }

    /// Waits until a read of the machine is linearizable, by asking a quorum. Those who wait at
    /// the same time share one round.
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        let (answer, start) = self.inner.barrier.join();
        if start {
            let inner = Arc::clone(&self.inner);
            self.inner.runtime.spawn(async move {
                inner.barrier.run(|| inner.confirm_leadership()).await;
            });
        }
        // The runtime ended under the round.
        answer.await.unwrap_or(Err(ReadError::NoQuorum))
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        let leader = self.inner.leader.load(Ordering::Acquire);
        (leader != NO_LEADER).then_some(leader)
    }

    /// Whether this node leads, as far as it knows.
    pub fn leads(&self) -> bool {
        self.inner.leads.load(Ordering::Acquire)
    }

    /// The current term.
    pub fn term(&self) -> u64 {
        self.inner.term.load(Ordering::Acquire)
    }

    /// A picture of the group for people and metrics; takes locks, so not for every request.
    pub fn status(&self) -> GroupStatus {
        let metrics = self.inner.metrics.borrow_watched().clone();
        let index = |id: &Option<LogId>| id.as_ref().map_or(0, LogId::index);
        let replication = metrics.replication.unwrap_or_default();
        let others = replication.into_iter().filter(|(node, _)| *node != metrics.id);
        GroupStatus {
            term: metrics.current_term,
            leader: metrics.current_leader,
            last_log: metrics.last_log_index.unwrap_or(0),
            committed: index(&metrics.local_committed),
            applied: index(&metrics.last_applied),
            checkpoint: index(&metrics.snapshot),
            purged: index(&metrics.purged),
            matched: others.map(|(node, id)| (node, id.map(|id| id.index()))).collect(),
            voters: metrics.membership_config.membership().voter_ids().collect(),
        }
    }

    /// Changes of term and leader.
    pub fn watch_leader(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.subscribe()
    }

    /// Hands leadership to another voter, and waits until this node sees it lead.
    pub async fn transfer_leader(&self, to: NodeId) -> Result<(), TransferError> {
        let inner = Arc::clone(&self.inner);
        // A task, which goes on if the caller goes away: what was given up must be settled.
        let transfer = async move { transfer::transfer(&inner, to).await };
        self.inner.runtime.spawn(transfer).await.unwrap_or(Err(TransferError::Stopped))
    }

    /// Waits until this node has applied the entry at `index`.
    pub async fn wait_applied(&self, index: u64) -> Result<(), Trouble> {
        let wait = self.inner.raft.wait(None);
        let applied = wait.applied_index_at_least(Some(index), "an entry to be applied").await;
        applied.map_err(|error| Trouble::Stopped(error.to_string()))?;
        Ok(())
    }

    /// Makes a checkpoint of everything applied, and waits until it is on disk.
    pub async fn checkpoint_now(&self) -> Result<(), Trouble> {
        let raft = &self.inner.raft;
        let Some(applied) = self.inner.metrics.borrow_watched().last_applied else {
            return Ok(());
        };
        let mut metrics = raft.metrics();
        while metrics.borrow_watched().snapshot < Some(applied) {
            // Asked for again until it is there: a checkpoint under way is not joined by another,
            // and may have been pinned before the entry in question.
            let stopped = |error: &dyn std::fmt::Display| Trouble::Stopped(error.to_string());
            raft.trigger().snapshot().await.map_err(|fatal| stopped(&fatal))?;
            metrics.changed().await.map_err(|_| stopped(&"raft stopped"))?;
        }
        Ok(())
    }

    /// Becomes `Some(sentence)` when the replica had to stop: a machine that cannot apply, a disk
    /// that cannot write, a corrupt checkpoint. The process should end with that sentence.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.inner.failed.subscribe()
    }

    /// Stops the replica; openraft's main task has ended when this returns. A group that is merely
    /// dropped goes on. The storage closes when the last handle on the group is gone.
    pub async fn shutdown(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
        // The only error is that the task panicked, and then it has ended too.
        let _ = self.inner.raft.shutdown().await;
    }

    pub(crate) fn raft(&self) -> &GroupRaft {
        &self.inner.raft
    }

    pub(crate) fn checkpoints(&self) -> &Arc<Checkpoints> {
        &self.inner.checkpoints
    }

    /// Refuses an election so soon after a restart that a lease this replica granted before might
    /// still hold; unless the leader itself asked for the election.
    pub(crate) fn may_vote(&self, request: &VoteRequest<TypeConfig>) -> Result<(), Status> {
        if request.leadership_transfer || Instant::now() >= self.inner.silent_until {
            return Ok(());
        }
        Err(Status::unavailable("restarted a moment ago, a leader may still count on its lease"))
    }
}

impl Inner {
    fn publish(&self, now: Leadership) {
        let leads = now.leader == Some(self.options.node);
        self.leads.store(leads, Ordering::Release);
        self.leader.store(now.leader.unwrap_or(NO_LEADER), Ordering::Release);
        self.term.store(now.term, Ordering::Release);
        let changed = self.leadership.send_if_modified(|before| {
            let changed = *before != now;
            *before = now;
            changed
        });
        if changed {
            // A lease of an earlier term says nothing about what this term's leader has applied.
            let _lease = self.lease.lock();
            self.lease_until_ns.store(0, Ordering::Release);
        }
    }

    /// Extends the lease by what a quorum answered lately.
    fn renew_lease(&self) -> bool {
        let mut lease = self.lease.lock();
        let now = self.clock.now();
        let until = {
            let metrics = self.metrics.borrow_watched();
            let term = metrics.current_term;
            let applied = metrics.last_applied.as_ref();
            let own = applied.is_some_and(|id| id.committed_leader_id().term == term);
            if !metrics.state.is_leader() || !own || term <= lease.given_away {
                return false;
            }
            if metrics.membership_config.membership().voter_ids().eq([self.options.node]) {
                Some(lease.lease.alone_until(now))
            } else {
                let sent = metrics.last_quorum_acked.as_ref().map(|sent| **sent);
                sent.and_then(|sent| lease.lease.until(now, self.clock.mono_ns(sent)))
            }
        };
        self.lease_until_ns.store(until.unwrap_or(0), Ordering::Release);
        until.is_some()
    }

    /// One round of a read barrier.
    async fn confirm_leadership(&self) -> Result<(), ReadError> {
        let asked = self.raft.get_read_linearizer(ReadPolicy::ReadIndex).await;
        let confirmed = asked.map_err(|error| match error {
            RaftError::APIError(LinearizableReadError::ForwardToLeader(to)) => {
                ReadError::NotLeader { leader: to.leader_id }
            }
            RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))
            | RaftError::Fatal(_) => ReadError::NoQuorum,
        })?;
        // What was committed by then must be applied here. Bounded, for the sake of a leader that
        // was deposed before its first entry could commit; generously, since a busy machine may
        // be behind in applying.
        let wait_max = self.options.timing.patience() * 4;
        match confirmed.try_await_ready(&self.raft, Some(wait_max)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ReadError::NoQuorum),
        }
    }
}

#[cfg(test)]
mod tests;
