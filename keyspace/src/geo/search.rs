//! Members near a point: GEOSEARCH and GEOSEARCHSTORE, and their elders GEORADIUS and
//! GEORADIUSBYMEMBER, each with a form that stores nothing.

use resp::Reply;

use super::argument::{LATITUDE, LONGITUDE, UNIT, distance_reply, point_reply};
use super::cell::Point;
use super::nearest::sort_first;
use super::options::{Form, Options};
use super::shape::Shape;
use crate::access::{Txn, View};
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::value::StringValue;
use crate::zset::{ScoreRange, Zset, store};

const COMPLEXITY: &str = "O(N+M*log(M)) for N members in the cells around the shape and M within";

const FROM: Arg = Arg::new(
    "from",
    ArgKind::OneOf(&[
        Arg::new("member", ArgKind::String).after("FROMMEMBER"),
        Arg::new("longitude_latitude", ArgKind::Block(&[LONGITUDE, LATITUDE])).after("FROMLONLAT"),
    ]),
);
const BY: Arg = Arg::new(
    "by",
    ArgKind::OneOf(&[
        Arg::new(
            "circle",
            ArgKind::Block(&[Arg::new("radius", ArgKind::Double).after("BYRADIUS"), UNIT]),
        ),
        Arg::new(
            "box",
            ArgKind::Block(&[
                Arg::new("width", ArgKind::Double).after("BYBOX"),
                Arg::new("height", ArgKind::Double),
                UNIT,
            ]),
        ),
    ]),
);
const ORDER: Arg =
    Arg::new("order", ArgKind::OneOf(&[Arg::keyword("asc", "ASC"), Arg::keyword("desc", "DESC")]))
        .optional();
const COUNT: Arg = Arg::new(
    "count",
    ArgKind::Block(&[
        Arg::new("count", ArgKind::Integer).after("COUNT"),
        Arg::keyword("any", "ANY").optional(),
    ]),
)
.optional();
const RADIUS: Arg = Arg::new("radius", ArgKind::Double);
const MEMBER: Arg = Arg::new("member", ArgKind::String);
const WITHCOORD: Arg = Arg::keyword("withcoord", "WITHCOORD").optional();
const WITHDIST: Arg = Arg::keyword("withdist", "WITHDIST").optional();
const WITHHASH: Arg = Arg::keyword("withhash", "WITHHASH").optional();
const STORE: Arg = Arg::key("key").after("STORE").optional();
const STOREDIST: Arg = Arg::key("key").after("STOREDIST").optional();

const STORES: Flags = Flags::WRITE.and(Flags::DENYOOM);

pub(super) const GEOSEARCH: Command = Command {
    spec: Spec {
        name: "geosearch",
        group: Group::Geo,
        since: "6.2.0",
        complexity: COMPLEXITY,
        summary: "Returns the members in a circle or a box.",
        arity: -7,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key"), FROM, BY, ORDER, COUNT, WITHCOORD, WITHDIST, WITHHASH],
    },
    run: Run::Read(|view, args| settle(answer(view, args, Form::Search))),
};

pub(super) const GEOSEARCHSTORE: Command = Command {
    spec: Spec {
        name: "geosearchstore",
        group: Group::Geo,
        since: "6.2.0",
        complexity: COMPLEXITY,
        summary: "Stores the members in a circle or a box at a key.",
        arity: -8,
        keys: Keys::FIRST_TWO,
        flags: STORES,
        args: &[
            Arg::key("destination"),
            Arg::key("source"),
            FROM,
            BY,
            ORDER,
            COUNT,
            Arg::keyword("storedist", "STOREDIST").optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(answer_or_store(txn, args, Form::SearchStore))),
};

pub(super) const GEORADIUS: Command = Command {
    spec: Spec {
        name: "georadius",
        group: Group::Geo,
        since: "3.2.0",
        complexity: COMPLEXITY,
        summary: "Returns or stores the members in a circle around a point.",
        arity: -6,
        keys: Keys::FirstAndBehind { keywords: &["STORE", "STOREDIST"], from: 6 },
        flags: STORES.and(Flags::MOVABLE_KEYS),
        args: &[
            Arg::key("key"),
            LONGITUDE,
            LATITUDE,
            RADIUS,
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT,
            ORDER,
            STORE,
            STOREDIST,
        ],
    },
    run: Run::Write(|txn, args| settle(answer_or_store(txn, args, Form::Radius))),
};

pub(super) const GEORADIUS_RO: Command = Command {
    spec: Spec {
        name: "georadius_ro",
        group: Group::Geo,
        since: "3.2.10",
        complexity: COMPLEXITY,
        summary: "Returns the members in a circle around a point.",
        arity: -6,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key"),
            LONGITUDE,
            LATITUDE,
            RADIUS,
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT,
            ORDER,
        ],
    },
    run: Run::Read(|view, args| settle(answer(view, args, Form::RadiusRead))),
};

pub(super) const GEORADIUSBYMEMBER: Command = Command {
    spec: Spec {
        name: "georadiusbymember",
        group: Group::Geo,
        since: "3.2.0",
        complexity: COMPLEXITY,
        summary: "Returns or stores the members in a circle around one of them.",
        arity: -5,
        keys: Keys::FirstAndBehind { keywords: &["STORE", "STOREDIST"], from: 5 },
        flags: STORES.and(Flags::MOVABLE_KEYS),
        args: &[
            Arg::key("key"),
            MEMBER,
            RADIUS,
            UNIT,
            WITHCOORD,
            WITHDIST,
            WITHHASH,
            COUNT,
            ORDER,
            STORE,
            STOREDIST,
        ],
    },
    run: Run::Write(|txn, args| settle(answer_or_store(txn, args, Form::RadiusByMember))),
};

pub(super) const GEORADIUSBYMEMBER_RO: Command = Command {
    spec: Spec {
        name: "georadiusbymember_ro",
        group: Group::Geo,
        since: "3.2.10",
        complexity: COMPLEXITY,
        summary: "Returns the members in a circle around one of them.",
        arity: -5,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[Arg::key("key"), MEMBER, RADIUS, UNIT, WITHCOORD, WITHDIST, WITHHASH, COUNT, ORDER],
    },
    run: Run::Read(|view, args| settle(answer(view, args, Form::RadiusByMemberRead))),
};

fn answer_or_store(txn: &mut Txn<'_>, args: Args<'_>, form: Form) -> Answer<'static> {
    let zset = txn.data::<Zset>(args[form.source()])?;
    let options = Options::read(args, form, zset)?;
    let Some(key) = options.store else {
        return Ok(found_reply(zset, &options).into_owned());
    };
    let unit = options.shape.map_or(1.0, |shape| shape.unit);
    let mut pairs: Vec<(StringValue<'_>, f64)> = find(zset, &options)
        .into_iter()
        .map(|found| {
            let score = if options.store_distance { found.distance / unit } else { found.score };
            (found.member, score)
        })
        .collect();
    let result = (!pairs.is_empty()).then(|| {
        pairs.sort_by(|(left, left_score), (right, right_score)| {
            left_score.total_cmp(right_score).then_with(|| left.to_bytes().cmp(&right.to_bytes()))
        });
        (pairs.len(), Zset::from_sorted(&pairs, &txn.limits()))
    });
    Ok(store(txn, key, result))
}

fn answer<'v>(view: &'v View<'_>, args: Args<'_>, form: Form) -> Answer<'v> {
    let zset = view.data::<Zset>(args[form.source()])?;
    let options = Options::read(args, form, zset)?;
    Ok(found_reply(zset, &options))
}

fn found_reply<'v>(zset: Option<&'v Zset>, options: &Options<'_>) -> Reply<'v> {
    let unit = options.shape.map_or(1.0, |shape| shape.unit);
    let reply = |found: Found<'v>| {
        let member = found.member.reply();
        if !(options.with_distance || options.with_hash || options.with_point) {
            return member;
        }
        let mut parts = vec![member];
        if options.with_distance {
            parts.push(distance_reply(found.distance / unit));
        }
        if options.with_hash {
            parts.push(Reply::Integer(found.score as i64));
        }
        if options.with_point {
            parts.push(point_reply(found.point));
        }
        Reply::Array(parts)
    };
    Reply::Array(find(zset, options).into_iter().map(reply).collect())
}

/// A member within the shape.
struct Found<'v> {
    member: StringValue<'v>,
    score: f64,
    point: Point,
    /// From the shape's center, in meters.
    distance: f64,
}

/// The members that are asked for, in order.
fn find<'v>(zset: Option<&'v Zset>, options: &Options<'_>) -> Vec<Found<'v>> {
    let (Some(zset), Some(shape)) = (zset, &options.shape) else { return Vec::new() };
    let enough = if options.any { options.count } else { usize::MAX };
    let mut found = within(zset, shape, enough);
    if let Some(ascending) = options.ascending {
        sort_first(&mut found, options.count, |left, right| {
            let order = left.distance.total_cmp(&right.distance);
            if ascending { order } else { order.reverse() }
        });
    }
    found.truncate(options.count);
    found
}

/// The members within a shape in the order in which they are met, the first of them if they are
/// more than enough.
fn within<'v>(zset: &'v Zset, shape: &Shape, enough: usize) -> Vec<Found<'v>> {
    let mut found = Vec::new();
    for cell in shape.cells() {
        if found.len() >= enough {
            break;
        }
        let (min, max) = cell.scores();
        let ranks = zset.within_scores(&ScoreRange::half_open(min, max));
        let near = zset.pairs(ranks, false).filter_map(|(member, score)| {
            let point = Point::of_score(score);
            let distance = shape.distance_within(point)?;
            Some(Found { member, score, point, distance })
        });
        found.extend(near.take(enough - found.len()));
    }
    found
}
