//! A Raft entry's payload: a batch of commands as bytes, versioned, decoded without copies.
//!
//! Layout: version, origin (node, batch), `now_ms`, `seed`, then records. Every length is checked.

use bytes::{Bytes, BytesMut};

use crate::keyspace::Clock;

/// Which open batch of which process became this entry, so that the leader finds who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Drawn at random when the process started.
    pub boot: u64,
    /// Counts that process' batches.
    pub batch: u64,
}

/// Builds one payload.
pub struct EntryWriter {
    _bytes: BytesMut,
}

/// Reads one payload, record by record.
pub struct EntryReader<'a> {
    _bytes: &'a [u8],
}

/// One record.
#[derive(Debug)]
pub enum Record<'a> {
    /// One command.
    Command {
        /// Its database.
        db: u8,
        /// Its arguments.
        args: resp::ArgVec<'a>,
    },
    /// MULTI ... EXEC: the commands run as one; if `watched` is not empty and a key of it was
    /// changed by an earlier record of this entry, nothing runs and the reply is null.
    Transaction {
        /// Database and key.
        watched: Vec<(u8, &'a [u8])>,
        /// The queued commands with their databases.
        commands: Vec<(u8, resp::ArgVec<'a>)>,
    },
}

/// A payload that does not decode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry payload: {0}")]
pub struct BadEntry(pub &'static str);

impl Default for EntryWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl EntryWriter {
    /// An empty payload; the header is filled in by [`EntryWriter::finish`].
    pub fn new() -> EntryWriter {
        todo!("new")
    }

    /// Appends one command.
    pub fn command(&mut self, db: u8, args: &[&[u8]]) {
        let _ = (db, args);
        todo!("command")
    }

    /// Appends one transaction.
    pub fn transaction<'a>(
        &mut self,
        watched: impl ExactSizeIterator<Item = (u8, &'a [u8])>,
        commands: impl ExactSizeIterator<Item = (u8, &'a [&'a [u8]])>,
    ) {
        let _ = (watched, commands);
        todo!("transaction")
    }

    /// Records appended.
    pub fn records(&self) -> usize {
        todo!("records")
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        todo!("bytes")
    }

    /// The payload; the writer is empty again and keeps its buffer's capacity where it can.
    pub fn finish(&mut self, origin: Origin, clock: Clock) -> Bytes {
        let _ = (origin, clock);
        todo!("finish")
    }
}

impl<'a> EntryReader<'a> {
    /// Checks version and header.
    pub fn new(bytes: &'a [u8]) -> Result<EntryReader<'a>, BadEntry> {
        let _ = bytes;
        todo!("new")
    }

    /// Whose batch it is.
    pub fn origin(&self) -> Origin {
        todo!("origin")
    }

    /// The entry's time and seed.
    pub fn clock(&self) -> Clock {
        todo!("clock")
    }

    /// The next record; `None` at the end.
    pub fn next_record(&mut self) -> Result<Option<Record<'a>>, BadEntry> {
        todo!("next_record")
    }
}
