//! The state machine and the log under openraft's own conformance suite, and beyond it.

use futures::stream;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::vote::RaftLeaderId;
use tempfile::TempDir;

use super::*;
use crate::checkpoint::MemoryStore;
use crate::log::{GroupLog, Log, LogOptions};
use crate::machine::tests::NoMachine;
use crate::types::LeaderId;

struct Builders;

impl StoreBuilder<TypeConfig, GroupLog, StateMachine, (TempDir, Log)> for Builders {
    async fn build(
        &self,
    ) -> Result<((TempDir, Log), GroupLog, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::open_dir(dir.path(), LogOptions::default()).unwrap();
        let group_log = log.group(1);
        let (state_machine, _) = open(Arc::new(MemoryStore::default()));
        Ok(((dir, log), group_log, state_machine))
    }
}

fn open(store: Arc<MemoryStore>) -> (StateMachine, Arc<OnceLock<String>>) {
    let trouble = Arc::new(OnceLock::new());
    let growth = Arc::new(Growth::new(1000, 1 << 30));
    let checkpoints = Checkpoints::open(store, 1).unwrap();
    let machine = Arc::new(NoMachine);
    let open = StateMachine::open(1, machine, checkpoints, growth, Arc::clone(&trouble));
    (open.unwrap(), trouble)
}

#[test]
fn conforms_to_openraft() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Suite::test_all(Builders)).unwrap();
}

fn blank(index: u64) -> Entry {
    let leader = LeaderId::new(1, 1).to_committed();
    Entry { log_id: LogId::new(leader, index), payload: EntryPayload::Blank }
}

async fn apply(state: &mut StateMachine, indices: std::ops::Range<u64>) {
    let entries = indices.map(|index| Ok((blank(index), None)));
    state.apply(stream::iter(entries)).await.unwrap();
}

#[tokio::test]
async fn a_checkpoint_under_way_does_not_undo_an_installed_one() {
    let store = Arc::new(MemoryStore::default());
    let (mut state, _) = open(Arc::clone(&store));
    apply(&mut state, 0..5).await;
    let mut builder = state.get_snapshot_builder().await;

    // Meanwhile a peer's checkpoint, which reaches further, arrives.
    let last = Some(blank(9).log_id);
    let arrived = state.checkpoints().draft(None);
    let arrived = arrived.finish(last, StoredMembership::default()).unwrap();
    let meta = snapshot(arrived.clone()).meta;
    state.install_snapshot(&meta, arrived).await.unwrap();

    let built = builder.build_snapshot().await.unwrap();
    assert_eq!(built.meta.last_log_id, last, "the further one is the answer");
    assert_eq!(state.get_current_snapshot().await.unwrap().unwrap().meta.last_log_id, last);
    assert_eq!(state.applied_state().await.unwrap().0, last);

    let (mut restarted, _) = open(Arc::new(store.crash(0)));
    assert_eq!(restarted.applied_state().await.unwrap().0, last);
}

#[tokio::test]
async fn a_disk_that_cannot_flush_stops_the_replica_with_a_sentence() {
    let store = Arc::new(MemoryStore::default());
    let (mut state, trouble) = open(Arc::clone(&store));
    apply(&mut state, 0..5).await;
    store.break_disk();
    let mut builder = state.get_snapshot_builder().await;
    assert!(builder.build_snapshot().await.is_err());
    assert_eq!(trouble.get().unwrap(), "cannot flush memory: the disk is broken");
}
