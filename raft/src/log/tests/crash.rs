//! Crashes at every operation of a scripted workload, and what must be found afterwards.

use super::super::Fsync;
use super::super::segment::sequence_of;
use super::script::{self, History, Model};
use crate::disk::sim::{SimDisk, Survival};

/// How many random choices of surviving sectors are tried at each crash.
const TORN_SEEDS: u64 = 2;
/// Requests before and after a crash.
const REQUESTS: usize = 120;
const REQUESTS_AFTER: usize = 6;

#[derive(Debug, Default)]
struct Counts {
    operations: u64,
    recoveries: u64,
    lost_unacknowledged: u64,
    crashes_in_recovery: u64,
    second_crashes: u64,
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged_with_fsync_always() {
    enumerate(Fsync::Always, 1);
}

#[test]
fn a_crash_at_any_operation_loses_no_vote_and_no_order_with_fsync_everysec() {
    enumerate(Fsync::EverySec, 2);
}

#[test]
fn a_crash_at_any_operation_loses_no_vote_and_no_order_with_fsync_no() {
    enumerate(Fsync::No, 3);
}

/// Runs the workload once for each operation it makes, and stops the machine there.
fn enumerate(fsync: Fsync, seed: u64) {
    let (disk, history, finished) = run_until(fsync, seed, None);
    assert!(finished, "without a crash everything succeeds");
    // The quiet group's entries were in the first segment and are alive.
    let first = disk.file_names().iter().find_map(|name| sequence_of(name));
    assert!(first > Some(1), "the script must be long enough to copy entries and free segments");
    assert!(history.states.len() > REQUESTS, "a vacuous script proves nothing");
    let mut counts = Counts { operations: disk.operations(), ..Counts::default() };
    for operation in 1..=disk.operations() {
        let (disk, history, finished) = run_until(fsync, seed, Some(operation));
        assert!(!finished || operation + 8 > counts.operations, "the crash stopped the script");
        let torn = (0..TORN_SEEDS).map(|torn| Survival::Torn { seed: operation * 31 + torn });
        for survival in [Survival::Lost, Survival::Kept].into_iter().chain(torn) {
            let what = format!("{fsync:?}, seed {seed}, operation {operation}, {survival:?}");
            check(fsync, &disk, &history, survival, &what, &mut counts);
        }
        process_death(fsync, &disk, &history, operation);
    }
    assert!(counts.lost_unacknowledged > 0, "some crash must have lost something");
    println!("crashes, fsync {fsync:?}: {counts:?}");
    assert!(counts.crashes_in_recovery > 0 && counts.second_crashes > 0);
}

fn run_until(fsync: Fsync, seed: u64, crash_at: Option<u64>) -> (SimDisk, History, bool) {
    let disk = SimDisk::default();
    if let Some(operation) = crash_at {
        disk.crash_at(operation);
    }
    let mut history = History::new(Model::new(), 0);
    let Ok(log) = script::open(&disk, fsync) else { return (disk, history, false) };
    let finished = history.run(&log, seed, REQUESTS);
    drop(log);
    (disk, history, finished)
}

fn check(
    fsync: Fsync,
    disk: &SimDisk,
    history: &History,
    survival: Survival,
    what: &str,
    counts: &mut Counts,
) {
    let found = disk.after_crash(survival);
    let recovered = recover(&found, fsync, what);
    counts.recoveries += 1;
    counts.lost_unacknowledged += u64::from(&recovered != history.now());
    assert!(history.allows(&recovered), "{what}: {}", history.explain(&recovered));

    // The machine stops again at an operation of the recovery.
    let recovering = disk.after_crash(survival);
    drop(script::open(&recovering, fsync));
    if recovering.operations() > 0 {
        let operation = 1 + counts.recoveries % recovering.operations();
        let found = disk.after_crash(survival);
        found.crash_at(operation);
        drop(script::open(&found, fsync));
        let again = recover(&found.after_crash(survival), fsync, what);
        assert_eq!(recovered, again, "{what}: recovery itself was cut at {operation}");
        counts.crashes_in_recovery += 1;
    }

    // Life goes on after the recovery, and is cut again: nothing of the first life comes back.
    let found = disk.after_crash(survival);
    let log = script::open(&found, fsync).unwrap();
    let mut second = History::new(recovered, history.term());
    let seed = counts.recoveries;
    found.crash_at(found.operations() + 1 + seed % 12);
    second.run(&log, seed, REQUESTS_AFTER);
    drop(log);
    let torn = Survival::Torn { seed };
    for survival in [Survival::Lost, Survival::Kept, torn] {
        let recovered = recover(&found.after_crash(survival), fsync, what);
        assert!(
            second.allows(&recovered),
            "{what}: then {survival:?}: {}",
            second.explain(&recovered)
        );
        counts.second_crashes += 1;
    }
}

/// Only the process died. What its successor finds may still be in memory alone, but is shown to
/// others and built upon, so a power cut right afterwards must not take it away.
fn process_death(fsync: Fsync, disk: &SimDisk, history: &History, operation: u64) {
    let what = format!("{fsync:?}, the process died at operation {operation}");
    disk.restart_process();
    let log = script::open(disk, fsync).unwrap();
    let shown = script::read(&log).unwrap();
    assert!(history.allows(&shown), "{what}: {}", history.explain(&shown));
    let mut second = History::new(shown, history.term());
    assert!(second.run(&log, operation, (operation % 3) as usize), "{what}: and goes on");
    let kept = recover(&disk.after_crash(Survival::Lost), fsync, &what);
    assert!(second.allows(&kept), "{what}, then the power went: {}", second.explain(&kept));
}

fn recover(disk: &SimDisk, fsync: Fsync, what: &str) -> Model {
    let log = script::open(disk, fsync).unwrap_or_else(|error| panic!("{what}: {error}"));
    script::read(&log).unwrap_or_else(|error| panic!("{what}: {error}"))
}
