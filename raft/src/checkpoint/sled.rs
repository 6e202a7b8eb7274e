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

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(changes: &[(&str, Option<&str>)]) -> Batch {
        let mut batch = Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(key.as_bytes().to_vec(), value.as_bytes().to_vec()),
                None => batch.remove(key.as_bytes().to_vec()),
            }
        }
        batch
    }

    #[test]
    fn what_was_flushed_is_there_when_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        store.write(batch(&[("a1", Some("x")), ("a2", Some("y")), ("b1", Some("z"))])).unwrap();
        store.write(batch(&[("a1", None), ("a3", Some("w"))])).unwrap();
        store.flush().unwrap();
        drop(store);
        let store = SledStore::open(dir.path()).unwrap();
        assert_eq!(store.get(b"a1").unwrap(), None);
        assert_eq!(store.get(b"a2").unwrap().unwrap(), b"y");
        assert_eq!(store.keys(b"a").unwrap(), [b"a2".to_vec(), b"a3".to_vec()]);
        assert_eq!(store.keys(b"").unwrap().len(), 3);
    }

    #[test]
    fn a_store_that_is_garbage_is_refused_not_emptied() {
        let dir = tempfile::tempdir().unwrap();
        let store = SledStore::open(dir.path()).unwrap();
        store.write(batch(&[("a", Some("x"))])).unwrap();
        store.flush().unwrap();
        drop(store);
        let mut garbled = 0;
        let mut dirs = vec![dir.path().to_path_buf()];
        while let Some(at) = dirs.pop() {
            for entry in std::fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if std::fs::metadata(&path).unwrap().len() > 0 {
                    let length = std::fs::metadata(&path).unwrap().len() as usize;
                    std::fs::write(&path, vec![0x5a; length]).unwrap();
                    garbled += 1;
                }
            }
        }
        assert!(garbled > 0);
        let Err(trouble) = SledStore::open(dir.path()) else { panic!("garbage was opened") };
        assert!(matches!(trouble, Trouble::Corrupt(_)), "{trouble}");
    }
}
