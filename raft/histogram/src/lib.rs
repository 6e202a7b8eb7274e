//! Counts values by their powers of two. Stands in for the crate of this name, of which openraft
//! records the sizes of its batches; nobody here reads them.
//!
//! The original builds tables for all of its sixteen resolutions when the first histogram is made:
//! 25 MB of every process, half of what an empty node takes. To be dropped once it builds only what
//! is used. `[patch.crates-io]` in the workspace puts this in its place.

use std::fmt;
use std::marker::PhantomData;

/// One counter for 0, and one for every power of two.
const BUCKETS: usize = 65;

/// How often values were recorded, by their sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: [u64; BUCKETS],
    label: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// Nothing was recorded.
    #[expect(clippy::new_without_default, reason = "openraft makes it so")]
    pub fn new() -> Histogram<T> {
        Histogram { counts: [0; BUCKETS], label: PhantomData }
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value that came `count` times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        self.counts[bucket(value)] += count;
    }

    /// The usual percentiles, each rounded down to a power of two.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.counts.iter().sum(),
            p0_1: self.permille(1),
            p1: self.permille(10),
            p5: self.permille(50),
            p10: self.permille(100),
            p50: self.permille(500),
            p90: self.permille(900),
            p99: self.permille(990),
            p99_9: self.permille(999),
        }
    }

    /// The least value of the bucket that so many thousandths of all values reach to; 0 of none.
    fn permille(&self, wanted: u64) -> u64 {
        let all: u128 = self.counts.iter().map(|count| u128::from(*count)).sum();
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count) * 1000;
            if *count > 0 && seen >= all * u128::from(wanted) {
                return if bucket == 0 { 0 } else { 1 << (bucket - 1) };
            }
        }
        0
    }
}

/// 0 for 0, else one more than the place of the highest bit.
fn bucket(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()) as usize
}

/// Percentiles of what a histogram counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its name says")]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} samples: {} at p50, {} at p99", self.samples, self.p50, self.p99)
    }
}

/// Several histograms to be shown together: here a line for each.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart {
    lines: Vec<(String, PercentileStats)>,
}

impl AsciiChart {
    /// Nothing to show.
    pub fn new() -> AsciiChart {
        AsciiChart::default()
    }

    /// Shows one more.
    pub fn add(mut self, label: impl Into<String>, histogram: Histogram) -> AsciiChart {
        self.lines.push((label.into(), histogram.percentile_stats()));
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, stats) in &self.lines {
            writeln!(f, "{label}: {stats}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_by_their_powers_of_two() {
        let mut histogram = Histogram::<()>::new();
        for value in [0, 1, 2, 3, 4, u64::MAX, u64::MAX] {
            histogram.record(value);
        }
        let counted: Vec<(usize, u64)> =
            histogram.counts.into_iter().enumerate().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(0, 1), (1, 1), (2, 2), (3, 1), (64, 2)]);
    }

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!(histogram.percentile_stats().p50, 0);
        histogram.record_n(10, 98);
        histogram.record_n(1000, 2);
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p1, stats.p90, stats.p99), (100, 8, 8, 512));
        let chart = AsciiChart::new().add("a", histogram).to_string();
        assert_eq!(chart, "a: 100 samples: 8 at p50, 512 at p99\n");
    }
}
