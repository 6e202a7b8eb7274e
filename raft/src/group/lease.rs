//! The leader's lease: how long no other node can have been elected.
//!
//! A follower that heard from its leader grants no vote for its patience (`Timing`) after that
//! moment. A leader whose message a quorum answered therefore knows that nobody else leads until
//! the patience, counted from when it *sent* that message, is over. It counts on its own clock:
//! only the rates of two clocks are compared, never their times of day.
//!
//! The clock is CLOCK_BOOTTIME, which goes on while the machine sleeps. openraft's clock does not,
//! so an answer from before a sleep would look fresh after it; when the two clocks have parted,
//! answers from before that moment no longer count.
//!
//! A follower that restarts has forgotten when it last heard from a leader; it grants no vote for
//! one patience after its start (`Group::may_vote`).

use std::time::Duration;

use openraft::Instant as _;
use openraft::type_config::alias;

use crate::types::TypeConfig;

/// openraft's clock.
type Instant = alias::InstantOf<TypeConfig>;

/// How much faster a follower's clock may run than ours. Real clocks differ by some 100 ppm, and
/// are slewed by up to 500 more; a virtual machine's can be worse, hence the reserve.
const CLOCK_DRIFT_PPM_MAX: u64 = 10_000;
/// Covers the clocks' granularity and the tolerance below.
const LEASE_MARGIN: Duration = Duration::from_millis(5);
/// Clocks that parted by more than this were not merely read with a pause in between.
const SLEEP_NS_MIN: u64 = 1_000_000;

/// Two readings of the same moment, in nanoseconds since the clock was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Of the clock that counts sleep.
    pub(crate) boot_ns: u64,
    /// Of openraft's clock.
    pub(crate) mono_ns: u64,
}

/// The two clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    base: Instant,
    boot_base_ns: u64,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        Clock { base: Instant::now(), boot_base_ns: boot_ns() }
    }

    /// The clock that counts sleep; the cheap half of [`Clock::now`].
    pub(crate) fn boot_ns(&self) -> u64 {
        boot_ns().saturating_sub(self.boot_base_ns)
    }

    pub(crate) fn now(&self) -> Moment {
        // In this order: a pause in between makes the sleeping clock look early, never late, and
        // a lease computed from it too short, never too long.
        let boot_ns = self.boot_ns();
        Moment { boot_ns, mono_ns: self.mono_ns(Instant::now()) }
    }

    /// A moment of openraft's clock; the earliest is the clock's making.
    pub(crate) fn mono_ns(&self, at: Instant) -> u64 {
        nanoseconds(at - self.base)
    }
}

#[cfg(target_os = "linux")]
fn boot_ns() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).expect("the clock starts at zero");
    let nanoseconds = u64::try_from(now.tv_nsec).expect("a part of a second");
    seconds * 1_000_000_000 + nanoseconds
}

/// Without a clock that counts sleep the standard library's has to do.
#[cfg(not(target_os = "linux"))]
fn boot_ns() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BASE: OnceLock<Instant> = OnceLock::new();
    nanoseconds(BASE.get_or_init(Instant::now).elapsed())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("584 years have not passed")
}

/// The arithmetic of one group's lease.
#[derive(Debug)]
pub(crate) struct Lease {
    length_ns: u64,
    /// By how much the sleeping clock is ahead, as last seen.
    offset_ns: i64,
    /// Answers to messages sent before this do not count.
    distrusted_ns: Option<u64>,
}

impl Lease {
    /// A lease under followers with this patience.
    pub(crate) fn new(patience: Duration, now: Moment) -> Lease {
        let drift = patience.as_nanos() * u128::from(CLOCK_DRIFT_PPM_MAX) / 1_000_000;
        let drift = Duration::from_nanos(u64::try_from(drift).unwrap_or(u64::MAX));
        let length = patience.saturating_sub(drift).saturating_sub(LEASE_MARGIN);
        Lease { length_ns: nanoseconds(length), offset_ns: offset(now), distrusted_ns: None }
    }

    /// Until when, on the clock that counts sleep, the lease holds that a quorum gave by answering
    /// a message sent at `sent_ns` of openraft's clock. `None`: it is over, or cannot be known.
    pub(crate) fn until(&mut self, now: Moment, sent_ns: u64) -> Option<u64> {
        if offset(now).abs_diff(self.offset_ns) > SLEEP_NS_MIN {
            self.offset_ns = offset(now);
            self.distrusted_ns = Some(now.mono_ns);
        }
        if self.distrusted_ns.is_some_and(|before| sent_ns <= before) {
            return None;
        }
        let sent_boot_ns = sent_ns.checked_add_signed(self.offset_ns)?;
        let until = sent_boot_ns + self.length_ns;
        (now.boot_ns < until).then_some(until)
    }

    /// Until when a leader may go on that needs nobody's vote; to be asked for again after that,
    /// since members may join.
    pub(crate) fn alone_until(&self, now: Moment) -> u64 {
        now.boot_ns + self.length_ns
    }
}

fn offset(now: Moment) -> i64 {
    i64::try_from(now.boot_ns).unwrap_or(i64::MAX) - i64::try_from(now.mono_ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(boot_ms: u64, mono_ms: u64) -> Moment {
        Moment { boot_ns: boot_ms * MS, mono_ns: mono_ms * MS }
    }

    fn lease() -> Lease {
        Lease::new(Duration::from_millis(400), at(1000, 1000))
    }

    #[test]
    fn a_lease_is_shorter_than_the_followers_patience() {
        // 400 ms less 1 % less 5 ms, counted from when the message was sent.
        assert_eq!(lease().until(at(1100, 1100), 1050 * MS), Some((1050 + 391) * MS));
        assert_eq!(lease().until(at(1440, 1440), 1050 * MS), Some((1050 + 391) * MS));
        assert_eq!(lease().until(at(1441, 1441), 1050 * MS), None);
    }

    #[test]
    fn an_answer_from_before_a_sleep_does_not_count_after_it() {
        let mut lease = lease();
        assert!(lease.until(at(1100, 1100), 1050 * MS).is_some());
        // Ten seconds pass that openraft's clock does not see.
        assert_eq!(lease.until(at(11_110, 1110), 1050 * MS), None);
        assert_eq!(lease.until(at(11_110, 1110), 1109 * MS), None, "sent before we noticed");
        let until = lease.until(at(11_150, 1150), 1120 * MS);
        assert_eq!(until, Some((11_120 + 391) * MS));
    }

    #[test]
    fn a_pause_between_the_readings_never_lengthens_a_lease() {
        let clock = Clock::new();
        let now = clock.now();
        let fresh = clock.now();
        assert!(now.boot_ns <= fresh.boot_ns && now.mono_ns <= fresh.mono_ns);
        // Made with a pause of 3 ms between the readings: the offset is 3 ms too small.
        let mut lease = Lease::new(Duration::from_millis(400), at(1000, 1003));
        assert_eq!(lease.until(at(1100, 1100), 1050 * MS), None, "distrusts what came before");
        assert_eq!(lease.until(at(1110, 1110), 1105 * MS), Some((1105 + 391) * MS));
    }
}
