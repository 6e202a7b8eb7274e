//! DUMP's payloads: a value as Redis' RDB files have it, then the format's version and a checksum.
//!
//! What is written is version 10, which Redis 7.0 reads. What is read is everything that Redis up
//! to 7.2 has written since it has had checksums, and nothing in it is believed: the client may
//! have made it up. Values come back as if their elements had been added one by one, in the order
//! that they have in the payload, under the limits in force.
//!
//! Leaves out: modules' values, and RDB files as such.

mod crc64;
mod hash;
mod list;
mod lzf;
mod reader;
mod set;
mod stream;
mod writer;
mod ziplist;
mod zipmap;
mod zset;

use std::borrow::Cow;

use crate::access::Found;
use crate::limits::Limits;
use crate::object::{Data, Object};
use crate::value::StringValue;
use crate::wire::Fault;
use reader::Reader;

/// What is written.
const VERSION: u16 = 10;
/// What is read: Redis 7.2's.
const VERSION_MAX: u16 = 11;

/// Kinds of values in payloads.
mod kind {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const ZSET: u8 = 3;
    pub(super) const HASH: u8 = 4;
    pub(super) const ZSET_2: u8 = 5;
    pub(super) const HASH_ZIPMAP: u8 = 9;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const ZSET_ZIPLIST: u8 = 12;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_QUICKLIST: u8 = 14;
    pub(super) const STREAM_LISTPACKS: u8 = 15;
    pub(super) const HASH_LISTPACK: u8 = 16;
    pub(super) const ZSET_LISTPACK: u8 = 17;
    pub(super) const LIST_QUICKLIST_2: u8 = 18;
    pub(super) const STREAM_LISTPACKS_2: u8 = 19;
    pub(super) const SET_LISTPACK: u8 = 20;
    pub(super) const STREAM_LISTPACKS_3: u8 = 21;
}

/// A value out of a payload.
pub(crate) enum Loaded<'p> {
    /// A string.
    String(Cow<'p, [u8]>),
    /// Something else.
    Object(Object),
}

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The footer is not one that would be written to a payload like this.
    Footer,
    /// What is before the footer is no value.
    Value(Fault),
}

/// The payload of a value.
pub(crate) fn dump(found: &Found<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match found.object() {
        None | Some(Object::String(_)) => {
            out.push(kind::STRING);
            writer::put_value(&mut out, found.string().expect("looked at just now"));
        }
        Some(Object::List(data)) => list::put(data, &mut out),
        Some(Object::Set(data)) => set::put(data, &mut out),
        Some(Object::Hash(data)) => hash::put(data, &mut out),
        Some(Object::Zset(data)) => zset::put(data, &mut out),
        Some(Object::Stream(data)) => stream::put(data, &mut out),
    }
    out.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc64::crc64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// The value of a payload, in the encodings that the limits ask for.
pub(crate) fn load<'p>(payload: &'p [u8], limits: &Limits) -> Result<Loaded<'p>, Refused> {
    let body = without_footer(payload).ok_or(Refused::Footer)?;
    let mut reader = Reader::new(body);
    let loaded = value(&mut reader, limits).map_err(Refused::Value)?;
    match reader.is_done() {
        true => Ok(loaded),
        false => Err(Refused::Value("longer than its value")),
    }
}

fn value<'p>(reader: &mut Reader<'p>, limits: &Limits) -> Result<Loaded<'p>, Fault> {
    let kind = reader.byte()?;
    Ok(Loaded::Object(match kind {
        kind::STRING => return reader.string().map(Loaded::String),
        kind::LIST | kind::LIST_ZIPLIST | kind::LIST_QUICKLIST | kind::LIST_QUICKLIST_2 => {
            list::read(kind, reader, limits)?.into_object()
        }
        kind::SET | kind::SET_INTSET | kind::SET_LISTPACK => {
            set::read(kind, reader, limits)?.into_object()
        }
        kind::HASH | kind::HASH_ZIPMAP | kind::HASH_ZIPLIST | kind::HASH_LISTPACK => {
            hash::read(kind, reader, limits)?.into_object()
        }
        kind::ZSET | kind::ZSET_2 | kind::ZSET_ZIPLIST | kind::ZSET_LISTPACK => {
            zset::read(kind, reader, limits)?.into_object()
        }
        kind::STREAM_LISTPACKS | kind::STREAM_LISTPACKS_2 | kind::STREAM_LISTPACKS_3 => {
            stream::read(kind, reader)?.into_object()
        }
        _ => return Err("a value of an unknown kind"),
    }))
}

fn without_footer(payload: &[u8]) -> Option<&[u8]> {
    let (checked, checksum) = payload.split_last_chunk()?;
    let (body, version) = checked.split_last_chunk()?;
    let known = u16::from_le_bytes(*version) <= VERSION_MAX;
    (known && crc64::crc64(checked) == u64::from_le_bytes(*checksum)).then_some(body)
}

/// The next two of a sequence in which every other one belongs to the one before.
fn pair_of<'v>(
    mut next: impl FnMut() -> Result<Option<StringValue<'v>>, Fault>,
) -> Result<Option<(StringValue<'v>, StringValue<'v>)>, Fault> {
    let Some(first) = next()? else { return Ok(None) };
    let second = next()?.ok_or("something that lacks its other half")?;
    Ok(Some((first, second)))
}

/// Whether no string comes twice.
fn are_distinct<'v>(values: impl Iterator<Item = StringValue<'v>>) -> bool {
    let mut texts: Vec<Cow<'v, [u8]>> = values.map(|value| value.to_bytes()).collect();
    texts.sort_unstable();
    texts.is_sorted_by(|left, right| left < right)
}
