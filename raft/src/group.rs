//! A handle on one Raft group of this node.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use crate::{GroupId, Machine, NodeId, Peers, Storage, Trouble};

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
    /// For one datacenter: an outage of about half a second after a leader's death, while four
    /// heartbeats in a row may be late or lost, as happens when the processors are saturated.
    fn default() -> Timing {
        Timing { heartbeat_ms: 75, election_ms_min: 450, election_ms_max: 700 }
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
    /// The group stopped.
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
pub struct Group {}

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
        let _ = (options, storage, machine, peers);
        todo!()
    }

    /// The group's id.
    pub fn id(&self) -> GroupId {
        todo!()
    }

    /// Proposes one entry; resolves when this node's machine has applied it. The machine itself
    /// answers whoever waits for the outcome. Never gives up by time.
    pub async fn propose(&self, payload: Bytes) -> Result<(), ProposeError> {
        let _ = payload;
        todo!()
    }

    /// Whether a read of the machine is linearizable now: this node leads, has applied an entry of
    /// its own term, and no other node can have been elected since. Costs a clock reading; a read
    /// is as good as the moment of this check, however long it then takes.
    pub fn lease_valid(&self) -> bool {
        todo!()
    }

    /// Waits until a read of the machine is linearizable, by asking a quorum. Those who wait at
    /// the same time share one round.
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        todo!()
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<NodeId> {
        todo!()
    }

    /// Whether this node leads, as far as it knows.
    pub fn leads(&self) -> bool {
        todo!()
    }

    /// The current term.
    pub fn term(&self) -> u64 {
        todo!()
    }

    /// A picture of the group for people and metrics; takes locks, so not for every request.
    pub fn status(&self) -> GroupStatus {
        todo!()
    }

    /// Changes of term and leader.
    pub fn watch_leader(&self) -> watch::Receiver<Leadership> {
        todo!()
    }

    /// Hands leadership to another voter, and waits until this node sees it lead.
    pub async fn transfer_leader(&self, to: NodeId) -> Result<(), TransferError> {
        let _ = to;
        todo!()
    }

    /// Waits until this node has applied the entry at `index`.
    pub async fn wait_applied(&self, index: u64) -> Result<(), Trouble> {
        let _ = index;
        todo!()
    }

    /// Makes a checkpoint of everything applied, and waits until it is on disk.
    pub async fn checkpoint_now(&self) -> Result<(), Trouble> {
        todo!()
    }

    /// Becomes `Some(sentence)` when the replica had to stop: a machine that cannot apply, a disk
    /// that cannot write, a corrupt checkpoint. The process should end with that sentence.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        todo!()
    }

    /// Stops the replica; its tasks have ended when this returns.
    pub async fn shutdown(&self) {
        todo!()
    }
}
