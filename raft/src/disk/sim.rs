//! A disk in memory that forgets what was not synced, for tests and simulation.
//!
//! What a running process sees is the whole truth; [`SimDisk::after_crash`] tells what a restarted
//! one finds: every synced byte and name, and of the rest, by [`Survival`], nothing, all, or an
//! arbitrary choice of sectors and a prefix of the directory's changes.
//!
//! Faults: an operation can be made to fail, and the machine to stop at an operation. Bits are
//! flipped with [`SimDisk::flip`].

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, File};

/// What a disk writes as a whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What becomes of unsynced changes in a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survival {
    /// None of them reached the disk.
    Lost,
    /// All of them did.
    Kept,
    /// Each sector of each write did or did not; of the directory's changes, the first few did.
    Torn {
        /// Chooses which.
        seed: u64,
    },
}

/// A disk in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Contents>,
    /// Names as a running process sees them.
    names: BTreeMap<String, usize>,
    /// Names as of the last directory sync, and the changes since.
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    /// Operations that change the disk, counted; reads are not.
    operations: u64,
    crash_at: Option<u64>,
    fail_at: Option<(u64, io::ErrorKind)>,
    crashed: bool,
}

#[derive(Debug, Default)]
struct Contents {
    visible: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, usize),
    Rename(String, String),
    Remove(String),
}

/// Whether an operation goes on.
enum Gate {
    Pass,
    /// The machine stops in the middle of this operation.
    Crash,
    Fail(io::Error),
}

impl SimDisk {
    /// Stops the machine at the `operation`-th change from the disk's beginning; that operation
    /// may still have reached the disk, in part or as a whole.
    pub(crate) fn crash_at(&self, operation: u64) {
        self.state.lock().crash_at = Some(operation);
    }

    /// Makes the `operation`-th change fail. A failing write has written its first half; what was
    /// unsynced at a failing sync is no longer known to be on its way (it stays unsynced).
    pub(crate) fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        self.state.lock().fail_at = Some((operation, kind));
    }

    /// Starts the process again on a machine that went on running: nothing is lost, and nothing
    /// that was unsynced is durable.
    pub(crate) fn restart_process(&self) {
        let mut state = self.state.lock();
        (state.crashed, state.crash_at) = (false, None);
    }

    /// How many changes the disk has seen.
    pub(crate) fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// The names of all files, sorted.
    pub(crate) fn file_names(&self) -> Vec<String> {
        self.state.lock().names.keys().cloned().collect()
    }

    /// What a restarted machine finds.
    pub(crate) fn after_crash(&self, survival: Survival) -> SimDisk {
        let state = self.state.lock();
        let mut random = Random(match survival {
            Survival::Torn { seed } => seed,
            Survival::Lost | Survival::Kept => 0,
        });
        let mut names = state.durable_names.clone();
        let kept_changes = match survival {
            Survival::Lost => 0,
            Survival::Kept => state.unsynced_names.len(),
            Survival::Torn { .. } => random.below(state.unsynced_names.len() + 1),
        };
        for change in &state.unsynced_names[..kept_changes] {
            apply_name_change(&mut names, change);
        }
        let files = state
            .files
            .iter()
            .map(|contents| {
                let bytes = survivors(contents, survival, &mut random);
                Contents { visible: bytes.clone(), durable: bytes, unsynced: Vec::new() }
            })
            .collect();
        let after = State { files, durable_names: names.clone(), names, ..State::default() };
        SimDisk { state: Arc::new(Mutex::new(after)) }
    }

    /// Flips one bit of a file, on the disk and in what is read.
    pub(crate) fn flip(&self, name: &str, bit: u64) {
        let mut state = self.state.lock();
        let index = state.names[name];
        let contents = &mut state.files[index];
        let (byte, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        contents.visible[byte] ^= mask;
        if let Some(durable) = contents.durable.get_mut(byte) {
            *durable ^= mask;
        }
    }
}

fn survivors(contents: &Contents, survival: Survival, random: &mut Random) -> Vec<u8> {
    let mut bytes = contents.durable.clone();
    for (offset, data) in &contents.unsynced {
        match survival {
            Survival::Lost => {}
            Survival::Kept => overwrite(&mut bytes, *offset, data),
            Survival::Torn { .. } => {
                let mut at = 0;
                while at < data.len() {
                    // Up to the next boundary of a sector of the file.
                    let step = SECTOR_BYTES - (offset + at) % SECTOR_BYTES;
                    let end = data.len().min(at + step);
                    if random.below(2) == 1 {
                        overwrite(&mut bytes, offset + at, &data[at..end]);
                    }
                    at = end;
                }
            }
        }
    }
    bytes
}

fn overwrite(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

fn apply_name_change(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Set(name, file) => {
            names.insert(name.clone(), *file);
        }
        NameChange::Rename(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
    }
}

/// A small generator (xorshift); the quality of its numbers does not matter, their replay does.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

impl State {
    fn gate(&mut self) -> Gate {
        if self.crashed {
            return Gate::Fail(io::Error::other("the machine has stopped"));
        }
        self.operations += 1;
        if self.crash_at == Some(self.operations) {
            self.crashed = true;
            return Gate::Crash;
        }
        match self.fail_at {
            Some((operation, kind)) if operation == self.operations => Gate::Fail(kind.into()),
            _ => Gate::Pass,
        }
    }

    fn change_names(&mut self, change: NameChange) -> io::Result<()> {
        let gate = self.gate();
        if let Gate::Fail(error) = gate {
            return Err(error);
        }
        apply_name_change(&mut self.names, &change);
        self.unsynced_names.push(change);
        outcome(gate)
    }
}

fn outcome(gate: Gate) -> io::Result<()> {
    match gate {
        Gate::Pass => Ok(()),
        Gate::Crash => Err(io::Error::other("the machine stopped")),
        Gate::Fail(error) => Err(error),
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let mut state = self.state.lock();
        let file = state.files.len();
        state.files.push(Contents::default());
        state.change_names(NameChange::Set(name.to_owned(), file))?;
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), file }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let state = self.state.lock();
        let file = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_names(NameChange::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        if !state.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change_names(NameChange::Remove(name.to_owned()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.file_names())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let gate = state.gate();
        if matches!(gate, Gate::Pass) {
            state.durable_names = state.names.clone();
            state.unsynced_names.clear();
        }
        outcome(gate)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("sim").join(name)
    }
}

#[derive(Debug)]
struct SimFile {
    state: Arc<Mutex<State>>,
    file: usize,
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.state.lock();
        let offset = offset as usize;
        let bytes = &state.files[self.file].visible;
        let found = bytes.get(offset..offset + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let (gate, was_crashed) = {
            let was_crashed = state.crashed;
            (state.gate(), was_crashed)
        };
        let written = match &gate {
            Gate::Pass | Gate::Crash => data,
            Gate::Fail(_) if was_crashed => &[],
            Gate::Fail(_) => &data[..data.len() / 2],
        };
        let contents = &mut state.files[self.file];
        overwrite(&mut contents.visible, offset as usize, written);
        contents.unsynced.push((offset as usize, written.to_vec()));
        outcome(gate)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let gate = state.gate();
        if matches!(gate, Gate::Pass) {
            let contents = &mut state.files[self.file];
            contents.durable = contents.visible.clone();
            contents.unsynced.clear();
        }
        outcome(gate)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().files[self.file].visible.len() as u64)
    }
}
