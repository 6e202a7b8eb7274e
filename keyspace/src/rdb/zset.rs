//! Sorted sets: members and scores, in a listpack or each by itself; formerly in ziplists, and
//! with scores as text.

use std::borrow::Cow;

use super::kind;
use super::pair_of;
use super::reader::Reader;
use super::writer::{put_length, put_string, put_value};
use super::ziplist::Ziplist;
use crate::limits::Limits;
use crate::listpack::Listpack;
use crate::number::parse_double;
use crate::value::StringValue;
use crate::wire::Fault;
use crate::zset::Zset;

/// Scores as text have their length before them, or one of these.
const NOT_A_NUMBER: u8 = 253;
const INFINITY: u8 = 254;
const NEGATIVE_INFINITY: u8 = 255;

const NO_NUMBER: Fault = "a sorted set with a score that is no number";

/// Appends the kind and the members, the last first as in Redis, whose reader likes it so.
pub(super) fn put(zset: &Zset, out: &mut Vec<u8>) {
    match zset {
        Zset::Small(small) => {
            out.push(kind::ZSET_LISTPACK);
            put_string(out, small.as_bytes());
        }
        Zset::Large(_) => {
            out.push(kind::ZSET_2);
            put_length(out, zset.len() as u64);
            for (member, score) in zset.pairs(0..zset.len(), true) {
                put_value(out, member);
                out.extend_from_slice(&score.to_le_bytes());
            }
        }
    }
}

type Member<'m> = (Cow<'m, [u8]>, f64);

/// Reads the members, which may be in any order.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<Zset, Fault> {
    if let kind::ZSET | kind::ZSET_2 = kind {
        let mut members = Vec::new();
        for _ in 0..reader.count()? {
            let member = reader.string()?;
            let score = match kind {
                kind::ZSET => score_as_text(reader)?,
                _ => f64::from_le_bytes(reader.array()?),
            };
            members.push((member, score));
        }
        return collect(members, limits);
    }
    let bytes = reader.string()?;
    let mut members = Vec::new();
    if kind == kind::ZSET_LISTPACK {
        let listpack = Listpack::from_bytes(&bytes)?;
        let mut elements = listpack.iter();
        while let Some((member, score)) = pair_of(|| Ok(elements.next()))? {
            members.push((member.to_bytes(), score_of(score)?));
        }
        return collect(members, limits);
    }
    let mut ziplist = Ziplist::new(&bytes)?;
    while let Some((member, score)) = pair_of(|| ziplist.next())? {
        members.push((member.to_bytes(), score_of(score)?));
    }
    collect(members, limits)
}

fn score_as_text(reader: &mut Reader<'_>) -> Result<f64, Fault> {
    match reader.byte()? {
        NOT_A_NUMBER => Err(NO_NUMBER),
        INFINITY => Ok(f64::INFINITY),
        NEGATIVE_INFINITY => Ok(f64::NEG_INFINITY),
        length => parse_double(reader.bytes(length.into())?).ok_or(NO_NUMBER),
    }
}

fn score_of(value: StringValue<'_>) -> Result<f64, Fault> {
    match value {
        StringValue::Int(number) => Ok(number as f64),
        StringValue::Bytes(text) => parse_double(text).ok_or(NO_NUMBER),
    }
}

fn collect(mut members: Vec<Member<'_>>, limits: &Limits) -> Result<Zset, Fault> {
    if members.is_empty() {
        return Err("a sorted set without members");
    }
    if members.iter().any(|(_, score)| score.is_nan()) {
        return Err(NO_NUMBER);
    }
    members.sort_unstable_by(|left, right| left.0.cmp(&right.0));
    if !members.is_sorted_by(|left, right| left.0 < right.0) {
        return Err("a sorted set with a member twice");
    }
    // Stable, so members of one score stay in their own order. No score is NaN, and zeros are one.
    members.sort_by(|left, right| left.1.partial_cmp(&right.1).expect("looked at above"));
    let pairs = members.iter().map(|(member, score)| (StringValue::Bytes(member), *score));
    Ok(Zset::from_sorted(&pairs.collect::<Vec<_>>(), limits))
}
