//! One replicated log per group: openraft, the log and checkpoints on disk, the network between
//! replicas.
//!
//! Knows nothing of Redis: payloads and units are opaque bytes. openraft, sled and the log engine
//! do not leave this crate.

mod checkpoint;
mod disk;
mod group;
mod log;
mod machine;
mod network;
mod pb;
mod state_machine;
mod storage;
mod trouble;
mod types;
mod wire;

pub use checkpoint::{Batch, CheckpointStore, MemoryStore};
pub use group::{
    Group, GroupOptions, GroupStatus, Leadership, PAYLOAD_BYTES_MAX, ProposeError, ReadError,
    Timing, TransferError,
};
pub use log::Fsync;
pub use machine::{Committed, Machine, Pinned, UnitId};
pub use network::{Caller, Groups, Identity, Peers, peer_server, service};
pub use storage::{Storage, StorageOptions};
pub use trouble::Trouble;

/// A replica's id, unique in its cluster and never reused after its disk is lost.
pub type NodeId = u64;
/// A Raft group's id: its shard's number.
pub type GroupId = u32;
