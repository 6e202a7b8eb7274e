//! When and how often a key was looked at, in 32 bits: 24 of seconds, wrapping after 194 days as
//! in Redis, and 8 of a logarithmic counter.
//!
//! Both are kept whatever the eviction policy, so that CONFIG SET may change it at any time. They
//! belong to a replica alone (followers serve reads too): no digest counts them, and evictions are
//! decided by the leader and replicated as deletions.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::hashing::next_random;

/// A new key's counter, so that it is not evicted at once (Redis: `LFU_INIT_VAL`).
const COUNTER_NEW: u8 = 5;

/// How much rarer each further step of the counter is (Redis: `lfu-log-factor`).
const COUNTER_FACTOR: u32 = 10;

/// After each of these the counter falls by one (Redis: `lfu-decay-time`, one minute).
const DECAY_SECONDS: u32 = 60;

const SECONDS_BITS: u32 = 24;
const SECONDS_MAX: u32 = (1 << SECONDS_BITS) - 1;

/// A new key's data.
pub(crate) fn new(now_ms: u64) -> u32 {
    join(seconds(now_ms), COUNTER_NEW)
}

/// The data of a key whose value is replaced: the counter stays.
pub(crate) fn renewed(access: &AtomicU32, now_ms: u64) -> u32 {
    join(seconds(now_ms), frequency(access, now_ms))
}

/// Says how long ago the last look was, and how many there were, where that is known.
pub(crate) fn set(access: &AtomicU32, now_ms: u64, idle_seconds: Option<u64>, counter: Option<u8>) {
    let before = access.load(Ordering::Relaxed);
    let idle = idle_seconds.unwrap_or(0).min(SECONDS_MAX.into()) as u32;
    let then = seconds(now_ms).wrapping_sub(idle) & SECONDS_MAX;
    access.store(join(then, counter.unwrap_or(before as u8)), Ordering::Relaxed);
}

/// Notes a look. Stores only what changed, so that hot keys' cache lines stay clean.
pub(crate) fn touch(access: &AtomicU32, now_ms: u64, lfu: bool) {
    let before = access.load(Ordering::Relaxed);
    let mut counter = before as u8;
    if lfu {
        counter = frequency(access, now_ms);
        let odds = u32::from(counter.saturating_sub(COUNTER_NEW)) * COUNTER_FACTOR + 1;
        // Chance that is the same nowhere else, so it must not come from the entry's seed.
        let draw = next_random(&mut (now_ms ^ u64::from(before) << 32));
        if counter < u8::MAX && draw.is_multiple_of(u64::from(odds)) {
            counter += 1;
        }
    }
    let after = join(seconds(now_ms), counter);
    if after != before {
        access.store(after, Ordering::Relaxed);
    }
}

/// Seconds since the last look.
pub(crate) fn idle_seconds(access: &AtomicU32, now_ms: u64) -> u32 {
    let then = access.load(Ordering::Relaxed) >> u8::BITS;
    seconds(now_ms).wrapping_sub(then) & SECONDS_MAX
}

/// The counter, one less for every minute since the last look.
pub(crate) fn frequency(access: &AtomicU32, now_ms: u64) -> u8 {
    let counter = access.load(Ordering::Relaxed) as u8;
    let decay = idle_seconds(access, now_ms) / DECAY_SECONDS;
    counter.saturating_sub(u8::try_from(decay).unwrap_or(u8::MAX))
}

fn seconds(now_ms: u64) -> u32 {
    (now_ms / 1000) as u32 & SECONDS_MAX
}

fn join(seconds: u32, counter: u8) -> u32 {
    seconds << u8::BITS | u32::from(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_the_time_since_the_last_touch() {
        let access = AtomicU32::new(new(5_000));
        assert_eq!(idle_seconds(&access, 65_900), 60);
        touch(&access, 65_900, false);
        assert_eq!(idle_seconds(&access, 66_100), 1);
    }

    #[test]
    fn time_may_wrap() {
        let wrap_ms = (1 << SECONDS_BITS) * 1000;
        let access = AtomicU32::new(new(wrap_ms - 3_000));
        assert_eq!(idle_seconds(&access, wrap_ms + 4_000), 7);
    }

    #[test]
    fn the_counter_rises_ever_more_slowly_and_decays() {
        let access = AtomicU32::new(new(0));
        let mut now_ms = 0;
        let mut counter = COUNTER_NEW;
        for _ in 0..10_000 {
            now_ms += 1;
            touch(&access, now_ms, true);
            let then = frequency(&access, now_ms);
            assert!(then == counter || then == counter + 1);
            counter = then;
        }
        // Redis' table for factor 10: 10 after a hundred hits, 18 after a thousand, 142 after
        // 100,000; so some 45 here.
        assert!((30..70).contains(&counter), "{counter}");
        assert_eq!(frequency(&access, now_ms + 10 * 60_000), counter - 10);
        assert_eq!(frequency(&access, now_ms + 300 * 60_000), 0);
    }
}
