//! GEOADD.

use resp::Reply;

use super::argument::{LATITUDE, LONGITUDE, point};
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::zset::{AddOptions, add_all};

pub(super) const GEOADD: Command = Command {
    spec: Spec {
        name: "geoadd",
        group: Group::Geo,
        since: "3.2.0",
        complexity: "O(log(N)) for each member, with N members in the sorted set",
        summary: "Adds members at positions to a sorted set, or moves them.",
        arity: -5,
        keys: Keys::FIRST,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[Arg::keyword("nx", "NX"), Arg::keyword("xx", "XX")]),
            )
            .optional(),
            Arg::keyword("change", "CH").optional(),
            Arg::new(
                "longitude_latitude_member",
                ArgKind::Block(&[LONGITUDE, LATITUDE, Arg::new("member", ArgKind::String)]),
            )
            .multiple(),
        ],
    },
    run: Run::Write(|txn, args| settle(geoadd(txn, args))),
};

fn geoadd(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let mut options = AddOptions::default();
    let mut rest = &args[2..];
    while let [option, tail @ ..] = rest {
        if is(option, "NX") {
            options.only_new = true;
        } else if is(option, "XX") {
            options.only_old = true;
        } else if is(option, "CH") {
            options.count_changes = true;
        } else {
            break;
        }
        rest = tail;
    }
    let (triples, odd) = rest.as_chunks::<3>();
    if triples.is_empty() || !odd.is_empty() || (options.only_new && options.only_old) {
        return Err(SYNTAX);
    }
    // Read before anything changes: one bad position, and nothing is done.
    let scores =
        triples.iter().map(|[longitude, latitude, _]| Ok(point(longitude, latitude)?.score()));
    let scores: Vec<f64> = scores.collect::<Result<_, Reply<'static>>>()?;
    let members = triples.iter().map(|[_, _, member]| *member);
    add_all(txn, args[1], &options, scores.into_iter().zip(members))
}
