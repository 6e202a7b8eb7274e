//! What the groups of a node share on disk: the log, the checkpoint store and the node's identity.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::checkpoint::{self, CheckpointStore, SledStore};
use crate::log::{GroupLog, Log, LogOptions};
use crate::{Fsync, GroupId, NodeId, Trouble};

/// Where the log is, in the data directory.
const LOG_DIR: &str = "log";
/// Where the checkpoints are, in the data directory.
const CHECKPOINT_DIR: &str = "checkpoints";

/// Where a node keeps its data, and whose it is.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// The node's data directory, made if absent.
    pub dir: PathBuf,
    /// When an entry counts as written.
    pub fsync: Fsync,
    /// The cluster the directory belongs to.
    pub cluster: String,
    /// The node the directory belongs to.
    pub node: NodeId,
}

/// The shared storage of a node; cheap to clone. The directory is free for others when the last
/// clone and the last group are gone.
#[derive(Clone)]
pub struct Storage {
    log: Arc<Log>,
    checkpoints: Arc<dyn CheckpointStore>,
}

impl Storage {
    /// Opens or makes the storage; blocks on the disk. Refuses the directory of another cluster
    /// or node, and one it cannot read.
    pub fn open(options: &StorageOptions) -> Result<Storage, Trouble> {
        let made = fs::create_dir_all(&options.dir);
        made.map_err(|error| Trouble::Io {
            what: "make the data directory",
            path: options.dir.clone(),
            error,
        })?;
        // The log first: its directory is locked, so that nothing else runs on this one.
        let log_options = LogOptions { fsync: options.fsync, ..LogOptions::default() };
        let log = Log::open_dir(&options.dir.join(LOG_DIR), log_options)?;
        let store = SledStore::open(&options.dir.join(CHECKPOINT_DIR))?;
        Storage::from_parts(log, Arc::new(store), &options.cluster, options.node)
    }

    /// A storage of these parts, for simulations.
    pub(crate) fn from_parts(
        log: Log,
        checkpoints: Arc<dyn CheckpointStore>,
        cluster: &str,
        node: NodeId,
    ) -> Result<Storage, Trouble> {
        checkpoint::claim(&*checkpoints, cluster, node, log.groups().is_empty())?;
        Ok(Storage { log: Arc::new(log), checkpoints })
    }

    pub(crate) fn group_log(&self, group: GroupId) -> GroupLog {
        self.log.group(group)
    }

    pub(crate) fn checkpoint_store(&self) -> Arc<dyn CheckpointStore> {
        Arc::clone(&self.checkpoints)
    }
}
