//! A handle on one Raft group of this node.

use crate::{GroupId, NodeId};

/// How long things take. Defaults suit one datacenter; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between a leader's heartbeats.
    pub heartbeat_ms: u64,
    /// Shortest time without a leader before an election.
    pub election_ms_min: u64,
    /// Longest time without a leader before an election.
    pub election_ms_max: u64,
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

/// A handle on one Raft group; cheap to clone.
#[derive(Clone)]
pub struct Group {}
