//! Flipped bits and missing files: found and refused, never served.

use super::super::segment::{segment_name, sequence_of};
use super::super::{Fsync, Log, LogError};
use super::script::{self, History, Model};
use crate::disk::Disk;
use crate::disk::sim::{SimDisk, Survival};

/// A log of a few segments, closed as a stopping node closes it.
fn closed_log() -> (SimDisk, Model) {
    let disk = SimDisk::default();
    let log = script::open(&disk, Fsync::Always).unwrap();
    let mut history = History::new(Model::new(), 0);
    assert!(history.run(&log, 11, 60));
    drop(log);
    (disk.after_crash(Survival::Lost), history.now().clone())
}

fn segments(disk: &SimDisk) -> Vec<u64> {
    disk.file_names().iter().filter_map(|name| sequence_of(name)).collect()
}

#[test]
fn a_flipped_bit_in_a_closed_log_is_found_or_harmless() {
    let (disk, expected) = closed_log();
    assert!(segments(&disk).len() > 2, "damage must be tried in the middle and at the end");
    let (mut refused, mut harmless) = (0, 0);
    for sequence in segments(&disk) {
        let name = segment_name(sequence);
        let bytes = disk.open(&name).unwrap().len().unwrap();
        // Every third byte: still every field of every kind of record, in a third of the time.
        for byte in (sequence % 3..bytes).step_by(3) {
            let bit = byte * 8 + byte % 8;
            let damaged = disk.after_crash(Survival::Lost);
            damaged.flip(&name, bit);
            match script::open(&damaged, Fsync::Always) {
                Err(LogError::Corrupt { path, .. }) => {
                    assert_eq!(path, damaged.path(&name), "the damaged file is named");
                    refused += 1;
                }
                Err(error) => panic!("{name} bit {bit}: {error}"),
                Ok(log) => {
                    assert_eq!(script::read(&log).unwrap(), expected, "{name} bit {bit}");
                    harmless += 1;
                }
            }
        }
    }
    println!("flipped bits: {refused} refused, {harmless} harmless (unused space, last mark)");
    assert!(refused > harmless / 8, "most of the log is in use");
}

#[test]
fn a_flipped_bit_in_an_unsynced_tail_drops_the_tail_and_nothing_else() {
    let disk = SimDisk::default();
    let log = script::open(&disk, Fsync::No).unwrap();
    let mut history = History::new(Model::new(), 0);
    assert!(history.run(&log, 5, 25));
    let found = disk.after_crash(Survival::Kept);
    let last = segment_name(*segments(&found).last().unwrap());
    let (mut refused, mut dropped) = (0, 0);
    for byte in 0..found.open(&last).unwrap().len().unwrap() {
        let damaged = found.after_crash(Survival::Lost);
        damaged.flip(&last, byte * 8 + byte % 8);
        match script::open(&damaged, Fsync::No) {
            Err(_) => refused += 1,
            Ok(log) => {
                let recovered = script::read(&log).unwrap();
                assert!(history.allows(&recovered), "byte {byte}: {}", history.explain(&recovered));
                dropped += u64::from(&recovered != history.now());
            }
        }
    }
    println!("flipped bits in an unsynced tail: {refused} refused, {dropped} dropped the tail");
    assert!(refused > 0 && dropped > 0);
}

#[test]
fn a_bit_that_flips_while_the_log_is_open_is_not_served() {
    let disk = SimDisk::default();
    let log = script::open(&disk, Fsync::Always).unwrap();
    let mut history = History::new(Model::new(), 0);
    assert!(history.run(&log, 11, 60));
    // Entries in memory are right; the damaged one must be read from the disk.
    let victim = places(&log).into_iter().next().expect("some entries left the memory");
    disk.flip(&segment_name(victim.0), (u64::from(victim.1) + 60) * 8);
    let error = script::read(&log).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let place = format!("{:016x}.log is corrupt at offset {}", victim.0, victim.1);
    assert!(error.to_string().contains(&place), "{error}");
}

/// Segment and offset of every entry that is not in memory.
fn places(log: &Log) -> Vec<(u64, u32)> {
    use super::super::state::Found;
    let groups = log.shared.groups.lock();
    let found = groups.values().flat_map(|group| group.inner.lock().find(0, u64::MAX, usize::MAX));
    let on_disk = found.filter_map(|found| match found {
        Found::Disk(_, place) => Some((place.sequence, place.offset)),
        Found::Memory(_) => None,
    });
    on_disk.collect()
}

#[test]
fn a_missing_segment_is_named() {
    let (disk, _) = closed_log();
    let sequences = segments(&disk);
    // The last one cannot be missed: nothing behind it speaks of it.
    for sequence in &sequences[..sequences.len() - 1] {
        let found = disk.after_crash(Survival::Lost);
        found.remove(&segment_name(*sequence)).unwrap();
        let error = script::open(&found, Fsync::Always).unwrap_err();
        assert!(matches!(error, LogError::Missing { .. }), "{error}");
        assert!(error.to_string().contains(&segment_name(*sequence)), "{error}");
    }
}

#[test]
fn a_foreign_file_with_a_segments_name_is_refused() {
    let disk = SimDisk::default();
    let file = disk.create(&segment_name(1)).unwrap();
    file.write_at(&[b'x'; 4096], 0).unwrap();
    let error = script::open(&disk, Fsync::Always).unwrap_err();
    assert!(error.to_string().contains("not a log segment"), "{error}");
}

#[test]
fn a_payload_that_looks_like_a_record_is_not_taken_for_one() {
    use super::super::record::{self, Header, Kind, Stamp};
    // A client knows everything but the salt, and claims that a later place was durable.
    let stamp = Stamp { sequence: 1, salt: 0x1234_5678, synced: 1 << 30 };
    let mut forged = Vec::new();
    record::encode(&mut forged, &stamp, &Header::plain(1, Kind::Mark, 0), &[]);
    assert!(record::decode(&forged, 1, stamp.salt).is_some());
    assert!(record::decode(&forged, 1, stamp.salt ^ 1).is_none());
    assert!(record::decode(&forged, 2, stamp.salt).is_none());
}
