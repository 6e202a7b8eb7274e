//! Frees segments: copies the last entries of quiet groups forward, and recycles what is empty.
//!
//! A segment may go when no live entry is in it or in any older one. Truncations recorded in it
//! concern only entries of its own or older segments, and votes and marks are repeated where each
//! segment begins, so nothing else keeps it.
//!
//! The order that makes a crash harmless: the copies are durable, then a record says which
//! segments are needed, then that record is durable, and only then is a file renamed or reused.

use std::io;
use std::sync::Arc;

use super::record::{self, Header, Kind};
use super::segment;
use super::state::{GroupState, Place};
use super::writer::{Effect, Writer};

/// Files kept for reuse; more than one only shortens a burst.
pub(super) const SPARES_MAX: usize = 2;
/// With more segments than this, the last few entries of a quiet group are copied forward, so
/// that they do not keep the whole log from being freed.
const SEGMENTS_BEFORE_CARRY: usize = 4;
/// A segment is emptied by copying only if no more than this share of it is alive: copying costs
/// at most an eighth of the writes.
const CARRY_SHARE: u64 = 8;

impl Writer {
    /// Frees segments nobody needs. Not part of `process`: nobody waits for it.
    pub(super) fn keep_house(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.housekeeping_due) {
            self.carry()?;
            self.release()?;
        }
        Ok(())
    }

    /// Does away with segments that a crash kept from being recycled, and with spare files beyond
    /// what is kept.
    pub(super) fn clear_leftovers(&mut self, leftovers: Vec<u64>) -> io::Result<()> {
        let excess = self.spares.split_off(self.spares.len().min(SPARES_MAX));
        if leftovers.is_empty() && excess.is_empty() {
            return Ok(());
        }
        for name in excess {
            self.disk.remove(&name)?;
        }
        for sequence in leftovers {
            self.recycle(sequence)?;
        }
        self.disk.sync_dir()
    }

    /// Copies what is alive in the oldest segment to the end of the log, if it is little and the
    /// log is long.
    fn carry(&mut self) -> io::Result<()> {
        let (&oldest, &live_bytes) = self.live.iter().next().expect("the current one is there");
        if self.live.len() <= SEGMENTS_BEFORE_CARRY
            || live_bytes == 0
            || live_bytes > self.sizes.segment_bytes / CARRY_SHARE
        {
            return Ok(());
        }
        let groups: Vec<Arc<GroupState>> = self.groups.lock().values().cloned().collect();
        for group in groups {
            // Collected first: copying may begin a segment, which looks at every group.
            let entries = group.inner.lock().placed.in_segment(oldest);
            for (index, place) in entries {
                self.copy(&group, index, place)?;
            }
        }
        self.write()?;
        self.sync()?;
        self.complete();
        Ok(())
    }

    fn copy(&mut self, group: &Arc<GroupState>, index: u64, place: Place) -> io::Result<()> {
        let files = self.files.read().get(&place.sequence).cloned();
        let open = files.expect("live entries keep a segment");
        let mut data = vec![0; place.bytes as usize];
        let read = open.file.read_at(&mut data, u64::from(place.offset));
        let path = self.disk.path(&segment::segment_name(place.sequence));
        let damaged = |what: &str| {
            let text = format!("{} is damaged at {}: {what}", path.display(), place.offset);
            io::Error::new(io::ErrorKind::InvalidData, text)
        };
        read.map_err(|error| damaged(&error.to_string()))?;
        let found = record::decode(&data, place.sequence, open.salt)
            .filter(|found| found.header.group == group.id && found.header.index == index);
        let found = found.ok_or_else(|| damaged("the entry that was written here is gone"))?;
        let moved = self.encode(&found.header.moved(), found.body)?;
        self.effects.push(Effect::Moved(Arc::clone(group), index, moved));
        Ok(())
    }

    /// Recycles the oldest segments as far as they hold nothing alive.
    fn release(&mut self) -> io::Result<()> {
        let current = self.sequence();
        let dead = |live: &u64| *live == 0;
        let needed = |(sequence, live): &(&u64, &u64)| **sequence == current || !dead(live);
        let oldest = *self.live.iter().find(needed).expect("the current one is needed").0;
        let free: Vec<u64> = self.live.range(..oldest).map(|(sequence, _)| *sequence).collect();
        if free.is_empty() {
            return Ok(());
        }
        self.encode(&Header::plain(0, Kind::Release, oldest), &[])?;
        self.write()?;
        self.sync()?;
        for sequence in free {
            self.live.remove(&sequence);
            self.files.write().remove(&sequence);
            let recycled = self.recycle(sequence);
            self.explain("recycle", &segment::segment_name(sequence), recycled)?;
        }
        let synced = self.disk.sync_dir();
        self.explain("sync", "", synced)
    }

    fn explain(&self, verb: &str, name: &str, result: io::Result<()>) -> io::Result<()> {
        result.map_err(|error| {
            let text = format!("cannot {verb} {}: {error}", self.disk.path(name).display());
            io::Error::new(error.kind(), text)
        })
    }

    /// Makes a segment's file a spare one, or removes it if there are enough or it is too long.
    pub(super) fn recycle(&mut self, sequence: u64) -> io::Result<()> {
        let name = segment::segment_name(sequence);
        let spare = segment::spare_name(sequence);
        if self.spares.len() >= SPARES_MAX
            || self.disk.open(&name)?.len()? > self.sizes.segment_bytes
        {
            return self.disk.remove(&name);
        }
        self.disk.rename(&name, &spare)?;
        self.spares.push(spare);
        Ok(())
    }
}
