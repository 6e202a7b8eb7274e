//! What a checkpoint store must be able to do; small, so that a model can stand in for it.

use crate::Trouble;

/// An ordered map of byte strings on disk.
///
/// A write is seen at once by every reader and durable after the next `flush`. A crash loses a
/// write that was not flushed whole or keeps it whole, never a part of it.
pub trait CheckpointStore: Send + Sync + 'static {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Trouble>;

    /// Applies all changes of the batch, or none.
    fn write(&self, batch: Batch) -> Result<(), Trouble>;

    /// Makes everything written durable.
    fn flush(&self) -> Result<(), Trouble>;

    /// All keys with this prefix, ascending.
    fn keys(&self, prefix: &[u8]) -> Result<Vec<Vec<u8>>, Trouble>;
}

/// Changes that are applied together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Key and new value; `None` removes the key.
    pub changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: usize,
}

impl Batch {
    /// Sets a key.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.bytes += key.len() + value.len();
        self.changes.push((key, Some(value)));
    }

    /// Removes a key.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.bytes += key.len();
        self.changes.push((key, None));
    }

    /// The size of its keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
