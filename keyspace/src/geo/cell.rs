//! Geohashes: the world in a grid of 2^step by 2^step cells, a cell's number being the bits of its
//! column and its row in turns. Positions are numbers of 52 bits, which scores hold exactly.

/// The steps of a position.
pub(super) const STEPS_MAX: u32 = 26;

/// The part of the world that Mercator's projection makes square.
pub(super) const LONGITUDE_MAX: f64 = 180.0;
pub(super) const LATITUDE_MAX: f64 = 85.05112878;

/// Where the world ends for other geohashes, such as those of GEOHASH.
const STANDARD_LATITUDE_MAX: f64 = 90.0;

/// A point in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

impl Point {
    /// Whether it can be a position.
    pub(super) fn is_within(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The point that a score stands for: the middle of its cell. Any score stands for one.
    pub(super) fn of_score(score: f64) -> Point {
        let area = Cell::of_bits(to_bits(score), STEPS_MAX).area();
        let middle = |min: f64, max: f64| (min + max) / 2.0;
        Point {
            longitude: middle(area.west, area.east).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: middle(area.south, area.north).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// The score of its position; it must be within the world.
    pub(super) fn score(self) -> f64 {
        Cell::of_point(self, STEPS_MAX).bits() as f64
    }

    /// The geohash that others know it by, 11 characters of five bits.
    pub(super) fn text(self) -> [u8; 11] {
        const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of_point_within(self, STEPS_MAX, STANDARD_LATITUDE_MAX).bits();
        // There are only 52 bits: the last character stands for none.
        std::array::from_fn(|index| match 47_usize.checked_sub(5 * index) {
            Some(shift) => DIGITS[(bits >> shift) as usize & 0x1F],
            None => DIGITS[0],
        })
    }
}

/// A cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its column, from the west.
    column: u32,
    /// Its row, from the south.
    row: u32,
    /// The grid's.
    steps: u32,
}

/// The edges of a cell, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Cell {
    /// The cell around a point. At the world's eastern and northern edges that is one beyond.
    pub(super) fn of_point(point: Point, steps: u32) -> Cell {
        Cell::of_point_within(point, steps, LATITUDE_MAX)
    }

    fn of_point_within(point: Point, steps: u32, latitude_max: f64) -> Cell {
        let count = f64::from(1_u32 << steps);
        let place = |degrees: f64, max: f64| ((degrees + max) / (max + max) * count) as u32;
        Cell {
            column: place(point.longitude, LONGITUDE_MAX),
            row: place(point.latitude, latitude_max),
            steps,
        }
    }

    fn of_bits(bits: u64, steps: u32) -> Cell {
        Cell { column: every_other(bits >> 1), row: every_other(bits), steps }
    }

    /// Its number.
    fn bits(self) -> u64 {
        spread(self.column) << 1 | spread(self.row)
    }

    /// The scores of the positions in it: from the first, included, to the second, excluded.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = 2 * (STEPS_MAX - self.steps);
        ((self.bits() << shift) as f64, ((self.bits() + 1) << shift) as f64)
    }

    /// Its edges.
    pub(super) fn area(self) -> Area {
        let count = f64::from(1_u32 << self.steps);
        let edge = |place: f64, max: f64| -max + place / count * (max + max);
        let (column, row) = (f64::from(self.column), f64::from(self.row));
        Area {
            west: edge(column, LONGITUDE_MAX),
            east: edge(column + 1.0, LONGITUDE_MAX),
            south: edge(row, LATITUDE_MAX),
            north: edge(row + 1.0, LATITUDE_MAX),
        }
    }

    /// The cell so many columns to the east and rows to the north, around the world; a direction
    /// that is not gone in is left as it is.
    pub(super) fn beside(self, east: i32, north: i32) -> Cell {
        let mask = (1_u32 << self.steps) - 1;
        let go = |place: u32, by: i32| match by {
            0 => place,
            by => place.wrapping_add_signed(by) & mask,
        };
        Cell { column: go(self.column, east), row: go(self.row, north), ..self }
    }
}

/// What x86-64 makes of a double where an unsigned number is expected, as any score may be, also
/// those that are none or too large.
fn to_bits(score: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0; // 2^63
    let signed = |number: f64| {
        if (-HALF..HALF).contains(&number) { number as i64 } else { i64::MIN }
    };
    if score < HALF { signed(score) as u64 } else { signed(score - HALF) as u64 ^ 1 << 63 }
}

/// The bits of a number with a zero before each.
fn spread(number: u32) -> u64 {
    const STEPS: [(u32, u64); 5] = [
        (16, 0x0000_FFFF_0000_FFFF),
        (8, 0x00FF_00FF_00FF_00FF),
        (4, 0x0F0F_0F0F_0F0F_0F0F),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ];
    STEPS.iter().fold(number.into(), |bits, (shift, mask)| (bits | bits << shift) & mask)
}

/// Every other bit of a number, from the lowest.
fn every_other(bits: u64) -> u32 {
    const STEPS: [(u32, u64); 5] = [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0F0F_0F0F_0F0F_0F0F),
        (4, 0x00FF_00FF_00FF_00FF),
        (8, 0x0000_FFFF_0000_FFFF),
        (16, 0x0000_0000_FFFF_FFFF),
    ];
    let start = bits & 0x5555_5555_5555_5555;
    STEPS.iter().fold(start, |bits, (shift, mask)| (bits | bits >> shift) & mask) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Redis' own examples: Palermo and Catania.
    #[test]
    fn known_positions() {
        let palermo = Point { longitude: 13.361389, latitude: 38.115556 };
        assert_eq!(palermo.score(), 3_479_099_956_230_698.0);
        let back = Point::of_score(palermo.score());
        assert_eq!(back.longitude, 13.361389338970184);
        assert_eq!(back.latitude, 38.1155563954963);
        assert_eq!(&back.text(), b"sqc8b49rny0");
        let catania = Point { longitude: 15.087269, latitude: 37.502669 };
        assert_eq!(catania.score(), 3_479_447_370_796_909.0);
        assert_eq!(&Point::of_score(catania.score()).text(), b"sqdtr74hyu0");
    }

    #[test]
    fn scores_that_are_no_positions_stand_for_points_too() {
        for score in [-1.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, 1e16, 1.8e19, -1e30, 0.5] {
            let point = Point::of_score(score);
            assert!(point.is_within(), "{score}");
            point.text();
        }
        assert_eq!(to_bits(-1.0), u64::MAX);
        assert_eq!(to_bits(1e19), 10_000_000_000_000_000_000);
        assert_eq!(to_bits(1e20), 0);
        assert_eq!(to_bits(f64::NEG_INFINITY), 1 << 63);
    }

    #[test]
    fn the_worlds_edges() {
        let corner = Point { longitude: LONGITUDE_MAX, latitude: LATITUDE_MAX };
        let cell = Cell::of_point(corner, 3);
        assert_eq!((cell.column, cell.row), (8, 8));
        assert_eq!(cell.beside(1, 0), Cell { column: 1, ..cell });
        assert_eq!(cell.beside(-1, -1), Cell { column: 7, row: 7, ..cell });
        let other = Point { longitude: -LONGITUDE_MAX, latitude: -LATITUDE_MAX };
        assert_eq!(other.score(), 0.0);
        assert_eq!(Cell::of_point(other, 3).beside(-1, -1), Cell { column: 7, row: 7, ..cell });
    }

    proptest! {
        #[test]
        fn a_position_is_within_its_cell_at_every_step(
            longitude in -180.0..180.0,
            latitude in -85.0..85.0,
            steps in 1..=STEPS_MAX,
        ) {
            let point = Point { longitude, latitude };
            let cell = Cell::of_point(point, steps);
            let (min, max) = cell.scores();
            prop_assert!((min..max).contains(&point.score()));
            let area = cell.area();
            prop_assert!(area.west - 1e-9 <= longitude && longitude <= area.east + 1e-9);
            prop_assert!(area.south - 1e-9 <= latitude && latitude <= area.north + 1e-9);
            prop_assert_eq!(Cell::of_bits(cell.bits(), steps), cell);
            prop_assert_eq!(cell.beside(1, -1).beside(-1, 1), cell);
            let back = Point::of_score(point.score());
            prop_assert!((back.longitude - longitude).abs() < 3e-6);
            prop_assert!((back.latitude - latitude).abs() < 2e-6);
        }
    }
}
