//! What the family's commands read alike: points, lengths, units; and how they answer them.

use resp::Reply;

use super::cell::Point;
use super::shape::Extent;
use crate::argument::{double, is};
use crate::command::{Arg, ArgKind};
use crate::number::parse_double;

pub(super) const LONGITUDE: Arg = Arg::new("longitude", ArgKind::Double);
pub(super) const LATITUDE: Arg = Arg::new("latitude", ArgKind::Double);
pub(super) const UNIT: Arg = Arg::new(
    "unit",
    ArgKind::OneOf(&[
        Arg::keyword("m", "M"),
        Arg::keyword("km", "KM"),
        Arg::keyword("ft", "FT"),
        Arg::keyword("mi", "MI"),
    ]),
);

/// A point within the world.
pub(super) fn point(longitude: &[u8], latitude: &[u8]) -> Result<Point, Reply<'static>> {
    let point = Point { longitude: double(longitude)?, latitude: double(latitude)? };
    if point.is_within() {
        return Ok(point);
    }
    let Point { longitude, latitude } = point;
    let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
    Err(Reply::Error(text.into()))
}

/// Meters in a unit.
pub(super) fn unit(argument: &[u8]) -> Result<f64, Reply<'static>> {
    let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = units.into_iter().find(|(name, _)| is(argument, name));
    found
        .map(|(_, meters)| meters)
        .ok_or(Reply::error("ERR unsupported unit provided. please use M, KM, FT, MI"))
}

/// A radius and its unit.
pub(super) fn circle(radius: &[u8], unit_name: &[u8]) -> Result<(Extent, f64), Reply<'static>> {
    let radius = parse_double(radius).ok_or(Reply::error("ERR need numeric radius"))?;
    if radius < 0.0 {
        return Err(Reply::error("ERR radius cannot be negative"));
    }
    Ok((Extent::Circle { radius }, unit(unit_name)?))
}

/// A box's sides and their unit.
pub(super) fn sides(
    width: &[u8],
    height: &[u8],
    unit_name: &[u8],
) -> Result<(Extent, f64), Reply<'static>> {
    let width = parse_double(width).ok_or(Reply::error("ERR need numeric width"))?;
    let height = parse_double(height).ok_or(Reply::error("ERR need numeric height"))?;
    if width < 0.0 || height < 0.0 {
        return Err(Reply::error("ERR height or width cannot be negative"));
    }
    Ok((Extent::Box { width, height }, unit(unit_name)?))
}

/// A distance as it is answered: with four places, as a string.
pub(super) fn distance_reply(distance: f64) -> Reply<'static> {
    Reply::Bulk(format!("{distance:.4}").into_bytes().into())
}

/// A point as it is answered: with as many places as there are, up to 17.
pub(super) fn point_reply(point: Point) -> Reply<'static> {
    Reply::Array(vec![degrees_reply(point.longitude), degrees_reply(point.latitude)])
}

fn degrees_reply(degrees: f64) -> Reply<'static> {
    let text = format!("{degrees:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    Reply::Decimal(if text == "-0" { "0".into() } else { text.to_owned().into() })
}
