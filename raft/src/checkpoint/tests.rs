//! Checkpoints against the model store: crashes at every write, damage, readers of old ones.

use proptest::prelude::*;

use super::*;
use crate::types::{CommittedLeaderId, LogId, StoredMembership};

fn last(index: u64) -> Option<LogId> {
    Some(LogId::new(CommittedLeaderId::new(1), index))
}

fn write(
    checkpoints: &Arc<Checkpoints>,
    base: Option<Checkpoint>,
    index: u64,
    units: &[(UnitId, Vec<u8>)],
) -> Result<Checkpoint, Trouble> {
    let mut draft = checkpoints.draft(base);
    for (id, bytes) in units {
        draft.put_unit(*id, bytes)?;
    }
    let checkpoint = draft.finish(last(index), StoredMembership::default())?;
    assert!(checkpoints.switch(&checkpoint)?);
    Ok(checkpoint)
}

fn content(checkpoint: &Checkpoint) -> Vec<(UnitId, Vec<u8>)> {
    checkpoint.units().collect::<Result<_, _>>().unwrap()
}

fn reopened(store: &Arc<MemoryStore>) -> Arc<Checkpoints> {
    Checkpoints::open(Arc::clone(store) as Arc<dyn CheckpointStore>, 7).unwrap()
}

fn chunk_count(store: &MemoryStore) -> usize {
    store.keys(b"c").unwrap().len()
}

#[test]
fn only_changed_units_are_written_again_and_old_chunks_go() {
    let store = Arc::new(MemoryStore::default());
    let checkpoints = reopened(&store);
    let big = vec![3; 200_000];
    let first = write(&checkpoints, None, 10, &[(1, vec![1]), (2, vec![2]), (3, big.clone())]);
    let first = first.unwrap();
    assert_eq!(chunk_count(&store), 6);

    let second = write(&checkpoints, Some(first.clone()), 20, &[(1, vec![9]), (2, vec![])]);
    let second = second.unwrap();
    assert_eq!(content(&second), [(1, vec![9]), (3, big.clone())]);
    assert_eq!(content(&first), [(1, vec![1]), (2, vec![2]), (3, big.clone())], "still read");
    assert_eq!(chunk_count(&store), 7);

    drop(first);
    let third = write(&checkpoints, Some(second), 30, &[(5, vec![5])]).unwrap();
    assert_eq!(content(&third), [(1, vec![9]), (3, big.clone()), (5, vec![5])]);
    assert_eq!(chunk_count(&store), 6, "nobody reads the first any more");
    assert_eq!(content(&reopened(&store).current().unwrap()), content(&third));
    assert_eq!(store.keys(b"s").unwrap().len(), 0, "nothing is left to sweep");
}

#[test]
fn an_abandoned_draft_leaves_nothing() {
    let store = Arc::new(MemoryStore::default());
    let checkpoints = reopened(&store);
    let mut draft = checkpoints.draft(None);
    draft.put_unit(1, &vec![1; 3 * BATCH_BYTES_MAX]).unwrap();
    assert!(chunk_count(&store) > 0);
    drop(draft);
    write(&checkpoints, None, 1, &[(2, vec![2])]).unwrap();
    assert_eq!(chunk_count(&store), 1);
}

#[test]
fn an_older_checkpoint_does_not_replace_a_newer() {
    let store = Arc::new(MemoryStore::default());
    let checkpoints = reopened(&store);
    let mut draft = checkpoints.draft(None);
    draft.put_unit(1, b"old").unwrap();
    let old = draft.finish(last(5), StoredMembership::default()).unwrap();
    let new = write(&checkpoints, None, 9, &[(1, b"new".to_vec())]).unwrap();
    assert!(!checkpoints.switch(&old).unwrap());
    assert!(new.is_current() && !old.is_current());
    assert_eq!(content(&checkpoints.current().unwrap()), [(1, b"new".to_vec())]);
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let fresh = || {
        let store = Arc::new(MemoryStore::default());
        write(&reopened(&store), None, 1, &[(1, vec![7; 100_000])]).unwrap();
        store
    };
    let keys = fresh().keys(b"").unwrap();
    assert_eq!(keys.len(), 3, "two chunks and the manifest");
    for key in keys {
        for bit in [0, 31, 32, 77, 4096] {
            let store = fresh();
            assert!(store.flip(&key, bit));
            let read = Checkpoints::open(Arc::clone(&store) as Arc<dyn CheckpointStore>, 7)
                .and_then(|c| c.current().unwrap().units().collect::<Result<Vec<_>, _>>());
            let Err(Trouble::Corrupt(what)) = read else { panic!("{key:?} {bit}: unnoticed") };
            assert!(what.contains("checkpoint"), "{what}");
        }
        let store = fresh();
        let mut batch = Batch::default();
        batch.remove(key.clone());
        store.write(batch).unwrap();
        let checkpoints = reopened(&store);
        if let Some(checkpoint) = checkpoints.current() {
            assert!(checkpoint.units().any(|unit| unit.is_err()), "a chunk is missing");
        }
    }
}

#[test]
fn a_disk_that_cannot_flush_stops_the_checkpoint() {
    let store = Arc::new(MemoryStore::default());
    let checkpoints = reopened(&store);
    store.break_disk();
    assert!(matches!(write(&checkpoints, None, 1, &[(1, vec![1])]), Err(Trouble::Io { .. })));
    assert!(checkpoints.current().is_none());
}

proptest! {
    /// Whatever is written, and wherever a crash falls between two flushes, a restart finds one of
    /// the checkpoints that were switched to, whole, and no chunk besides.
    #[test]
    fn a_crash_leaves_one_whole_checkpoint(
        rounds in prop::collection::vec(
            prop::collection::btree_map(0u32..6, 0usize..150_000, 0..4), 1..5),
        kept in 0usize..6,
    ) {
        let store = Arc::new(MemoryStore::default());
        let checkpoints = reopened(&store);
        let mut model = std::collections::BTreeMap::new();
        let mut base = None;
        for (round, units) in (1..).zip(&rounds) {
            let units: Vec<(UnitId, Vec<u8>)> =
                units.iter().map(|(id, size)| (*id, vec![round; *size])).collect();
            for (id, bytes) in &units {
                model.insert(*id, bytes.clone());
            }
            model.retain(|_, bytes: &mut Vec<u8>| !bytes.is_empty());
            base = Some(write(&checkpoints, base, u64::from(round), &units).unwrap());
        }
        // A next one that never gets as far as its switch.
        let mut draft = checkpoints.draft(base);
        draft.put_unit(0, &vec![0xee; 2 * BATCH_BYTES_MAX]).unwrap();

        let store = Arc::new(store.crash(kept));
        let found = reopened(&store).current().unwrap();
        prop_assert_eq!(content(&found), model.into_iter().collect::<Vec<_>>());
        let chunks: u32 = found.manifest().units.values().map(|unit| unit.chunks).sum();
        prop_assert_eq!(chunk_count(&store), chunks as usize);
    }
}
