//! Reading: limits, entries that left the memory, real files and the thread.

use std::io::ErrorKind;

use futures::StreamExt;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::type_config::TypeConfigExt;

use super::super::group_log::{GroupLog, READ_BYTES_MAX};
use super::super::{Fsync, Log, LogError, LogOptions};
use super::script::{self, entry};
use crate::disk::sim::SimDisk;
use crate::types::{Entry, TypeConfig};

fn options(fsync: Fsync) -> LogOptions {
    LogOptions { fsync, segment_bytes: 256 << 10, tail_bytes_max: 64 << 10, thread: true }
}

async fn append(group: &mut GroupLog, entries: Vec<Entry>) -> std::io::Result<()> {
    let (sender, receiver) = TypeConfig::oneshot();
    group.append(entries, IOFlushed::signal(sender)).await?;
    receiver.await.expect("the callback fires")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_groups_share_one_log_and_find_everything_after_a_restart() {
    for fsync in [Fsync::Always, Fsync::EverySec, Fsync::No] {
        let directory = tempfile::tempdir().unwrap();
        let log = Log::open_dir(directory.path(), options(fsync)).unwrap();
        let writers: Vec<_> = (0..4u32)
            .map(|id| {
                let mut group = log.group(id);
                tokio::spawn(async move {
                    for index in 0..200 {
                        append(&mut group, vec![entry(id, 1, index, 2000)]).await.unwrap();
                        let last = entry(id, 1, index, 0).log_id;
                        group.save_committed(Some(last)).await.unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        check_groups(&log, fsync).await;
        drop(log);
        let log = Log::open_dir(directory.path(), options(fsync)).unwrap();
        check_groups(&log, fsync).await;
    }
}

async fn check_groups(log: &Log, fsync: Fsync) {
    for id in 0..4 {
        let mut reader = log.group(id).reader();
        let stream = reader.entries_stream(0..200).await;
        let entries: Vec<Entry> = stream.map(|entry| entry.unwrap()).collect().await;
        let expected: Vec<Entry> = (0..200).map(|index| entry(id, 1, index, 2000)).collect();
        assert_eq!(entries, expected, "{fsync:?}");
        let committed = log.group(id).read_committed().await.unwrap();
        assert_eq!(committed, Some(expected[199].log_id));
    }
}

#[tokio::test]
async fn a_limited_read_stays_below_what_a_message_may_hold() {
    let log = script::open(&SimDisk::default(), Fsync::Always).unwrap();
    let mut group = log.group(1);
    let sizes = [300_000, 300_000, 300_000, 300_000, 3_000_000, 10];
    let entries: Vec<Entry> =
        sizes.iter().zip(4..).map(|(bytes, index)| entry(1, 1, index, *bytes)).collect();
    append(&mut group, entries).await.unwrap();
    let mut reader = group.reader();
    let counts = [(4, 3), (5, 3), (7, 1), (8, 1), (9, 1)];
    for (start, count) in counts {
        let entries = reader.limited_get_log_entries(start, 10).await.unwrap();
        assert_eq!(entries[0].log_id.index, start);
        assert_eq!(entries.len(), count, "from {start}, at most {READ_BYTES_MAX} bytes");
    }
}

#[tokio::test]
async fn a_purged_entry_is_not_replaced_by_a_later_one() {
    let log = script::open(&SimDisk::default(), Fsync::Always).unwrap();
    let mut group = log.group(1);
    let entries: Vec<Entry> = (0..10).map(|index| entry(1, 1, index, 50)).collect();
    append(&mut group, entries.clone()).await.unwrap();
    group.purge(entries[4].log_id).await.unwrap();
    let mut reader = group.reader();
    assert_eq!(reader.limited_get_log_entries(3, 8).await.unwrap(), []);
    assert_eq!(reader.limited_get_log_entries(5, 8).await.unwrap(), entries[5..8]);
}

#[tokio::test]
async fn a_hole_is_refused_and_takes_nothing() {
    let log = script::open(&SimDisk::default(), Fsync::Always).unwrap();
    let mut group = log.group(1);
    append(&mut group, vec![entry(1, 1, 0, 50)]).await.unwrap();
    for entries in [vec![entry(1, 1, 2, 50)], vec![entry(1, 1, 1, 50), entry(1, 1, 3, 50)]] {
        let error = append(&mut group, entries).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    append(&mut group, vec![entry(1, 1, 1, 50)]).await.unwrap();
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open_dir(directory.path(), options(Fsync::Always)).unwrap();
    let group = log.group(1);
    let error = Log::open_dir(directory.path(), options(Fsync::Always)).unwrap_err();
    assert!(matches!(error, LogError::Io { .. }), "{error}");
    // Handles that outlive the log do not keep the directory locked.
    drop(log);
    Log::open_dir(directory.path(), options(Fsync::Always)).unwrap();
    drop(group);
}

#[tokio::test]
async fn a_closed_log_refuses_and_still_reads() {
    let directory = tempfile::tempdir().unwrap();
    let log = Log::open_dir(directory.path(), options(Fsync::Always)).unwrap();
    let mut group = log.group(1);
    append(&mut group, vec![entry(1, 1, 0, 50)]).await.unwrap();
    drop(log);
    append(&mut group, vec![entry(1, 1, 1, 50)]).await.unwrap_err();
    assert_eq!(group.reader().limited_get_log_entries(0, 1).await.unwrap().len(), 1);
}
