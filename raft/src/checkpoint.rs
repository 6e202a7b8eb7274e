//! A group's state on disk as of some log entry.
//!
//! A checkpoint is a manifest and the chunks it names. It is written aside, under a generation of
//! its own, read back, and then made current by one atomic record; before that record nothing of
//! it counts, after it nothing of its predecessor does. Units that did not change since the last
//! checkpoint are not written again: the new manifest names their old chunks.
//!
//! Invariants:
//! - Every chunk the current manifest names exists and is whole; else the store is corrupt and
//!   the node refuses to start on it.
//! - A chunk is removed only when no manifest names it that is current, being drafted or being
//!   read, for a restore or for a peer.
//! - A chunk that no durable manifest names lies in a marked generation, so that a crash leaks
//!   nothing: marks are worked off when the store is opened.
//!
//! All calls block on the disk, except those that only hand out the current checkpoint.

mod claim;
mod draft;
mod manifest;
mod memory;
mod sled;
mod store;

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

pub(crate) use self::claim::claim;
pub(crate) use self::draft::Draft;
pub(crate) use self::manifest::{Manifest, Unit};
pub use self::memory::MemoryStore;
pub(crate) use self::sled::SledStore;
pub use self::store::{Batch, CheckpointStore};
use crate::{GroupId, Trouble, UnitId};

/// Bytes of changes that are written in one go: large enough to spread a batch's cost, small
/// enough not to hold the store's locks for long.
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// The checkpoints of one group: the current one, drafts, and old ones that are still read.
pub(crate) struct Checkpoints {
    store: Arc<dyn CheckpointStore>,
    group: GroupId,
    current: RwLock<Option<Arc<Manifest>>>,
    /// Serialises the switch and the removal of old chunks.
    keeping: Mutex<Keeping>,
}

/// What may still have to be removed.
#[derive(Default)]
struct Keeping {
    generation_last: u64,
    /// Manifests that are not current. One that only this list holds is dead: nobody reads it.
    others: Vec<Arc<Manifest>>,
    /// Generations marked on disk.
    marks: BTreeSet<u64>,
    /// Generations being drafted; their marks stay.
    drafts: BTreeSet<u64>,
}

/// A handle on a stored checkpoint; keeps its chunks from being removed.
#[derive(Clone)]
pub(crate) struct Checkpoint {
    checkpoints: Arc<Checkpoints>,
    manifest: Arc<Manifest>,
}

impl Checkpoints {
    /// Reads a group's manifest and removes what a crash left behind.
    pub(crate) fn open(
        store: Arc<dyn CheckpointStore>,
        group: GroupId,
    ) -> Result<Arc<Checkpoints>, Trouble> {
        let key = manifest::manifest_key(group);
        let current = match store.get(&key)? {
            None => None,
            Some(value) => Some(Arc::new(manifest::unseal_manifest(&key, value)?)),
        };
        let mut generation_last = current.as_ref().map_or(0, |manifest| manifest.generation);
        let mut batch = Batch::default();
        for mark in store.keys(&manifest::mark_prefix(group))? {
            let generation = manifest::marked_generation(&mark).unwrap_or_default();
            generation_last = generation_last.max(generation);
            for key in store.keys(&manifest::generation_prefix(group, generation))? {
                let (unit, chunk) = manifest::chunk_of(&key).unwrap_or_default();
                if !current.as_ref().is_some_and(|m| m.names(generation, unit, chunk)) {
                    batch.remove(key);
                }
            }
            batch.remove(mark);
        }
        if !batch.is_empty() {
            store.write(batch)?;
            store.flush()?;
        }
        let keeping = Mutex::new(Keeping { generation_last, ..Keeping::default() });
        Ok(Arc::new(Checkpoints { store, group, current: RwLock::new(current), keeping }))
    }

    /// The checkpoint that a restart would find.
    pub(crate) fn current(self: &Arc<Self>) -> Option<Checkpoint> {
        let manifest = self.current.read().clone()?;
        Some(Checkpoint { checkpoints: Arc::clone(self), manifest })
    }

    /// Starts a new checkpoint: of all units, or of those that changed since `base`.
    pub(crate) fn draft(self: &Arc<Self>, base: Option<Checkpoint>) -> Draft {
        let mut keeping = self.keeping.lock();
        keeping.generation_last += 1;
        let generation = keeping.generation_last;
        keeping.drafts.insert(generation);
        keeping.marks.insert(generation);
        drop(keeping);
        Draft::new(Arc::clone(self), base, generation)
    }

    /// The checkpoint in this store: itself, or a copy if it lies in another, as one does that a
    /// transport within the process handed over.
    pub(crate) fn adopt(self: &Arc<Self>, checkpoint: Checkpoint) -> Result<Checkpoint, Trouble> {
        if Arc::ptr_eq(self, &checkpoint.checkpoints) {
            return Ok(checkpoint);
        }
        let mut draft = self.draft(None);
        for unit in checkpoint.units() {
            let (id, bytes) = unit?;
            draft.put_unit(id, &bytes)?;
        }
        draft.finish(checkpoint.manifest.last, checkpoint.manifest.membership.clone())
    }

    /// Makes a finished checkpoint the current one, durably; `false`: the current one reaches
    /// further, and stays.
    pub(crate) fn switch(&self, to: &Checkpoint) -> Result<bool, Trouble> {
        let mut keeping = self.keeping.lock();
        let before = self.current.read().clone();
        if before.as_ref().is_some_and(|current| current.last > to.manifest.last) {
            return Ok(false);
        }
        let key = manifest::manifest_key(self.group);
        let mut batch = Batch::default();
        for generation in superseded(before.as_deref(), &to.manifest) {
            batch.put(manifest::mark_key(self.group, generation), Vec::new());
            keeping.marks.insert(generation);
        }
        batch.put(key.clone(), manifest::seal_manifest(&key, &to.manifest));
        self.store.write(batch)?;
        self.store.flush()?;
        // The log is purged on the strength of this record, so it is read back like the chunks.
        let read = self.store.get(&key)?.ok_or_else(|| self.missing("manifest"))?;
        if manifest::unseal_manifest(&key, read)? != *to.manifest {
            return Err(Trouble::Corrupt(format!(
                "group {}: the checkpoint's manifest reads differently than written",
                self.group
            )));
        }
        keeping.others.retain(|other| !Arc::ptr_eq(other, &to.manifest));
        keeping.others.extend(before);
        *self.current.write() = Some(Arc::clone(&to.manifest));
        self.sweep(&mut keeping)?;
        Ok(true)
    }

    /// Removes the chunks of manifests that nobody reads any more.
    fn sweep(&self, keeping: &mut Keeping) -> Result<(), Trouble> {
        let current = self.current.read().clone();
        let (dead, alive): (Vec<_>, Vec<_>) =
            keeping.others.drain(..).partition(|other| Arc::strong_count(other) == 1);
        let kept = |generation, unit| {
            let named = |m: &Arc<Manifest>| m.names(generation, unit, 0);
            current.as_ref().is_some_and(named) || alive.iter().any(named)
        };
        let mut batch = Batch::default();
        for (id, unit) in dead.iter().flat_map(|manifest| &manifest.units) {
            if kept(unit.generation, *id) {
                continue;
            }
            for chunk in 0..unit.chunks {
                batch.remove(manifest::chunk_key(self.group, unit.generation, *id, chunk));
                self.write_if_large(&mut batch)?;
            }
        }
        let mut marked: BTreeSet<u64> = keeping.drafts.clone();
        for other in &alive {
            marked.extend(superseded(Some(other), current.as_deref().unwrap_or(other)));
        }
        for generation in keeping.marks.difference(&marked) {
            batch.remove(manifest::mark_key(self.group, *generation));
        }
        keeping.marks.retain(|generation| marked.contains(generation));
        keeping.others = alive;
        self.store.write(batch)
    }

    fn write_if_large(&self, batch: &mut Batch) -> Result<(), Trouble> {
        if batch.bytes() >= BATCH_BYTES_MAX {
            self.store.write(std::mem::take(batch))?;
        }
        Ok(())
    }

    fn missing(&self, what: &str) -> Trouble {
        Trouble::Corrupt(format!("group {}: the checkpoint's {what} is missing", self.group))
    }

    /// A chunk's bytes, checked.
    fn chunk(&self, generation: u64, unit: UnitId, chunk: u32) -> Result<Vec<u8>, Trouble> {
        let key = manifest::chunk_key(self.group, generation, unit, chunk);
        let which = || format!("chunk {chunk} of unit {unit} in generation {generation}");
        let value = self.store.get(&key)?.ok_or_else(|| self.missing(&which()))?;
        manifest::unseal(&key, value).ok_or_else(|| {
            let group = self.group;
            Trouble::Corrupt(format!("group {group}: the checkpoint's {} is damaged", which()))
        })
    }

    /// A unit's bytes, checked chunk by chunk and as a whole.
    fn unit(&self, id: UnitId, unit: &Unit) -> Result<Vec<u8>, Trouble> {
        // The size is from a checked manifest, which says what we wrote.
        let mut bytes = Vec::with_capacity(usize::try_from(unit.bytes).unwrap_or_default());
        for chunk in 0..unit.chunks {
            bytes.extend_from_slice(&self.chunk(unit.generation, id, chunk)?);
        }
        if bytes.len() as u64 != unit.bytes || crc32c::crc32c(&bytes) != unit.checksum {
            let group = self.group;
            return Err(Trouble::Corrupt(format!(
                "group {group}: the checkpoint's unit {id} is not what its manifest says"
            )));
        }
        Ok(bytes)
    }
}

impl Checkpoint {
    /// What it consists of.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Every unit with its bytes, ascending.
    pub(crate) fn units(&self) -> impl Iterator<Item = Result<(UnitId, Vec<u8>), Trouble>> + '_ {
        let units = self.manifest.units.iter();
        units.map(|(id, unit)| Ok((*id, self.checkpoints.unit(*id, unit)?)))
    }

    /// One chunk.
    pub(crate) fn chunk(&self, unit: UnitId, chunk: u32) -> Result<Vec<u8>, Trouble> {
        let Some(stored) = self.manifest.units.get(&unit) else {
            return Err(self.checkpoints.missing("unit"));
        };
        self.checkpoints.chunk(stored.generation, unit, chunk)
    }

    /// Whether this is the checkpoint that a restart would find.
    pub(crate) fn is_current(&self) -> bool {
        let current = self.checkpoints.current.read();
        current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &self.manifest))
    }
}

/// The generations of which `before` names chunks that `after` does not.
fn superseded(before: Option<&Manifest>, after: &Manifest) -> BTreeSet<u64> {
    let units = before.into_iter().flat_map(|manifest| &manifest.units);
    let left = units.filter(|(id, unit)| !after.names(unit.generation, **id, 0));
    left.map(|(_, unit)| unit.generation).collect()
}

#[cfg(test)]
mod tests;
