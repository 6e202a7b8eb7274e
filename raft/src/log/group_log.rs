//! One group's log as openraft wants it.
//!
//! Entries are readable when `append` returns, and acknowledged by the callback. Truncation waits
//! until it is written, so that places and memory agree again before anything is appended; purging
//! does not wait.

use std::fmt::{self, Debug};
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};
use openraft::OptionalSend;
use openraft::storage::{IOFlushed, LogState, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;

use super::queue::Shared;
use super::record::{self, HEADER_BYTES};
use super::segment;
use super::state::{Found, GroupState, Place};
use super::writer::{Item, Op};
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// A reader hands out no more than this at once, or one entry: four of them still fit into what
/// tonic decodes by default (4 MiB), with room for a message's other fields.
pub(crate) const READ_BYTES_MAX: usize = 1 << 20;
/// An entry can move at most once per segment that is freed; more retries than this mean a bug.
const READ_ATTEMPTS_MAX: usize = 8;

/// One group's log: what openraft appends to.
pub(crate) struct GroupLog {
    reader: GroupReader,
}

/// Reads one group's log; cheap to clone.
#[derive(Clone)]
pub(crate) struct GroupReader {
    shared: Arc<Shared>,
    state: Arc<GroupState>,
}

impl GroupLog {
    pub(super) fn new(shared: Arc<Shared>, state: Arc<GroupState>) -> Self {
        Self { reader: GroupReader { shared, state } }
    }

    /// Reads without being able to append.
    pub(crate) fn reader(&self) -> GroupReader {
        self.reader.clone()
    }

    fn submit(&self, op: Op, done: Option<IOFlushed<TypeConfig>>) -> io::Result<()> {
        let group = Arc::clone(&self.reader.state);
        self.reader.shared.submit(Item { group, op, done })
    }

    /// Submits a request and waits until it is written, and durable if it is a vote.
    async fn submit_and_wait(&self, op: Op) -> io::Result<()> {
        let (sender, receiver) = TypeConfig::oneshot();
        self.submit(op, Some(IOFlushed::signal(sender)))?;
        receiver.await.map_err(|_| io::Error::other("the log was closed"))?
    }

    /// Checks what is about to be appended; nothing of it is taken if something is wrong.
    fn check(&self, entries: &[Entry]) -> io::Result<()> {
        let refused = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        let inner = self.reader.state.inner.lock();
        let mut expected = None;
        for entry in entries {
            let index = entry.log_id.index;
            if expected.map_or(!inner.accepts(index), |expected| index != expected) {
                let next = expected.unwrap_or(inner.next);
                return refused(format!("entry {index} where the log expects {next}"));
            }
            expected = Some(index + 1);
            if let openraft::EntryPayload::Normal(payload) = &entry.payload
                && payload.0.len() > record::RECORD_BYTES_MAX - HEADER_BYTES
            {
                return refused(format!("entry {index} is longer than a record may be"));
            }
        }
        Ok(())
    }
}

impl RaftLogStorage<TypeConfig> for GroupLog {
    type LogReader = GroupReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let inner = self.reader.state.inner.lock();
        Ok(LogState { last_purged_log_id: inner.purged, last_log_id: inner.last })
    }

    async fn get_log_reader(&mut self) -> GroupReader {
        self.reader()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        self.submit_and_wait(Op::Vote(*vote)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.reader.state.inner.lock().committed = committed;
        self.submit(Op::Committed(committed), None)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.reader.state.inner.lock().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: IOFlushed<TypeConfig>,
    ) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        self.reader.shared.wait_for_room().await?;
        self.check(&entries)?;
        {
            let mut inner = self.reader.state.inner.lock();
            for entry in &entries {
                inner.push(entry.clone());
            }
        }
        self.submit(Op::Append(entries), Some(callback))
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        self.reader.state.inner.lock().truncate(last_log_id);
        self.submit_and_wait(Op::Truncate(last_log_id)).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        {
            let mut inner = self.reader.state.inner.lock();
            if inner.purged.is_some_and(|purged| purged.index >= log_id.index) {
                return Ok(());
            }
            inner.purge(log_id);
        }
        self.submit(Op::Purge(log_id), None)
    }
}

impl RaftLogReader<TypeConfig> for GroupReader {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = bounds(&range);
        self.read(from, to, usize::MAX).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> Result<Vec<Entry>, io::Error> {
        if start < self.state.inner.lock().first() {
            // Purged while a follower was being served. Entries further on would leave a hole in
            // the follower's log; openraft takes nothing for a heartbeat and then for a snapshot.
            return Ok(Vec::new());
        }
        self.read(start, end, READ_BYTES_MAX).await
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = bounds(&range);
        let reader = self.clone();
        // In steps: after a restart the range may be longer than the memory.
        let steps = stream::try_unfold((reader, from), move |(reader, from)| async move {
            let entries = reader.read(from, to, READ_BYTES_MAX).await?;
            let next = entries.last().map(|entry| entry.log_id.index + 1);
            Ok::<_, io::Error>(next.map(|next| (stream::iter(entries).map(Ok), (reader, next))))
        });
        Box::pin(steps.try_flatten())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.state.inner.lock().placed.vote)
    }
}

impl GroupReader {
    /// The entries of a range that exist: all, or the first ones up to `bytes_max`, at least one.
    async fn read(&self, from: u64, to: u64, bytes_max: usize) -> io::Result<Vec<Entry>> {
        let found = self.state.inner.lock().find(from, to, bytes_max);
        let in_memory = found.iter().all(|found| matches!(found, Found::Memory(_)));
        if in_memory || !self.shared.options.thread {
            return self.gather(found);
        }
        let reader = self.clone();
        let read = tokio::task::spawn_blocking(move || reader.gather(found));
        read.await.map_err(io::Error::other)?
    }

    fn gather(&self, found: Vec<Found>) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::with_capacity(found.len());
        for found in found {
            match found {
                Found::Memory(entry) => entries.push(entry),
                Found::Disk(index, place) => entries.extend(self.fetch(index, place)?),
            }
        }
        Ok(entries)
    }

    /// Reads an entry back; `None` if it was purged meanwhile.
    fn fetch(&self, index: u64, place: Place) -> io::Result<Option<Entry>> {
        let mut place = place;
        for _ in 0..READ_ATTEMPTS_MAX {
            let error = match self.fetch_at(index, place) {
                Ok(entry) => return Ok(Some(entry)),
                Err(error) => error,
            };
            // The segment may have been freed under our hands: the entry purged, or moved.
            let now = self.state.inner.lock().find(index, index + 1, usize::MAX).pop();
            match now {
                None => return Ok(None),
                Some(Found::Memory(entry)) => return Ok(Some(entry)),
                Some(Found::Disk(_, new)) if new != place => place = new,
                Some(Found::Disk(..)) => {
                    tracing::error!(group = self.state.id, index, %error, "cannot read the log");
                    return Err(error);
                }
            }
        }
        Err(io::Error::other(format!("entry {index} moved faster than it could be read")))
    }

    fn fetch_at(&self, index: u64, place: Place) -> io::Result<Entry> {
        let path = self.shared.disk.path(&segment::segment_name(place.sequence));
        let damaged = |what: &str| {
            let text = format!("{} is corrupt at offset {}: {what}", path.display(), place.offset);
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        let open = self.shared.files.read().get(&place.sequence).cloned();
        let open = open.ok_or_else(|| damaged("the segment is gone"))?;
        let mut data = vec![0; place.bytes as usize];
        open.file
            .read_at(&mut data, u64::from(place.offset))
            .map_err(|error| io::Error::new(error.kind(), damaged(&error.to_string())))?;
        let record = record::decode(&data, place.sequence, open.salt)
            .ok_or_else(|| damaged("an entry's checksum is wrong"))?;
        let header = record.header;
        let end = HEADER_BYTES + record.body.len();
        let id = header.log_id().filter(|id| id.index == index && header.group == self.state.id);
        let id = id.ok_or_else(|| damaged("this is another entry"))?;
        let body = Bytes::from(data).slice(HEADER_BYTES..end);
        record::entry_from(id, header.kind, body).ok_or_else(|| damaged("this is no entry"))
    }
}

fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(index) => *index,
        Bound::Excluded(index) => index.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(index) => index.saturating_add(1),
        Bound::Excluded(index) => *index,
        Bound::Unbounded => u64::MAX,
    };
    (from, to)
}

impl fmt::Debug for GroupLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupLog").field("group", &self.reader.state.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for GroupReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupReader").field("group", &self.state.id).finish_non_exhaustive()
    }
}
