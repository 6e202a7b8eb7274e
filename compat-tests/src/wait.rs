//! Waiting for something to become true, never for time to pass.

use std::time::{Duration, Instant};

/// Between two looks: short beside every deadline here, long beside a look.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `look` answers; panics, naming `what`, when `limit` has passed.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// [`until`] for a plain condition.
pub fn until_true(what: &str, limit: Duration, mut look: impl FnMut() -> bool) {
    until(what, limit, || look().then_some(()));
}
