//! The log: one ordered, checksummed, power-loss-safe queue for the entries, votes and marks of
//! all groups of a node.
//!
//! ```text
//! GroupLog --submit--> queue --one thread: write, fdatasync--> segments
//!    |                   |
//!    +--- state: tail in memory, places on disk ---- GroupReader
//! ```
//!
//! Invariants:
//! - A later write is never on the disk without an earlier one (one file at a time, and a segment
//!   is synced before its successor is begun).
//! - With [`Fsync::Always`] an entry's callback fires after the `fdatasync` that covers it. All
//!   that wait share one.
//! - A vote is durable before `save_vote` returns, whatever [`Fsync`] says: a vote forgotten in a
//!   power cut could elect two leaders in one term, and the entries of both would be believed.
//!   Votes are rare, so this costs nothing.
//! - After a failed write or sync the log is poisoned: nothing is written any more, every waiting
//!   and every later request gets the error. A sync is never tried twice, since the kernel forgets
//!   what it could not write. A restart reads back what is really there. A full disk is no
//!   exception; the error's kind is [`io::ErrorKind::StorageFull`] and a restart with free space
//!   finds a consistent log.
//! - Recovery refuses damage and never skips it; see `recovery`. Unacknowledged entries in a torn
//!   tail are dropped with a warning. The one case that cannot be told apart: damage to the very
//!   last write of a node that died before its log was idle for [`TICK`].
//!
//! The committed mark is a hint and waits for the next write or tick: losing it costs a restarted
//! node some patience, not correctness, because nothing is served before an entry of the new term
//! is applied.
//!
//! Left out: removing a group (its few entries are copied forward for ever), compression,
//! encryption.

mod group_log;
mod house;
mod queue;
mod record;
mod recovery;
mod segment;
mod state;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

pub(crate) use self::group_log::GroupLog;
use self::queue::Shared;
use self::state::{GroupState, Inner};
use self::writer::{Sizes, Writer};
use crate::GroupId;
use crate::disk::{Disk, File, RealDisk};

/// How long a segment is. Large enough that beginning one (three syncs) does not matter, small
/// enough that a purge frees space soon and recovery holds one in memory.
const SEGMENT_BYTES: u64 = 64 << 20;
/// A new segment is zero-filled in steps of this; see `Writer::write`.
const EXTENT_BYTES: u64 = 1 << 20;
/// Each group's newest entries stay in memory up to this, for followers that are a little behind
/// and for the state machine; older ones are read back from the disk.
const TAIL_BYTES_MAX: usize = 8 << 20;
/// How often leftovers are written, and with [`Fsync::EverySec`] everything is synced.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// When an entry's callback fires; named as Redis' `appendfsync`. Votes are always synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fsync {
    /// When the entry is on the disk. Loses nothing that was acknowledged.
    #[default]
    Always,
    /// When it was given to the operating system; synced each second. A power cut on a quorum of
    /// machines at once loses about a second; the crash of a process loses nothing.
    EverySec,
    /// When it was given to the operating system, which writes it when it likes, usually within
    /// half a minute. As above, but with more to lose, and damage to what was never synced passes
    /// for a torn tail.
    No,
}

/// How a log is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    /// When callbacks fire.
    pub(crate) fsync: Fsync,
    /// How long a segment is; at most 1 GiB, since offsets are 32 bits wide.
    pub(crate) segment_bytes: u64,
    /// How much of each group is kept in memory.
    pub(crate) tail_bytes_max: usize,
    /// Whether a thread writes. Without one everything happens in the caller, and ticks when the
    /// caller says so: for simulations that must not depend on the scheduler.
    pub(crate) thread: bool,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            fsync: Fsync::Always,
            segment_bytes: SEGMENT_BYTES,
            tail_bytes_max: TAIL_BYTES_MAX,
            thread: true,
        }
    }
}

/// Why a log cannot be opened. None of these is ever repaired by guessing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// Something that was durable is not as it was.
    #[error("{} is corrupt at offset {offset}: {what}", path.display())]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Where the damaged record begins.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// A segment that is needed is not there.
    #[error("{} is missing from the log", path.display())]
    Missing {
        /// The segment.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The segment or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

/// A segment's open file and the salt of its records.
#[derive(Clone, Debug)]
struct OpenSegment {
    file: Arc<dyn File>,
    salt: u32,
}

type Files = Arc<RwLock<BTreeMap<u64, OpenSegment>>>;
type Groups = Arc<Mutex<BTreeMap<GroupId, Arc<GroupState>>>>;

/// A node's log. Dropping it writes and syncs what is queued, and stops it.
pub(crate) struct Log {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Log {
    /// Opens the log in a directory, which is created if it is missing and locked.
    pub(crate) fn open_dir(directory: &Path, options: LogOptions) -> Result<Self, LogError> {
        let disk = RealDisk::open(directory)
            .map_err(|source| LogError::Io { path: directory.to_path_buf(), source })?;
        Self::open(Arc::new(disk), options)
    }

    /// Opens the log on a disk: reads everything back, and begins to accept requests.
    pub(crate) fn open(disk: Arc<dyn Disk>, options: LogOptions) -> Result<Self, LogError> {
        let files = Files::default();
        let recovered = recovery::recover(&*disk, &files)?;
        let groups = recovered.groups.into_iter().map(|(id, placed)| {
            (id, Arc::new(GroupState { id, inner: Mutex::new(Inner::recovered(placed)) }))
        });
        let groups: Groups = Arc::new(Mutex::new(groups.collect()));
        let sizes = Sizes {
            segment_bytes: options.segment_bytes.min(record::RECORD_BYTES_MAX as u64),
            extent_bytes: EXTENT_BYTES,
            tail_bytes_max: options.tail_bytes_max,
        };
        let start = || {
            let mut writer = Writer::start(
                Arc::clone(&disk),
                sizes,
                Arc::clone(&files),
                Arc::clone(&groups),
                recovered.start,
            )?;
            writer.clear_leftovers(recovered.leftovers)?;
            Ok(writer)
        };
        let writer =
            start().map_err(|source: io::Error| LogError::Io { path: disk.path(""), source })?;
        let shared = Arc::new(Shared::new(writer, Arc::clone(&disk), files, groups, options));
        let thread = options.thread.then(|| queue::spawn(&shared)).transpose();
        let thread = thread.map_err(|source| LogError::Io { path: disk.path(""), source })?;
        Ok(Self { shared, thread })
    }

    /// One group's part of the log. One handle at a time may append; any number may read.
    pub(crate) fn group(&self, id: GroupId) -> GroupLog {
        let mut groups = self.shared.groups.lock();
        let state = groups
            .entry(id)
            .or_insert_with(|| Arc::new(GroupState { id, inner: Mutex::new(Inner::default()) }));
        GroupLog::new(Arc::clone(&self.shared), Arc::clone(state))
    }

    /// The groups the log knows.
    pub(crate) fn groups(&self) -> Vec<GroupId> {
        self.shared.groups.lock().keys().copied().collect()
    }

    /// Does what the thread does each second: writes leftovers, and syncs with
    /// [`Fsync::EverySec`].
    #[cfg(test)]
    pub(crate) fn tick(&self) {
        self.shared.tick();
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its hook; there is nothing to add.
            let _ = thread.join();
        }
        self.shared.disk.close();
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("groups", &self.groups()).finish_non_exhaustive()
    }
}
