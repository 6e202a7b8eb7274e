//! Sine, cosine and arc sine that are the same on every processor and with every C library, since
//! replicas store what is computed with them.
//!
//! Results are rounded correctly but for one in some two thousand, which is off by one in its last
//! place; so they are nearly always the ones that Redis gets from its C library. What decides is
//! computed with pairs of doubles ([`Sum`]), what adds little with single ones.

/// Half of pi in three parts, the first two with 33 bits: their products with small whole numbers
/// are exact.
const HALF_PI_PARTS: [f64; 3] = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21];
const HALF_PI: f64 = std::f64::consts::FRAC_PI_2;

/// Below this an angle is taken as it is.
const QUARTER_PI: f64 = std::f64::consts::FRAC_PI_4;

/// Angles beyond this are reduced roughly. None that means anything on a sphere is.
const ANGLE_MAX: f64 = 1e5;

/// A sixth and a 24th: the double and what it lacks.
const SIXTH: Sum = Sum { high: 1.0 / 6.0, low: 9.25185853854297e-18 };
const TWENTY_FOURTH: Sum = Sum { high: 1.0 / 24.0, low: 2.3129646346357427e-18 };

/// The coefficients of x^5 to x^19 in the sine's series.
const SINE: [f64; 8] = [
    1.0 / 120.0,
    -1.0 / 5_040.0,
    1.0 / 362_880.0,
    -1.0 / 39_916_800.0,
    1.0 / 6_227_020_800.0,
    -1.0 / 1_307_674_368_000.0,
    1.0 / 355_687_428_096_000.0,
    -1.0 / 121_645_100_408_832_000.0,
];

/// The coefficients of x^6 to x^18 in the cosine's series.
const COSINE: [f64; 7] = [
    -1.0 / 720.0,
    1.0 / 40_320.0,
    -1.0 / 3_628_800.0,
    1.0 / 479_001_600.0,
    -1.0 / 87_178_291_200.0,
    1.0 / 20_922_789_888_000.0,
    -1.0 / 6_402_373_705_728_000.0,
];

/// The coefficients of x to x^23 in the arc sine's series.
const ARC_SINE: [f64; 12] = [
    1.0,
    1.0 / 6.0,
    3.0 / 40.0,
    15.0 / 336.0,
    105.0 / 3_456.0,
    945.0 / 42_240.0,
    10_395.0 / 599_040.0,
    135_135.0 / 9_676_800.0,
    2_027_025.0 / 175_472_640.0,
    34_459_425.0 / 3_530_096_640.0,
    654_729_075.0 / 78_033_715_200.0,
    13_749_310_575.0 / 1_880_240_947_200.0,
];

/// The sine of an angle in radians.
pub(super) fn sin(angle: f64) -> f64 {
    let (quarter, rest) = reduce(angle);
    match quarter {
        0 => sine(rest).value(),
        1 => cosine(rest).value(),
        2 => -sine(rest).value(),
        _ => -cosine(rest).value(),
    }
}

/// The cosine of an angle in radians.
pub(super) fn cos(angle: f64) -> f64 {
    let (quarter, rest) = reduce(angle);
    match quarter {
        0 => cosine(rest).value(),
        1 => -sine(rest).value(),
        2 => -cosine(rest).value(),
        _ => sine(rest).value(),
    }
}

/// The angle from 0 to half of pi that has this sine; NaN if there is none.
pub(super) fn asin(sine_of: f64) -> f64 {
    if !(0.0..=1.0).contains(&sine_of) {
        return f64::NAN;
    }
    let series = |x: f64| x * polynomial(&ARC_SINE, x * x);
    let rough = if sine_of <= 0.5 {
        series(sine_of)
    } else {
        HALF_PI - 2.0 * series(((1.0 - sine_of) / 2.0).sqrt())
    };
    // One step of Newton's doubles the series' nine good digits.
    let (quarter, rest) = reduce(rough);
    let (sine_of_rough, cosine_of_rough) =
        if quarter == 0 { (sine(rest), cosine(rest)) } else { (cosine(rest), -sine(rest)) };
    let missing = (sine_of - sine_of_rough.high) - sine_of_rough.low;
    rough + missing / cosine_of_rough.value()
}

/// In which quarter of the circle an angle ends, counted so that it lies around the quarter's
/// beginning, and how far from there.
fn reduce(angle: f64) -> (u8, Sum) {
    if angle.abs() <= QUARTER_PI {
        return (0, Sum { high: angle, low: 0.0 });
    }
    // An infinite one leaves NaN here, and goes on as that.
    let angle = if angle.abs() <= ANGLE_MAX { angle } else { angle % (4.0 * HALF_PI) };
    let quarters = (angle / HALF_PI).round();
    let [first, second, third] = HALF_PI_PARTS;
    let high = Sum::of(angle - quarters * first, -(quarters * second));
    let rest = Sum::of(high.high, high.low - quarters * third);
    ((quarters as i64).rem_euclid(4) as u8, rest)
}

/// The sine of an angle of at most a quarter of pi.
fn sine(angle: Sum) -> Sum {
    let square = angle.times(angle);
    let sixth = square.times(angle).times(SIXTH);
    let others = polynomial(&SINE, square.high) * square.high * square.high * angle.high;
    let sum = Sum::of(angle.high, -sixth.high);
    Sum::of(sum.high, sum.low + (angle.low - sixth.low + others))
}

/// The cosine of an angle of at most a quarter of pi.
fn cosine(angle: Sum) -> Sum {
    let square = angle.times(angle);
    let fourth = square.times(square).times(TWENTY_FOURTH);
    let others = polynomial(&COSINE, square.high) * square.high * square.high * square.high;
    let half = Sum::of(1.0, -0.5 * square.high);
    let sum = Sum::of(half.high, fourth.high);
    Sum::of(sum.high, sum.low + (half.low - 0.5 * square.low + fourth.low + others))
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// A number as the sum of two doubles, the second beyond the last place of the first.
#[derive(Clone, Copy)]
struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    /// The exact sum of two doubles (Knuth's).
    fn of(left: f64, right: f64) -> Sum {
        let high = left + right;
        let part = high - left;
        Sum { high, low: (left - (high - part)) + (right - part) }
    }

    /// The product, exact but for the product of the small parts.
    fn times(self, other: Sum) -> Sum {
        let high = self.high * other.high;
        let ((a, b), (c, d)) = (halves(self.high), halves(other.high));
        // What the product's rounding lost (Dekker's).
        let lost = ((a * c - high) + a * d + b * c) + b * d;
        Sum::of(high, lost + (self.high * other.low + self.low * other.high))
    }

    fn value(self) -> f64 {
        self.high + self.low
    }
}

impl std::ops::Neg for Sum {
    type Output = Sum;

    fn neg(self) -> Sum {
        Sum { high: -self.high, low: -self.low }
    }
}

/// A double as a sum of two with half as many bits, whose products are exact (Veltkamp's).
fn halves(number: f64) -> (f64, f64) {
    const SPLITTER: f64 = 134_217_729.0; // 2^27 + 1
    let scaled = number * SPLITTER;
    let high = scaled - (scaled - number);
    (high, number - high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Correctly rounded, each worked out with 50 digits.
    #[test]
    fn known_values() {
        for (angle, sine, cosine) in KNOWN {
            assert_eq!((sin(angle), cos(angle)), (sine, cosine), "{angle:e}");
            assert_eq!((sin(-angle), cos(-angle)), (-sine, cosine), "{angle:e}");
        }
        for (sine, angle) in KNOWN_ARCS {
            assert_eq!(asin(sine), angle, "{sine:e}");
        }
        assert!(asin(1.1).is_nan() && asin(-0.1).is_nan() && asin(f64::NAN).is_nan());
        assert!(sin(f64::INFINITY).is_nan() && cos(f64::NEG_INFINITY).is_nan());
        assert!(sin(1e300).abs() <= 1.0);
    }

    #[allow(clippy::approx_constant, reason = "the doubles are meant, not what they are near to")]
    const KNOWN: [(f64, f64, f64); 26] = [
        (0.0, 0.0, 1.0),
        (1e-10, 1e-10, 1.0),
        (1e-05, 9.999999999833334e-06, 0.99999999995),
        (0.001, 0.0009999998333333417, 0.9999995000000417),
        (0.1, 0.09983341664682815, 0.9950041652780258),
        (0.5, 0.479425538604203, 0.8775825618903728),
        (0.7853981633974483, 0.7071067811865475, 0.7071067811865476),
        (0.7853981633974484, 0.7071067811865476, 0.7071067811865475),
        (1.0, 0.8414709848078965, 0.5403023058681398),
        (1.5707963267948966, 1.0, 6.123233995736766e-17),
        (1.6, 0.9995736030415051, -0.029199522301288815),
        (2.0, 0.9092974268256817, -0.4161468365471424),
        (2.5, 0.5984721441039565, -0.8011436155469337),
        (3.0, 0.1411200080598672, -0.9899924966004454),
        (3.141592653589793, 1.2246467991473532e-16, -1.0),
        (4.0, -0.7568024953079282, -0.6536436208636119),
        (5.0, -0.9589242746631385, 0.28366218546322625),
        (6.25, -0.03317921654755682, 0.9994494182244994),
        (1.993285423647, 0.9120711575333365, -0.4100319543594131),
        (2.373718365634, 0.6946075956238517, -0.7193888295641321),
        (2.54461940981, 0.5621418010887563, -0.8270408668673448),
        (3.015840908087, 0.12542057822102493, -0.9921036632120173),
        (2.367675439168, 0.6989421005231853, -0.71517825758075),
        (2.951439989329, 0.18900880972575979, -0.9819753916703063),
        (0.092816730508, 0.09268351938939043, 0.9956956187679026),
        (1.48999249401, 0.9967371462182584, 0.08071592995612645),
    ];

    #[allow(clippy::approx_constant, reason = "as above")]
    const KNOWN_ARCS: [(f64, f64); 20] = [
        (0.0, 0.0),
        (1e-12, 1e-12),
        (1e-06, 1.0000000000001666e-06),
        (0.01, 0.010000166674167114),
        (0.25, 0.25268025514207865),
        (0.5, 0.5235987755982989),
        (0.5000000000000001, 0.523598775598299),
        (0.75, 0.848062078981481),
        (0.9, 1.1197695149986342),
        (0.999, 1.526071239626163),
        (0.9999999999, 1.5707821846586878),
        (1.0, 1.5707963267948966),
        (0.94335671699831, 1.2326062799012856),
        (0.64897455313692, 0.7062358251367749),
        (0.90090049175062, 1.121839811105414),
        (0.11320596465314, 0.11344917006279355),
        (0.46906904778216, 0.48823636934187525),
        (0.24657283261983, 0.24914230046308236),
        (0.54376085923593, 0.5749119041758626),
        (0.5739411879281, 0.6113105871072727),
    ];

    proptest! {
        /// The C library here is another way to the same digits.
        #[test]
        fn as_the_c_library_to_the_last_place(angle in -7.0..7.0, sine_of in 0.0..1.0) {
            let near = |ours: f64, theirs: f64| (ours - theirs).abs() <= theirs.abs() * f64::EPSILON;
            prop_assert!(near(sin(angle), f64::sin(angle)), "sin {angle:e}");
            prop_assert!(near(cos(angle), f64::cos(angle)), "cos {angle:e}");
            prop_assert!(near(asin(sine_of), f64::asin(sine_of)), "asin {sine_of:e}");
        }
    }
}
