//! Reads the log back.
//!
//! Segments are replayed in order. A torn tail of the last one is normal after a crash: it is
//! left where it is, a warning says so, and the log goes on in a new segment, so that nothing of
//! the torn rest can ever be taken for a record. Everything else that is missing or damaged is an
//! error that names file and offset; nothing is skipped.

use std::collections::BTreeMap;
use std::io;

use super::record::{Kind, Record};
use super::segment::{self, Scanned, SegmentHeader};
use super::state::{Place, Placed, Summary};
use super::writer::Start;
use super::{Files, LogError, OpenSegment};
use crate::GroupId;
use crate::disk::Disk;

/// What the log holds.
pub(super) struct Recovered {
    pub(super) groups: BTreeMap<GroupId, Placed>,
    pub(super) start: Start,
    /// Segments that are not needed and were not recycled before the crash.
    pub(super) leftovers: Vec<u64>,
}

/// A place that a segment's beginning speaks of and that a later copy must supply.
const ELSEWHERE: Place = Place { sequence: 0, offset: 0, bytes: 0 };

/// Reads everything, and opens the files of the segments that are needed.
pub(super) fn recover(disk: &dyn Disk, files: &Files) -> Result<Recovered, LogError> {
    let names = disk.list().map_err(|source| LogError::Io { path: disk.path(""), source })?;
    let spares = names.iter().filter(|name| segment::is_spare(name)).cloned().collect();
    let mut sequences: Vec<u64> =
        names.iter().filter_map(|name| segment::sequence_of(name)).collect();
    sequences.sort_unstable();
    let Some(&last) = sequences.last() else {
        let start = Start { live: BTreeMap::new(), spares, resume: None, previous: (0, 0) };
        return Ok(Recovered { groups: BTreeMap::new(), start, leftovers: Vec::new() });
    };
    // The names that were found must be durable too before anything is built on them.
    disk.sync_dir().map_err(|source| LogError::Io { path: disk.path(""), source })?;
    let tail = segment::scan(disk, last, None)?;
    let oldest = oldest_needed(&tail);
    let missing = (oldest..last).find(|sequence| sequences.binary_search(sequence).is_err());
    if let Some(sequence) = missing {
        return Err(LogError::Missing { path: disk.path(&segment::segment_name(sequence)) });
    }
    let mut replay = Replay { disk, groups: BTreeMap::new() };
    for sequence in oldest..last {
        let end = segment_header(disk, sequence + 1)?.previous_end;
        let scanned = segment::scan(disk, sequence, Some(end))?;
        replay.segment(&scanned, sequence == oldest)?;
        open(disk, files, &scanned.header)?;
    }
    replay.segment(&tail, last == oldest)?;
    open(disk, files, &tail.header)?;
    let groups = replay.finish(&tail)?;
    if tail.torn {
        let path = disk.path(&segment::segment_name(last));
        tracing::warn!(
            path = %path.display(),
            offset = tail.end,
            "the log ends in an unfinished write, as a crash leaves it; what was not acknowledged is dropped",
        );
    }
    let start = Start {
        live: live_bytes(oldest..=last, &groups),
        spares,
        resume: (!tail.torn).then_some((tail.header, tail.end as u64)),
        previous: (last, tail.end as u64),
    };
    sequences.retain(|sequence| *sequence < oldest);
    Ok(Recovered { groups, start, leftovers: sequences })
}

/// The oldest segment that is needed, by the last segment's word.
fn oldest_needed(tail: &Scanned) -> u64 {
    tail.records()
        .filter(|(_, record)| record.header.kind == Kind::Release)
        .map(|(_, record)| record.header.index)
        .fold(tail.header.oldest, u64::max)
}

fn segment_header(disk: &dyn Disk, sequence: u64) -> Result<SegmentHeader, LogError> {
    let name = segment::segment_name(sequence);
    let read = || {
        let file = disk.open(&name)?;
        let mut data = vec![0; segment::SEGMENT_HEADER_BYTES.min(file.len()? as usize)];
        file.read_at(&mut data, 0)?;
        Ok(data)
    };
    let data =
        read().map_err(|source: io::Error| LogError::Io { path: disk.path(&name), source })?;
    SegmentHeader::decode(&data, sequence).map_err(|what| LogError::Corrupt {
        path: disk.path(&name),
        offset: 0,
        what: what.to_owned(),
    })
}

fn open(disk: &dyn Disk, files: &Files, header: &SegmentHeader) -> Result<(), LogError> {
    let name = segment::segment_name(header.sequence);
    let file =
        disk.open(&name).map_err(|source| LogError::Io { path: disk.path(&name), source })?;
    files.write().insert(header.sequence, OpenSegment { file, salt: header.salt });
    Ok(())
}

fn live_bytes(
    sequences: std::ops::RangeInclusive<u64>,
    groups: &BTreeMap<GroupId, Placed>,
) -> BTreeMap<u64, u64> {
    let mut live: BTreeMap<u64, u64> = sequences.map(|sequence| (sequence, 0)).collect();
    for place in groups.values().flat_map(|placed| &placed.places) {
        *live.entry(place.sequence).or_default() += u64::from(place.bytes);
    }
    live
}

struct Replay<'a> {
    disk: &'a dyn Disk,
    groups: BTreeMap<GroupId, Placed>,
}

impl Replay<'_> {
    fn segment(&mut self, scanned: &Scanned, is_first: bool) -> Result<(), LogError> {
        let sequence = scanned.header.sequence;
        for (offset, record) in scanned.records() {
            let place = Place { sequence, offset: offset as u32, bytes: record.bytes as u32 };
            self.record(&record, place, is_first).map_err(|what| LogError::Corrupt {
                path: self.disk.path(&segment::segment_name(sequence)),
                offset: offset as u64,
                what: what.to_owned(),
            })?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        record: &Record<'_>,
        place: Place,
        is_first: bool,
    ) -> Result<(), &'static str> {
        let header = &record.header;
        if matches!(header.kind, Kind::Release | Kind::Mark) {
            return Ok(());
        }
        let placed = self.groups.entry(header.group).or_default();
        match header.kind {
            Kind::Blank | Kind::Normal | Kind::Membership => {
                let id = header.log_id().ok_or("an entry has no log id")?;
                if header.is_moved() {
                    if !(placed.first..placed.next()).contains(&id.index) {
                        return Err("a copied entry is not in the log");
                    }
                    placed.replace(id.index, place);
                } else {
                    if placed.last.is_some() && id.index != placed.next() {
                        return Err("an entry is out of order");
                    }
                    placed.push(id, place);
                }
            }
            Kind::Vote => placed.vote = Some(header.vote()),
            Kind::Committed => placed.committed = header.log_id(),
            Kind::Truncate => drop(placed.truncate(header.log_id())),
            Kind::Purge => {
                drop(placed.purge(header.log_id().ok_or("a purge has no log id")?));
            }
            Kind::State => {
                let summary: Summary = serde_json::from_slice(record.body)
                    .map_err(|_| "a group's state is garbled")?;
                if is_first {
                    *placed = stub(summary);
                } else if placed.summary() != summary {
                    return Err("a group's state is not what the segments before say");
                }
            }
            Kind::Release | Kind::Mark => {}
        }
        Ok(())
    }

    /// Checks that nothing is left of which only a segment's beginning spoke.
    fn finish(self, tail: &Scanned) -> Result<BTreeMap<GroupId, Placed>, LogError> {
        for (group, placed) in &self.groups {
            let lost = (placed.first..).zip(&placed.places).find(|(_, place)| **place == ELSEWHERE);
            if let Some((index, _)) = lost {
                return Err(LogError::Corrupt {
                    path: self.disk.path(&segment::segment_name(tail.header.sequence)),
                    offset: tail.end as u64,
                    what: format!("entry {index} of group {group} is in no segment"),
                });
            }
        }
        Ok(self.groups)
    }
}

/// A group of which nothing but this is known yet.
fn stub(summary: Summary) -> Placed {
    let count = summary.next.saturating_sub(summary.first) as usize;
    Placed {
        vote: summary.vote,
        committed: summary.committed,
        purged: summary.purged,
        last: summary.last,
        first: summary.first,
        places: std::iter::repeat_n(ELSEWHERE, count).collect(),
    }
}
