//! A checkpoint being written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::manifest::{self, CHUNK_BYTES};
use super::{BATCH_BYTES_MAX, Batch, Checkpoint, Checkpoints, Manifest, Unit};
use crate::types::{LogId, StoredMembership};
use crate::{Trouble, UnitId};

/// Bytes written between flushes: what is not flushed stays in memory.
const UNFLUSHED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A checkpoint that is not finished; dropped, it leaves nothing that a sweep does not remove.
pub(crate) struct Draft {
    checkpoints: Arc<Checkpoints>,
    /// Its unchanged units are taken over.
    base: Option<Checkpoint>,
    generation: u64,
    batch: Batch,
    unflushed: usize,
    /// What was written, or became empty.
    units: BTreeMap<UnitId, Unit>,
    finished: bool,
}

impl Draft {
    pub(super) fn new(
        checkpoints: Arc<Checkpoints>,
        base: Option<Checkpoint>,
        generation: u64,
    ) -> Draft {
        let mut batch = Batch::default();
        // In one batch with the first chunk, so that no chunk is ever without its mark.
        batch.put(manifest::mark_key(checkpoints.group, generation), Vec::new());
        let units = BTreeMap::new();
        Draft { checkpoints, base, generation, batch, unflushed: 0, units, finished: false }
    }

    /// Writes a unit; without bytes: it became empty.
    pub(crate) fn put_unit(&mut self, id: UnitId, bytes: &[u8]) -> Result<(), Trouble> {
        self.units.insert(id, self.empty_unit());
        for (number, chunk) in (0..).zip(bytes.chunks(CHUNK_BYTES)) {
            self.put_chunk(id, number, chunk)?;
        }
        Ok(())
    }

    /// Writes one chunk of a unit, whose chunks must come in order.
    pub(crate) fn put_chunk(
        &mut self,
        id: UnitId,
        number: u32,
        data: &[u8],
    ) -> Result<(), Trouble> {
        let empty = self.empty_unit();
        let unit = self.units.entry(id).or_insert(empty);
        let cut_short = !unit.bytes.is_multiple_of(CHUNK_BYTES as u64);
        if number != unit.chunks || cut_short || data.is_empty() || data.len() > CHUNK_BYTES {
            let what = format!("chunk {number} of unit {id} came out of order");
            return Err(Trouble::Refused(what));
        }
        unit.chunks += 1;
        unit.bytes += data.len() as u64;
        unit.checksum = crc32c::crc32c_append(unit.checksum, data);
        let key = manifest::chunk_key(self.checkpoints.group, self.generation, id, number);
        let value = manifest::seal(&key, data);
        self.batch.put(key, value);
        if self.batch.bytes() >= BATCH_BYTES_MAX {
            self.write()?;
        }
        Ok(())
    }

    fn empty_unit(&self) -> Unit {
        Unit { generation: self.generation, chunks: 0, bytes: 0, checksum: 0 }
    }

    fn write(&mut self) -> Result<(), Trouble> {
        self.unflushed += self.batch.bytes();
        self.checkpoints.store.write(std::mem::take(&mut self.batch))?;
        if self.unflushed >= UNFLUSHED_BYTES_MAX {
            self.checkpoints.store.flush()?;
            self.unflushed = 0;
        }
        Ok(())
    }

    /// Makes everything durable and reads it back. The result is not current yet.
    pub(crate) fn finish(
        mut self,
        last: Option<LogId>,
        membership: StoredMembership,
    ) -> Result<Checkpoint, Trouble> {
        self.write()?;
        self.checkpoints.store.flush()?;
        let mut units =
            self.base.as_ref().map_or_else(BTreeMap::new, |base| base.manifest().units.clone());
        for (id, unit) in &self.units {
            if unit.chunks == 0 {
                units.remove(id);
                continue;
            }
            self.checkpoints.unit(*id, unit)?;
            units.insert(*id, *unit);
        }
        let manifest = Arc::new(Manifest { last, membership, units, generation: self.generation });
        self.finished = true;
        let mut keeping = self.checkpoints.keeping.lock();
        keeping.drafts.remove(&self.generation);
        keeping.others.push(Arc::clone(&manifest));
        drop(keeping);
        Ok(Checkpoint { checkpoints: Arc::clone(&self.checkpoints), manifest })
    }

    /// What was written so far.
    pub(crate) fn units(&self) -> &BTreeMap<UnitId, Unit> {
        &self.units
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let manifest = Manifest {
            last: None,
            membership: StoredMembership::default(),
            units: std::mem::take(&mut self.units),
            generation: self.generation,
        };
        let mut keeping = self.checkpoints.keeping.lock();
        keeping.drafts.remove(&self.generation);
        // Nobody else holds it, so the next sweep removes its chunks.
        keeping.others.push(Arc::new(manifest));
    }
}
