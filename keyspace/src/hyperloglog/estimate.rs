//! From registers to a count: Ertl's improved estimator, as Redis has had it since version 5.
//!
//! Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017. Only
//! operations that IEEE 754 defines to the last bit are used.

use super::hash::RUN_MAX;
use super::sketch::REGISTERS;

/// Values that 6 bits can have; no element asks for more than [`RUN_MAX`], but strings come from
/// anywhere.
const VALUES: usize = 64;

/// 0.5 / ln 2.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// How many registers have which value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram([u32; VALUES]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram([0; VALUES])
    }
}

impl Histogram {
    /// Counts registers of a value below 64.
    pub(super) fn count(&mut self, value: u8, registers: u32) {
        self.0[usize::from(value) % VALUES] += registers;
    }

    /// How many different elements were added, about.
    pub(super) fn estimate(&self) -> i64 {
        let registers = REGISTERS as f64;
        let run_max = usize::from(RUN_MAX);
        let mut sum = registers * tau((registers - f64::from(self.0[run_max])) / registers);
        for count in self.0[1..run_max].iter().rev() {
            sum = (sum + f64::from(*count)) * 0.5;
        }
        sum += registers * sigma(f64::from(self.0[0]) / registers);
        (ALPHA * registers * registers / sum).round() as i64
    }
}

/// What registers that are still 0 add.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut sum, mut weight) = (x, 1.0);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// What registers that can rise no further take away.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut sum, mut weight) = (1.0 - x, 1.0);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extremes_are_finite() {
        let all = |value| {
            let mut histogram = Histogram::default();
            histogram.count(value, REGISTERS as u32);
            histogram.estimate()
        };
        assert_eq!(all(0), 0);
        assert!(all(RUN_MAX - 1) > 1 << 60);
        assert_eq!(all(RUN_MAX), i64::MAX);
        assert_eq!(all(63), i64::MAX);
    }
}
