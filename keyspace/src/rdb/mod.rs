//! DUMP's payloads: a value as Redis' RDB files have it, then the format's version and a checksum.
//!
//! What is written is version 10, which Redis 7.0 reads. What is read is everything that Redis up
//! to 7.2 has written since it has had checksums, and nothing in it is believed: the client may
//! have made it up. Values come back as if their elements had been added one by one, in the order
//! that they have in the payload, under the limits in force.
//!
//! Leaves out: modules' values, and RDB files as such.

mod crc64;
mod lzf;
mod reader;
mod writer;

use std::borrow::Cow;

use crate::access::Found;
use crate::limits::Limits;
use crate::list::{ListBuilder, NodeLimit};
use crate::object::{Data, Object};
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
        Some(Object::List(list)) => {
            out.push(kind::LIST);
            writer::put_length(&mut out, list.len() as u64);
            list.iter().for_each(|element| writer::put_value(&mut out, element));
        }
        Some(_) => unreachable!("no other value is written yet"),
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
    match reader.byte()? {
        kind::STRING => reader.string().map(Loaded::String),
        kind::LIST => list(reader, limits),
        _ => Err("a value of an unknown kind"),
    }
}

fn list<'p>(reader: &mut Reader<'p>, limits: &Limits) -> Result<Loaded<'p>, Fault> {
    let mut list = ListBuilder::new(NodeLimit::of(limits));
    for _ in 0..reader.count()? {
        list.push(&reader.string()?);
    }
    let list = list.finish().ok_or("a list without elements")?;
    Ok(Loaded::Object(list.into_object()))
}

fn without_footer(payload: &[u8]) -> Option<&[u8]> {
    let (checked, checksum) = payload.split_last_chunk()?;
    let (body, version) = checked.split_last_chunk()?;
    let known = u16::from_le_bytes(*version) <= VERSION_MAX;
    (known && crc64::crc64(checked) == u64::from_le_bytes(*checksum)).then_some(body)
}
