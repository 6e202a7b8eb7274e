//! openraft's state machine: applies committed entries to the [`Machine`], and makes and installs
//! checkpoints of it.
//!
//! Applying runs on an async task of openraft's, one call at a time; whatever touches the
//! checkpoint store runs on a blocking thread beside it. Invariant: `applied` and `membership`
//! change only together with the machine.

use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::{Stream, StreamExt};
use openraft::entry::EntryPayload;
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::type_config::alias;
use openraft::{OptionalSend, RaftSnapshotBuilder};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::types::{Entry, LogId, Payload, StoredMembership, TypeConfig};
use crate::{Committed, GroupId, Machine, Pinned, Trouble};

/// openraft's description of a checkpoint.
pub(crate) type SnapshotMeta = alias::SnapshotMetaOf<TypeConfig>;
/// A checkpoint with its description, as openraft passes it around.
pub(crate) type Snapshot = alias::SnapshotOf<TypeConfig, Checkpoint>;

/// The state machine of one group.
pub(crate) struct StateMachine {
    group: GroupId,
    machine: Arc<dyn Machine>,
    checkpoints: Arc<Checkpoints>,
    applied: Option<LogId>,
    membership: StoredMembership,
    growth: Arc<Growth>,
    /// The last checkpoint made of this machine in this process, with the epoch of its pin: the
    /// next needs only what changed since. None after a restore, whose epochs start anew.
    basis: Arc<Mutex<Option<(u64, Checkpoint)>>>,
    trouble: Arc<OnceLock<String>>,
}

/// How much was applied since the last checkpoint, and whether that calls for one.
pub(crate) struct Growth {
    entries: AtomicU64,
    bytes: AtomicU64,
    entries_max: u64,
    bytes_max: u64,
    building: AtomicBool,
    /// Told when a checkpoint is due.
    pub(crate) due: Notify,
}

impl Growth {
    pub(crate) fn new(entries_max: u64, bytes_max: u64) -> Growth {
        Growth {
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            entries_max,
            bytes_max,
            building: AtomicBool::new(false),
            due: Notify::new(),
        }
    }

    fn add(&self, entries: u64, bytes: u64) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        let large = self.entries.load(Ordering::Relaxed) >= self.entries_max
            || self.bytes.load(Ordering::Relaxed) >= self.bytes_max;
        if large && !self.building.load(Ordering::Relaxed) {
            self.due.notify_one();
        }
    }

    fn begin(&self) {
        self.building.store(true, Ordering::Relaxed);
        self.entries.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    fn end(&self) {
        self.building.store(false, Ordering::Relaxed);
        self.tell();
    }
}

impl StateMachine {
    /// Restores the machine from the group's current checkpoint, if there is one. Blocks.
    pub(crate) fn open(
        group: GroupId,
        machine: Arc<dyn Machine>,
        checkpoints: Arc<Checkpoints>,
        growth: Arc<Growth>,
        trouble: Arc<OnceLock<String>>,
    ) -> Result<StateMachine, Trouble> {
        let mut state = StateMachine {
            group,
            machine,
            checkpoints,
            applied: None,
            membership: StoredMembership::default(),
            growth,
            basis: Arc::default(),
            trouble,
        };
        if let Some(checkpoint) = state.checkpoints.current() {
            restore(group, &*state.machine, &checkpoint)?;
            state.applied = checkpoint.manifest().last;
            state.membership = checkpoint.manifest().membership.clone();
        }
        Ok(state)
    }

    /// The checkpoints it makes and installs.
    pub(crate) fn checkpoints(&self) -> &Arc<Checkpoints> {
        &self.checkpoints
    }

    /// Remembers the first trouble in our own words, and hands it to openraft, which stops.
    fn fail(&self, trouble: &Trouble) -> io::Error {
        fail(&self.trouble, trouble)
    }

    fn apply_entry(&mut self, entry: &Entry) -> Result<u64, io::Error> {
        let id = entry.log_id;
        let mut bytes = 0;
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(Payload(payload)) => {
                bytes = payload.len() as u64;
                let term = id.committed_leader_id().term;
                let committed = Committed { index: id.index(), term, payload };
                self.machine.apply(committed).map_err(|what| {
                    let group = self.group;
                    let index = id.index();
                    self.fail(&Trouble::Stopped(format!(
                        "group {group} cannot apply entry {index} of term {term}: {what}"
                    )))
                })?;
            }
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(id), membership.clone());
            }
        }
        self.applied = Some(id);
        Ok(bytes)
    }
}

fn fail(first: &OnceLock<String>, trouble: &Trouble) -> io::Error {
    let sentence = trouble.to_string();
    // Only the first trouble is the cause; later ones are its echoes.
    let _ = first.set(sentence.clone());
    io::Error::other(sentence)
}

/// Replaces the machine's state by a checkpoint's.
fn restore(group: GroupId, machine: &dyn Machine, from: &Checkpoint) -> Result<(), Trouble> {
    let mut corrupt = None;
    let mut units = from.units().map(|unit| {
        unit.map_err(|trouble| {
            let sentence = trouble.to_string();
            corrupt = Some(trouble);
            sentence
        })
    });
    let restored = machine.restore(&mut units);
    drop(units);
    match (corrupt, restored) {
        (Some(trouble), _) => Err(trouble),
        (None, Ok(())) => Ok(()),
        (None, Err(what)) => {
            Err(Trouble::Corrupt(format!("group {group} cannot restore its checkpoint: {what}")))
        }
    }
}

fn snapshot(checkpoint: Checkpoint) -> Snapshot {
    let manifest = checkpoint.manifest();
    let meta =
        SnapshotMeta { last_log_id: manifest.last, last_membership: manifest.membership.clone() };
    Snapshot { meta, snapshot: checkpoint }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = Checkpoint;
    type SnapshotBuilder = Builder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let (mut count, mut bytes) = (0, 0);
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            bytes += self.apply_entry(&entry)?;
            count += 1;
            if let Some(responder) = responder {
                responder.send(());
            }
        }
        self.growth.add(count, bytes);
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        self.growth.begin();
        let basis = self.basis.lock().clone();
        // A basis that is no longer current was overtaken by an installed checkpoint.
        let basis = basis.filter(|(_, checkpoint)| checkpoint.is_current());
        let pinned = self.machine.pin(basis.as_ref().map(|(epoch, _)| *epoch));
        Builder {
            checkpoints: Arc::clone(&self.checkpoints),
            work: Mutex::new(Some((pinned, basis.map(|(_, checkpoint)| checkpoint)))),
            applied: self.applied,
            membership: self.membership.clone(),
            growth: Arc::clone(&self.growth),
            basis: Arc::clone(&self.basis),
            trouble: Arc::clone(&self.trouble),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        checkpoint: Checkpoint,
    ) -> Result<(), io::Error> {
        let group = self.group;
        let machine = Arc::clone(&self.machine);
        let checkpoints = Arc::clone(&self.checkpoints);
        let installed = spawn_blocking(move || {
            let checkpoint = checkpoints.adopt(checkpoint)?;
            if !checkpoint.is_current() && !checkpoints.switch(&checkpoint)? {
                let what = format!("group {group}: an older checkpoint than the current arrived");
                return Err(Trouble::Stopped(what));
            }
            restore(group, &*machine, &checkpoint)
        });
        *self.basis.lock() = None;
        installed.await.map_err(io::Error::other)?.map_err(|trouble| self.fail(&trouble))?;
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot>, io::Error> {
        Ok(self.checkpoints.current().map(snapshot))
    }
}

/// A pinned state, and the checkpoint whose unchanged units it goes on from.
type Work = (Box<dyn Pinned>, Option<Checkpoint>);

/// Makes one checkpoint of a pinned machine, while entries go on being applied.
pub(crate) struct Builder {
    checkpoints: Arc<Checkpoints>,
    /// Taken once. The lock is never contended; a pinned state need not be `Sync`.
    work: Mutex<Option<Work>>,
    applied: Option<LogId>,
    membership: StoredMembership,
    growth: Arc<Growth>,
    basis: Arc<Mutex<Option<(u64, Checkpoint)>>>,
    trouble: Arc<OnceLock<String>>,
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = Checkpoint;

    async fn build_snapshot(&mut self) -> Result<Snapshot, io::Error> {
        let (pinned, base) = self.work.lock().take().expect("openraft builds with a builder once");
        let checkpoints = Arc::clone(&self.checkpoints);
        let (applied, membership) = (self.applied, self.membership.clone());
        let basis = Arc::clone(&self.basis);
        let built =
            spawn_blocking(move || build(&checkpoints, pinned, base, applied, membership, &basis));
        let built = built.await.map_err(io::Error::other)?;
        let built = built.map_err(|trouble| fail(&self.trouble, &trouble))?;
        Ok(snapshot(built))
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.growth.end();
    }
}

/// Writes the pinned state aside and switches to it.
fn build(
    checkpoints: &Arc<Checkpoints>,
    mut pinned: Box<dyn Pinned>,
    base: Option<Checkpoint>,
    applied: Option<LogId>,
    membership: StoredMembership,
    basis: &Mutex<Option<(u64, Checkpoint)>>,
) -> Result<Checkpoint, Trouble> {
    let mut draft = checkpoints.draft(base);
    while let Some((unit, bytes)) = pinned.next_unit() {
        draft.put_unit(unit, &bytes)?;
    }
    let built = draft.finish(applied, membership)?;
    if checkpoints.switch(&built)? {
        *basis.lock() = Some((pinned.epoch(), built.clone()));
        return Ok(built);
    }
    // A checkpoint that reaches further was installed meanwhile; that one is the answer.
    Ok(checkpoints.current().expect("the switch was refused in favour of one"))
}

#[cfg(test)]
mod tests;
