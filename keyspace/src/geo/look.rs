//! Members' positions, read: GEODIST, GEOHASH, GEOPOS.

use resp::Reply;

use super::argument::{UNIT, distance_reply, point_reply, unit};
use super::cell::Point;
use super::shape::distance;
use crate::access::View;
use crate::argument::{Answer, SYNTAX, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::zset::Zset;

pub(super) const GEODIST: Command = Command {
    spec: Spec {
        name: "geodist",
        group: Group::Geo,
        since: "3.2.0",
        complexity: "O(1)",
        summary: "Returns the distance of two members.",
        arity: -4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            Arg::new("member1", ArgKind::String),
            Arg::new("member2", ArgKind::String),
            UNIT.optional(),
        ],
    },
    run: Run::Read(|view, args| settle(geodist(view, args))),
};

fn geodist<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let unit = match &args[4..] {
        [] => 1.0,
        [name] => unit(name)?,
        _ => return Err(SYNTAX),
    };
    let zset = view.data::<Zset>(args[1])?;
    let (Some(from), Some(to)) = (position(zset, args[2]), position(zset, args[3])) else {
        return Ok(Reply::Null);
    };
    Ok(distance_reply(distance(from, to) / unit))
}

pub(super) const GEOHASH: Command = Command {
    spec: Spec {
        name: "geohash",
        group: Group::Geo,
        since: "3.2.0",
        complexity: "O(N) for N members asked for",
        summary: "Returns members' positions as geohashes of 11 characters.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String).optional().multiple()],
    },
    run: Run::Read(|view, args| {
        let text = |point: Point| Reply::Bulk(point.text().to_vec().into());
        settle(positions(view, args, text, Reply::Null))
    }),
};

pub(super) const GEOPOS: Command = Command {
    spec: Spec {
        name: "geopos",
        group: Group::Geo,
        since: "3.2.0",
        complexity: "O(N) for N members asked for",
        summary: "Returns members' longitudes and latitudes.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key"), Arg::new("member", ArgKind::String).optional().multiple()],
    },
    run: Run::Read(|view, args| settle(positions(view, args, point_reply, Reply::NullArray))),
};

/// A reply for each member asked for.
fn positions<'v>(
    view: &'v View<'_>,
    args: Args<'_>,
    reply: impl Fn(Point) -> Reply<'static>,
    missing: Reply<'static>,
) -> Answer<'v> {
    let zset = view.data::<Zset>(args[1])?;
    let replies = args[2..]
        .iter()
        .map(|member| position(zset, member).map_or_else(|| missing.clone(), &reply));
    Ok(Reply::Array(replies.collect()))
}

/// Where a member is.
pub(super) fn position(zset: Option<&Zset>, member: &[u8]) -> Option<Point> {
    Some(Point::of_score(zset?.score(member)?))
}
