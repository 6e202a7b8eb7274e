//! A replica on a disk that fails, and on one that forgets what was not synced.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use super::*;
use crate::checkpoint::MemoryStore;
use crate::disk::sim::{SimDisk, Survival};
use crate::log::{Log, LogOptions};
use crate::{Committed, Identity, Pinned, UnitId};

/// A set of numbers; a payload adds one.
#[derive(Default)]
struct Numbers {
    set: Mutex<BTreeSet<u64>>,
}

fn number(bytes: &[u8]) -> Result<u64, String> {
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| "not a number")?))
}

impl Machine for Numbers {
    fn apply(&self, entry: Committed<'_>) -> Result<(), String> {
        self.set.lock().insert(number(entry.payload)?);
        Ok(())
    }

    fn pin(&self, _: Option<u64>) -> Box<dyn Pinned> {
        let bytes = self.set.lock().iter().flat_map(|n| n.to_be_bytes()).collect();
        Box::new(PinnedNumbers(Some(bytes)))
    }

    fn restore(
        &self,
        units: &mut dyn Iterator<Item = Result<(UnitId, Vec<u8>), String>>,
    ) -> Result<(), String> {
        let mut set = self.set.lock();
        set.clear();
        for unit in units {
            for bytes in unit?.1.chunks(8) {
                set.insert(number(bytes)?);
            }
        }
        Ok(())
    }
}

struct PinnedNumbers(Option<Vec<u8>>);

impl Pinned for PinnedNumbers {
    fn epoch(&self) -> u64 {
        0
    }

    fn next_unit(&mut self) -> Option<(UnitId, Vec<u8>)> {
        Some((0, self.0.take()?))
    }
}

/// Starts the only replica of a group on these disks.
async fn start(disk: &SimDisk, store: &Arc<MemoryStore>) -> (Group, Arc<Numbers>) {
    let log = Log::open(Arc::new(disk.clone()), LogOptions::default()).unwrap();
    let storage = Storage::from_parts(log, Arc::clone(store) as _, "c", 1).unwrap();
    let options = GroupOptions {
        group: 0,
        node: 1,
        members: vec![(1, "127.0.0.1:1".to_string())],
        bootstrap: true,
        timing: Timing { heartbeat_ms: 20, election_ms_min: 100, election_ms_max: 150 },
        checkpoint_entries: 10,
        checkpoint_log_bytes: 1 << 30,
    };
    let peers = Peers::new(Identity::new("c", 1).unwrap());
    let machine = Arc::new(Numbers::default());
    let group = Group::start(options, &storage, machine.clone(), &peers).await.unwrap();
    let mut leadership = group.watch_leader();
    leadership.wait_for(|now| now.leader == Some(1)).await.unwrap();
    (group, machine)
}

async fn propose(group: &Group, n: u64) -> Result<(), ProposeError> {
    group.propose(Bytes::copy_from_slice(&n.to_be_bytes())).await
}

#[tokio::test]
async fn a_disk_that_fails_stops_the_replica_with_a_sentence() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        let disk = SimDisk::default();
        let (group, _) = start(&disk, &Arc::default()).await;
        propose(&group, 1).await.unwrap();
        disk.fail_at(disk.operations() + 1, kind);
        let mut failed = group.failed();
        let mut n = 2;
        while propose(&group, n).await.is_ok() {
            n += 1;
        }
        let sentence = failed.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert!(sentence.contains(&kind.to_string()) || sentence.contains("disk"), "{sentence}");
        assert!(!group.lease_valid());
        assert_eq!(propose(&group, n).await, Err(ProposeError::Stopped));
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_power_cuts() {
    let (mut disk, mut store) = (SimDisk::default(), Arc::new(MemoryStore::default()));
    let mut acknowledged = BTreeSet::new();
    for round in 0..12_u64 {
        let (group, machine) = start(&disk, &store).await;
        // A busy machine may need more than one round until its own first entry is applied.
        while group.read_barrier().await.is_err() {}
        let found = machine.set.lock().clone();
        let lost: Vec<_> = acknowledged.difference(&found).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");

        // Some at once, so that the cut falls between writes that are under way, and a checkpoint
        // is made somewhere in between.
        let from = round * 100;
        let writes = (from..from + 40).map(|n| {
            let group = group.clone();
            async move { (n, propose(&group, n).await) }
        });
        let writes = futures::future::join_all(writes);
        if let Ok(done) = tokio::time::timeout(Duration::from_millis(3 * round), writes).await {
            acknowledged.extend(done.iter().filter(|(_, done)| done.is_ok()).map(|(n, _)| *n));
        }
        let survival = match round % 3 {
            0 => Survival::Lost,
            1 => Survival::Kept,
            _ => Survival::Torn { seed: round },
        };
        disk = disk.after_crash(survival);
        store = Arc::new(store.crash(usize::try_from(round).unwrap() % 4));
        group.shutdown().await;
    }
    assert!(acknowledged.len() >= 40, "the disks were hardly used");
}
