//! Circles and boxes on the sphere: what is within, how far it is, and which cells to look in.
//!
//! Every step follows Redis', to the order of the operations: replicas of both must agree on what
//! is within, in which order it is found, and on the last digit of a distance.

use super::cell::{Area, Cell, Point, STEPS_MAX};
use super::trigonometry::{asin, cos, sin};

/// The sphere's radius in meters.
const EARTH_RADIUS: f64 = 6_372_797.560856;
/// Half the length of the equator in Mercator's projection, in meters.
const MERCATOR_MAX: f64 = 20_037_726.37;
const RADIANS_PER_DEGREE: f64 = std::f64::consts::PI / 180.0;

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) center: Point,
    pub(super) extent: Extent,
    /// Meters in the unit of the extent's lengths.
    pub(super) unit: f64,
}

/// How far a shape reaches from its center.
#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

/// The distance of two points in meters.
pub(super) fn distance(from: Point, to: Point) -> f64 {
    let v = sin((radians(to.longitude) - radians(from.longitude)) / 2.0);
    if v == 0.0 {
        return latitude_distance(from.latitude, to.latitude);
    }
    let (from, to) = (radians(from.latitude), radians(to.latitude));
    let u = sin((to - from) / 2.0);
    let a = u * u + cos(from) * cos(to) * v * v;
    2.0 * EARTH_RADIUS * asin(a.sqrt())
}

fn latitude_distance(from: f64, to: f64) -> f64 {
    EARTH_RADIUS * (radians(to) - radians(from)).abs()
}

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

impl Shape {
    /// A point's distance from the center in meters, if it is within.
    pub(super) fn distance_within(&self, point: Point) -> Option<f64> {
        match self.extent {
            Extent::Circle { radius } => {
                let distance = distance(self.center, point);
                let beyond = distance > radius * self.unit;
                (!beyond).then_some(distance)
            }
            Extent::Box { width, height } => {
                let (width, height) = (width * self.unit, height * self.unit);
                let beside = Point { longitude: self.center.longitude, ..point };
                let beyond = latitude_distance(point.latitude, self.center.latitude) > height / 2.0
                    || distance(point, beside) > width / 2.0;
                (!beyond).then(|| distance(self.center, point))
            }
        }
    }

    /// The cells in which everything within lies, in the order in which they are looked at.
    pub(super) fn cells(&self) -> Vec<Cell> {
        let bounds = self.bounds();
        let mut steps = estimated_steps(self.reach(), self.center.latitude);
        let mut cell = Cell::of_point(self.center, steps);
        if steps > 1 && !is_covered(cell, &bounds) {
            steps -= 1;
            cell = Cell::of_point(self.center, steps);
        }
        let area = cell.area();
        // Where the cell itself reaches beyond the bounds there is no need to look farther.
        let fine = steps >= 2;
        let no_west = fine && area.west < bounds.west;
        let no_east = fine && area.east > bounds.east;
        let no_south = fine && area.south < bounds.south;
        let no_north = fine && area.north > bounds.north;
        let around = [
            (0, 1, no_north),
            (0, -1, no_south),
            (1, 0, no_east),
            (-1, 0, no_west),
            (1, 1, no_north || no_east),
            (-1, 1, no_north || no_west),
            (1, -1, no_south || no_east),
            (-1, -1, no_south || no_west),
        ];
        let mut cells = vec![cell];
        for (east, north, _) in around.into_iter().filter(|(_, _, needless)| !needless) {
            let next = cell.beside(east, north);
            // In the coarsest grid the neighbours on both sides are the same.
            if cells.len() == 1 || cells.last() != Some(&next) {
                cells.push(next);
            }
        }
        cells
    }

    /// How far from the center its farthest point is, in meters.
    fn reach(&self) -> f64 {
        let reach = match self.extent {
            Extent::Circle { radius } => radius,
            Extent::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        reach * self.unit
    }

    /// The meridians and parallels that it lies between, in degrees.
    fn bounds(&self) -> Area {
        let Point { longitude, latitude } = self.center;
        let (width, height) = match self.extent {
            Extent::Circle { radius } => (radius, radius),
            Extent::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let north = degrees(self.unit * height / EARTH_RADIUS);
        // Parallels are shorter towards the poles; the shortest of the shape's counts.
        let parallel = if latitude < 0.0 { latitude - north } else { latitude + north };
        let east = degrees(self.unit * width / EARTH_RADIUS / cos(radians(parallel)));
        Area {
            west: longitude - east,
            east: longitude + east,
            south: latitude - north,
            north: latitude + north,
        }
    }
}

/// Whether a cell and its neighbours reach to the bounds.
fn is_covered(cell: Cell, bounds: &Area) -> bool {
    !(cell.beside(0, 1).area().north < bounds.north
        || cell.beside(0, -1).area().south > bounds.south
        || cell.beside(1, 0).area().east < bounds.east
        || cell.beside(-1, 0).area().west > bounds.west)
}

/// The steps of a grid whose cells are a bit larger than the distance.
fn estimated_steps(meters: f64, latitude: f64) -> u32 {
    if meters == 0.0 {
        return STEPS_MAX;
    }
    let (mut steps, mut meters) = (1_i32, meters);
    while meters < MERCATOR_MAX {
        meters *= 2.0;
        steps += 1;
    }
    steps -= 2;
    // Cells get narrower towards the poles.
    if latitude.abs() > 66.0 {
        steps -= 1;
    }
    if latitude.abs() > 80.0 {
        steps -= 1;
    }
    steps.max(1).unsigned_abs().min(STEPS_MAX)
}
