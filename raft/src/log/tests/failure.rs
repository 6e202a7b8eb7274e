//! Full and failing disks: a clear error, then silence, and a restart that finds a sound log.

use std::io::ErrorKind;

use super::super::Fsync;
use super::script::{self, History, Model};
use crate::disk::sim::{SimDisk, Survival};

const REQUESTS: usize = 80;

#[test]
fn a_full_disk_at_any_operation_ends_the_log_and_a_restart_goes_on() {
    fail_everywhere(ErrorKind::StorageFull);
}

#[test]
fn a_failing_disk_at_any_operation_ends_the_log_and_a_restart_goes_on() {
    // What EIO is called.
    fail_everywhere(ErrorKind::Other);
}

fn fail_everywhere(kind: ErrorKind) {
    let seed = 21;
    let disk = SimDisk::default();
    let log = script::open(&disk, Fsync::Always).unwrap();
    assert!(History::new(Model::new(), 0).run(&log, seed, REQUESTS));
    let operations = disk.operations();
    let mut poisoned = 0;
    for operation in 1..=operations {
        let disk = SimDisk::default();
        disk.fail_at(operation, kind);
        let mut history = History::new(Model::new(), 0);
        let Ok(log) = script::open(&disk, Fsync::Always) else { continue };
        let finished = history.run(&log, seed, REQUESTS);
        let Some(error) = log.shared.failure() else {
            panic!("operation {operation} failed and nobody noticed");
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("sim"), "the file is named: {error}");
        // The disk works again, but a log that has failed once does not pretend.
        let writes = disk.operations();
        assert!(finished || !history.run(&log, seed + 1, 20), "a poisoned log accepted something");
        assert!(finished || disk.operations() == writes, "a poisoned log wrote something");
        poisoned += 1;
        drop(log);
        // A restarted process finds what the kernel kept; a restarted machine what was synced.
        for survival in [Survival::Kept, Survival::Lost] {
            let found = disk.after_crash(survival);
            let log = script::open(&found, Fsync::Always).unwrap();
            let recovered = script::read(&log).unwrap();
            let explanation = history.explain(&recovered);
            assert!(history.allows(&recovered), "operation {operation}: {explanation}");
            assert!(
                History::new(recovered, history.term()).run(&log, seed + 2, 20),
                "free space is used again"
            );
        }
    }
    println!("{kind:?} at each of {operations} operations: {poisoned} poisoned logs restarted");
}
