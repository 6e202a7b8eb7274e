//! One replicated log per group: openraft, the log and checkpoints on disk, the network between
//! replicas.
//!
//! Knows nothing of Redis: payloads and units are opaque bytes. openraft, sled and the log engine
//! do not leave this crate.

mod group;
mod machine;
mod network;
mod storage;
mod trouble;
#[expect(dead_code)]
mod types;

pub use group::{
    Group, GroupOptions, GroupStatus, Leadership, ProposeError, ReadError, Timing, TransferError,
};
pub use machine::{Committed, Machine, Pinned, UnitId};
pub use network::{Groups, Peers, service};
pub use storage::{Fsync, Storage, StorageOptions};
pub use trouble::Trouble;

/// A replica's id, unique in its cluster and never reused after its disk is lost.
pub type NodeId = u64;
/// A Raft group's id: its shard's number.
pub type GroupId = u32;
