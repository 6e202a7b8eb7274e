//! Puts records on the disk, in one order for all groups.
//!
//! Invariants: records are written in the order they were given. A segment is synced before the
//! next one is begun. A group's state is told ([`Effect`]) only what has been written, and a
//! callback says yes only when its records are as durable as was asked. After any error nothing
//! more is written: the caller poisons the log.
//!
//! Left out: when to sync and who waits, which is `queue`'s business.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use openraft::storage::IOFlushed;

use super::record::{self, Header, Kind, Stamp};
use super::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use super::state::{GroupState, Place};
use super::{Files, Groups, OpenSegment};
use crate::disk::{Disk, File};
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// A write is handed to the kernel when this much has been gathered: large enough that the call
/// costs nothing, small enough to stay in the processor's cache.
const WRITE_BYTES_MAX: usize = 1 << 20;
/// A buffer that one huge entry made larger than this is given back.
const BUFFER_BYTES_KEPT: usize = 4 << 20;
/// What a group asks for.
#[derive(Debug)]
pub(super) enum Op {
    Append(Vec<Entry>),
    Vote(Vote),
    Committed(Option<LogId>),
    Truncate(Option<LogId>),
    Purge(LogId),
}

/// A request in the queue.
pub(super) struct Item {
    pub(super) group: Arc<GroupState>,
    pub(super) op: Op,
    pub(super) done: Option<IOFlushed<TypeConfig>>,
}

/// What becomes true when the records written so far are durable enough.
pub(super) enum Effect {
    Placed(Arc<GroupState>, LogId, Place),
    Moved(Arc<GroupState>, u64, Place),
    Vote(Arc<GroupState>, Vote),
    Committed(Arc<GroupState>, Option<LogId>),
    Truncated(Arc<GroupState>, Option<LogId>),
    Purged(Arc<GroupState>, LogId),
    Done(IOFlushed<TypeConfig>),
}

/// The sizes a writer works with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) segment_bytes: u64,
    pub(super) extent_bytes: u64,
    pub(super) tail_bytes_max: usize,
}

/// The end of the log.
pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) sizes: Sizes,
    pub(super) files: Files,
    pub(super) groups: Groups,
    /// Bytes of live entries in each segment; every segment of the log is here.
    pub(super) live: BTreeMap<u64, u64>,
    pub(super) spares: Vec<String>,
    current: Current,
    buffer: Vec<u8>,
    pub(super) effects: Vec<Effect>,
    done: Vec<IOFlushed<TypeConfig>>,
    /// Entries were dropped or a segment was begun: there may be something to free.
    pub(super) housekeeping_due: bool,
}

/// The segment being written.
struct Current {
    header: SegmentHeader,
    file: Arc<dyn File>,
    /// Where the next write goes; the buffer's bytes belong behind it.
    position: u64,
    /// Where the first record of a request can stand: behind the header and the groups' states.
    opening_end: u64,
    /// The file's length; up to here there are zeros or old bytes.
    file_bytes: u64,
    /// Known durable.
    synced: u64,
    /// The highest `synced` a later record bears witness to.
    proven: u64,
    /// Records other than marks were written since the last sync.
    unsynced: bool,
}

/// What recovery hands to a new writer.
pub(super) struct Start {
    pub(super) live: BTreeMap<u64, u64>,
    pub(super) spares: Vec<String>,
    /// The segment to go on in and its end, or `None` to begin one behind `previous`.
    pub(super) resume: Option<(SegmentHeader, u64)>,
    /// The last segment's number and end; 0 and 0 in a new log.
    pub(super) previous: (u64, u64),
}

/// A moment that a sync outside the writer will have made durable.
pub(super) struct SyncPoint {
    pub(super) file: Arc<dyn File>,
    sequence: u64,
    position: u64,
}

impl Writer {
    pub(super) fn start(
        disk: Arc<dyn Disk>,
        sizes: Sizes,
        files: Files,
        groups: Groups,
        start: Start,
    ) -> io::Result<Self> {
        let Start { mut live, mut spares, resume, previous } = start;
        let current = match resume {
            Some((header, end)) => resume_segment(&*disk, &files, header, end)?,
            None => {
                let sequence = previous.0 + 1;
                live.insert(sequence, 0);
                let oldest = *live.keys().next().expect("the new one is there");
                let header = SegmentHeader {
                    sequence,
                    oldest,
                    salt: segment::fresh_salt(),
                    previous_end: previous.1,
                };
                begin_segment(&*disk, &files, &groups, header, spares.pop())?
            }
        };
        Ok(Self {
            disk,
            sizes,
            files,
            groups,
            live,
            spares,
            current,
            buffer: Vec::new(),
            effects: Vec::new(),
            done: Vec::new(),
            housekeeping_due: true,
        })
    }

    /// Writes these requests, and syncs if asked to. After an error the requests that were not
    /// reached are still in `items`.
    pub(super) fn process(&mut self, items: &mut VecDeque<Item>, sync: bool) -> io::Result<()> {
        while let Some(item) = items.pop_front() {
            // Known before anything can fail, so that a failure reaches the callback.
            let done = item.done.map(Effect::Done);
            let result = self.put(&item.group, item.op);
            self.effects.extend(done);
            result?;
        }
        self.write()?;
        if sync {
            self.sync()?;
        }
        self.complete();
        Ok(())
    }

    /// The callbacks whose records are as durable as was asked.
    pub(super) fn take_done(&mut self) -> Vec<IOFlushed<TypeConfig>> {
        std::mem::take(&mut self.done)
    }

    /// The callbacks of records that an error overtook.
    pub(super) fn take_failed(&mut self) -> Vec<IOFlushed<TypeConfig>> {
        let failed = self.effects.drain(..).filter_map(|effect| match effect {
            Effect::Done(callback) => Some(callback),
            _ => None,
        });
        failed.collect()
    }

    /// Whether so many bytes go into the current segment without growing or changing the file.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        let end = self.current.position + self.buffer.len() as u64 + bytes;
        end <= self.current.file_bytes.min(self.sizes.segment_bytes)
    }

    /// The number of the segment being written.
    pub(super) fn sequence(&self) -> u64 {
        self.current.header.sequence
    }

    /// Leaves a record that bears witness to the last sync, so that damage to the last entries
    /// of a quiet log cannot pass for a torn tail.
    pub(super) fn mark(&mut self) -> io::Result<()> {
        if self.current.proven < self.current.synced {
            let unsynced = self.current.unsynced;
            self.encode(&Header::plain(0, Kind::Mark, 0), &[])?;
            self.write()?;
            self.current.unsynced = unsynced;
        }
        Ok(())
    }

    /// Whether a mark, or (if asked) a sync, is due.
    pub(super) fn has_leftovers(&self, sync: bool) -> bool {
        self.current.proven < self.current.synced || (sync && self.current.unsynced)
    }

    /// What to sync so that everything written until now is durable; `None` if it is.
    pub(super) fn sync_point(&self) -> Option<SyncPoint> {
        self.current.unsynced.then(|| SyncPoint {
            file: Arc::clone(&self.current.file),
            sequence: self.current.header.sequence,
            position: self.current.position,
        })
    }

    /// The file of this point was synced.
    pub(super) fn synced(&mut self, point: &SyncPoint) {
        if point.sequence == self.current.header.sequence {
            self.current.synced = self.current.synced.max(point.position);
            self.current.unsynced &= self.current.position > point.position;
        }
    }

    /// Makes everything written durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.current.synced < self.current.position {
            let result = self.current.file.sync_data();
            self.explain_at("sync", result)?;
            self.current.synced = self.current.position;
        }
        self.current.unsynced = false;
        Ok(())
    }

    fn put(&mut self, group: &Arc<GroupState>, op: Op) -> io::Result<()> {
        match op {
            Op::Append(entries) => {
                for entry in &entries {
                    let (kind, body) = record::entry_body(entry);
                    let header = Header::of_log_id(group.id, kind, Some(&entry.log_id));
                    let place = self.encode(&header, &body)?;
                    self.effects.push(Effect::Placed(Arc::clone(group), entry.log_id, place));
                }
            }
            Op::Vote(vote) => {
                self.encode(&Header::of_vote(group.id, &vote), &[])?;
                self.effects.push(Effect::Vote(Arc::clone(group), vote));
            }
            Op::Committed(id) => {
                self.encode(&Header::of_log_id(group.id, Kind::Committed, id.as_ref()), &[])?;
                self.effects.push(Effect::Committed(Arc::clone(group), id));
            }
            Op::Truncate(id) => {
                self.encode(&Header::of_log_id(group.id, Kind::Truncate, id.as_ref()), &[])?;
                self.effects.push(Effect::Truncated(Arc::clone(group), id));
            }
            Op::Purge(id) => {
                self.encode(&Header::of_log_id(group.id, Kind::Purge, Some(&id)), &[])?;
                self.effects.push(Effect::Purged(Arc::clone(group), id));
            }
        }
        Ok(())
    }

    /// Adds a record to the buffer, in a new segment if it does not fit into this one.
    pub(super) fn encode(&mut self, header: &Header, body: &[u8]) -> io::Result<Place> {
        let bytes = record::record_bytes(body.len()) as u64;
        let mut offset = self.current.position + self.buffer.len() as u64;
        // A record longer than a segment gets one to itself, however long that becomes.
        let fits = offset + bytes <= self.sizes.segment_bytes;
        if !fits && offset > self.current.opening_end {
            self.rotate()?;
            offset = self.current.position;
        }
        let stamp = self.current.stamp();
        record::encode(&mut self.buffer, &stamp, header, body);
        self.current.proven = stamp.synced;
        self.current.unsynced = true;
        let place = Place {
            sequence: stamp.sequence,
            offset: u32::try_from(offset).expect("records are limited, so segments are"),
            bytes: bytes as u32,
        };
        if self.buffer.len() >= WRITE_BYTES_MAX {
            self.write()?;
        }
        Ok(place)
    }

    /// Hands the buffer to the kernel, and grows the file ahead of the next writes.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let end = self.current.position + self.buffer.len() as u64;
        let result = self.current.file.write_at(&self.buffer, self.current.position);
        self.explain_at("write", result)?;
        self.current.position = end;
        if end > self.current.file_bytes {
            // Zeros in mebibytes as the log grows, not a whole segment at once: nine nodes that
            // start on one laptop should not write half a gigabyte before their first entry. They
            // become durable in the sync that this write needs anyway.
            let extents = end.next_multiple_of(self.sizes.extent_bytes) + self.sizes.extent_bytes;
            let to = extents.min(self.sizes.segment_bytes).max(end);
            let result = self.current.file.write_zeros(end, to);
            self.explain_at("grow", result)?;
            self.current.file_bytes = to;
        }
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }

    /// Ends this segment and begins the next. Everything so far becomes durable on the way: a
    /// segment with a successor never has a torn tail.
    fn rotate(&mut self) -> io::Result<()> {
        self.write()?;
        self.sync()?;
        self.complete();
        let sequence = self.current.header.sequence + 1;
        let header = SegmentHeader {
            sequence,
            oldest: *self.live.keys().next().expect("the current segment is there"),
            salt: segment::fresh_salt(),
            previous_end: self.current.position,
        };
        let spare = self.spares.pop();
        self.current = begin_segment(&*self.disk, &self.files, &self.groups, header, spare)?;
        self.live.insert(sequence, 0);
        self.housekeeping_due = true;
        Ok(())
    }

    /// Tells the groups what has been written since the last time.
    pub(super) fn complete(&mut self) {
        let Self { effects, done, live, .. } = self;
        for effect in effects.drain(..) {
            let dropped = match effect {
                Effect::Placed(group, id, place) => {
                    *live.entry(place.sequence).or_default() += u64::from(place.bytes);
                    let mut inner = group.inner.lock();
                    inner.placed.push(id, place);
                    inner.evict(self.sizes.tail_bytes_max);
                    continue;
                }
                Effect::Moved(group, index, place) => {
                    *live.entry(place.sequence).or_default() += u64::from(place.bytes);
                    let old = group.inner.lock().placed.replace(index, place);
                    VecDeque::from([old])
                }
                Effect::Vote(group, vote) => {
                    group.inner.lock().placed.vote = Some(vote);
                    continue;
                }
                Effect::Committed(group, id) => {
                    group.inner.lock().placed.committed = id;
                    continue;
                }
                Effect::Truncated(group, id) => group.inner.lock().placed.truncate(id),
                Effect::Purged(group, id) => group.inner.lock().placed.purge(id),
                Effect::Done(callback) => {
                    done.push(callback);
                    continue;
                }
            };
            self.housekeeping_due |= !dropped.is_empty();
            for place in dropped {
                let bytes = live.get_mut(&place.sequence).expect("live entries keep a segment");
                *bytes -= u64::from(place.bytes);
            }
        }
    }

    /// Adds to an error what was being done to which file and where.
    fn explain_at(&self, verb: &str, result: io::Result<()>) -> io::Result<()> {
        let Current { header, position, .. } = &self.current;
        let path = self.disk.path(&segment::segment_name(header.sequence));
        result.map_err(|error| {
            let text = format!("cannot {verb} {} at {position}: {error}", path.display());
            io::Error::new(error.kind(), text)
        })
    }
}

impl Current {
    fn stamp(&self) -> Stamp {
        let SegmentHeader { sequence, salt, .. } = self.header;
        Stamp { sequence, salt, synced: self.synced }
    }
}

/// Goes on behind the last valid record of a segment whose tail is clean. Recovery has synced it.
fn resume_segment(
    disk: &dyn Disk,
    files: &Files,
    header: SegmentHeader,
    end: u64,
) -> io::Result<Current> {
    let file = disk.open(&segment::segment_name(header.sequence))?;
    files
        .write()
        .insert(header.sequence, OpenSegment { file: Arc::clone(&file), salt: header.salt });
    Ok(Current {
        header,
        position: end,
        opening_end: SEGMENT_HEADER_BYTES as u64,
        file_bytes: file.len()?,
        file,
        synced: end,
        proven: 0,
        unsynced: false,
    })
}

/// Makes a segment aside, with every group's state at its beginning, and then gives it its name.
fn begin_segment(
    disk: &dyn Disk,
    files: &Files,
    groups: &Groups,
    header: SegmentHeader,
    spare: Option<String>,
) -> io::Result<Current> {
    let SegmentHeader { sequence, salt, .. } = header;
    let stamp = Stamp { sequence, salt, synced: 0 };
    let mut bytes = header.encode().to_vec();
    for group in groups.lock().values() {
        let summary = group.inner.lock().placed.summary();
        let json = serde_json::to_vec(&summary).expect("a summary is plain data");
        record::encode(&mut bytes, &stamp, &Header::plain(group.id, Kind::State, 0), &json);
    }
    let name = segment::segment_name(sequence);
    let explain = |error: io::Error| {
        let text = format!("cannot begin {}: {error}", disk.path(&name).display());
        io::Error::new(error.kind(), text)
    };
    let make = || {
        let (aside, file) = match spare {
            Some(spare) => {
                let file = disk.open(&spare)?;
                (spare, file)
            }
            None => {
                let aside = segment::spare_name(sequence);
                let file = disk.create(&aside)?;
                (aside, file)
            }
        };
        file.write_at(&bytes, 0)?;
        file.sync_data()?;
        disk.rename(&aside, &name)?;
        disk.sync_dir()?;
        let file_bytes = file.len()?;
        Ok((file, file_bytes))
    };
    let (file, file_bytes) = make().map_err(explain)?;
    files.write().insert(sequence, OpenSegment { file: Arc::clone(&file), salt });
    let end = bytes.len() as u64;
    Ok(Current {
        header,
        file,
        position: end,
        opening_end: end,
        file_bytes,
        synced: end,
        proven: end,
        unsynced: false,
    })
}
