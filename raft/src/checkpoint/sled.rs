//! The store on disk: sled.
//!
//! Its calls block; nothing on an async task may make them. Its own background flushes are off:
//! a checkpoint decides when it is durable.

use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use sled::Db;

use super::store::{Batch, CheckpointStore};
use crate::Trouble;

/// Few records per leaf, since a chunk is large: with sled's usual 1,024 chunks are written eight
/// times slower.
const LEAF_FANOUT: usize = 8;
/// Chunks are read once, at a start or for a peer, so a cache serves little more than the tree's
/// own nodes; sled's usual 512 MiB would rival the data.
const CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The cheapest compression: state is written again and again, and read rarely.
const COMPRESSION_LEVEL: i32 = 1;

/// sled in a directory of its own.
pub(crate) struct SledStore {
    /// A handle is not `Sync`, and one call at a time is what a disk likes best.
    db: Mutex<Db<LEAF_FANOUT>>,
    path: PathBuf,
}

impl SledStore {
    /// Opens or makes the store.
    pub(crate) fn open(path: &Path) -> Result<SledStore, Trouble> {
        let config = sled::Config {
            path: path.to_path_buf(),
            cache_capacity_bytes: CACHE_BYTES_MAX,
            flush_every_ms: None,
            zstd_compression_level: COMPRESSION_LEVEL,
            ..sled::Config::default()
        };
        let db = config.open::<LEAF_FANOUT>().map_err(|error| {
            // Locked by another process, no permission, or unreadable: only the last asks for a
            // new installation, and sled reports it as one of these kinds.
            use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof, Unsupported};
            match error.kind() {
                InvalidData | InvalidInput | UnexpectedEof | Unsupported => Trouble::Corrupt(
                    format!("the checkpoint store {} is unreadable: {error}", path.display()),
                ),
                _ => Trouble::Io {
                    what: "open the checkpoint store",
                    path: path.to_path_buf(),
                    error,
                },
            }
        })?;
        Ok(SledStore { db: Mutex::new(db), path: path.to_path_buf() })
    }

    fn trouble(&self, what: &'static str) -> impl FnOnce(std::io::Error) -> Trouble + '_ {
        move |error| Trouble::Io { what, path: self.path.clone(), error }
    }
}

impl CheckpointStore for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
        let value = self.db.lock().get(key).map_err(self.trouble("read from"))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn write(&self, batch: Batch) -> Result<(), Trouble> {
        let mut changes = sled::Batch::default();
        for (key, value) in batch.changes {
            match value {
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        self.db.lock().apply_batch(changes).map_err(self.trouble("write to"))
    }

    fn flush(&self) -> Result<(), Trouble> {
        self.db.lock().flush().map_err(self.trouble("flush"))?;
        Ok(())
    }

    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
        let db = self.db.lock();
        let keys = db.scan_prefix(prefix).keys();
        keys.map(|key| Ok(key.map_err(self.trouble("read from"))?.to_vec())).collect()
    }
}
