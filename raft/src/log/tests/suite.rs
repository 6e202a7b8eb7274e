//! openraft's conformance suite over the log, with a state machine in memory that is just good
//! enough for the suite.

use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::entry::RaftEntry;
use openraft::storage::{
    EntryResponder, RaftSnapshotBuilder, RaftStateMachine, Snapshot, SnapshotMeta,
};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, StorageError, alias};
use parking_lot::Mutex;

use super::super::group_log::GroupLog;
use super::super::{Fsync, Log, LogOptions};
use crate::types::{LogId, StoredMembership, TypeConfig};

struct Builder(Fsync);

type Meta = alias::SnapshotMetaOf<TypeConfig>;

/// Keeps the directory and the log alive as long as the store.
type Guard = (tempfile::TempDir, Log);

impl StoreBuilder<TypeConfig, GroupLog, TestMachine, Guard> for Builder {
    async fn build(&self) -> Result<(Guard, GroupLog, TestMachine), StorageError<TypeConfig>> {
        let directory = tempfile::tempdir().unwrap();
        let options = LogOptions {
            fsync: self.0,
            segment_bytes: 64 << 10,
            // So that the suite reads from the disk as well.
            tail_bytes_max: 0,
            ..LogOptions::default()
        };
        let log = Log::open_dir(directory.path(), options).unwrap();
        let group = log.group(7);
        Ok(((directory, log), group, TestMachine::default()))
    }
}

#[test]
fn openrafts_suite_passes_with_fsync_always() {
    run(Fsync::Always);
}

#[test]
fn openrafts_suite_passes_with_fsync_no() {
    run(Fsync::No);
}

fn run(fsync: Fsync) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Suite::test_all(Builder(fsync))).unwrap();
}

#[derive(Clone, Debug, Default)]
struct TestMachine {
    state: Arc<Mutex<(Option<LogId>, StoredMembership)>>,
    snapshot: Arc<Mutex<Option<Meta>>>,
}

type TestSnapshot = alias::SnapshotOf<TypeConfig, ()>;

impl RaftSnapshotBuilder<TypeConfig> for TestMachine {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> Result<TestSnapshot, io::Error> {
        let (last_log_id, last_membership) = self.state.lock().clone();
        let meta = SnapshotMeta { last_log_id, last_membership };
        *self.snapshot.lock() = Some(meta.clone());
        Ok(Snapshot { meta, snapshot: () })
    }
}

impl RaftStateMachine<TypeConfig> for TestMachine {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok(self.state.lock().clone())
    }

    async fn apply<S>(&mut self, mut entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            let (entry, _) = entry?;
            let mut state = self.state.lock();
            state.0 = Some(entry.log_id);
            if let Some(membership) = entry.get_membership() {
                state.1 = StoredMembership::new(Some(entry.log_id), membership);
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &Meta, _snapshot: ()) -> Result<(), io::Error> {
        *self.state.lock() = (meta.last_log_id, meta.last_membership.clone());
        *self.snapshot.lock() = Some(meta.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<TestSnapshot>, io::Error> {
        Ok(self.snapshot.lock().clone().map(|meta| Snapshot { meta, snapshot: () }))
    }
}
