//! Hashes: fields and their values, in a listpack or each by itself; formerly in ziplists, and
//! before that in zipmaps.

use super::kind;
use super::reader::Reader;
use super::writer::{put_length, put_string, put_value};
use super::ziplist::Ziplist;
use super::zipmap::Zipmap;
use super::{are_distinct, pair_of};
use crate::hash::Hash;
use crate::limits::{Limit, Limits};
use crate::listpack::{Listpack, encoded_bytes};
use crate::members::{Members, Pair};
use crate::value::StringValue;
use crate::wire::Fault;

/// Appends the kind and the fields.
pub(super) fn put(hash: &Hash, out: &mut Vec<u8>) {
    match hash {
        Hash::Small(listpack) => {
            out.push(kind::HASH_LISTPACK);
            put_string(out, listpack.as_bytes());
        }
        Hash::Large(_) => {
            out.push(kind::HASH);
            put_length(out, hash.len() as u64);
            for (field, value) in hash.iter() {
                put_value(out, field);
                put_value(out, value);
            }
        }
    }
}

/// Reads the fields.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<Hash, Fault> {
    let mut fields = Fields::new(limits);
    if kind == kind::HASH {
        for _ in 0..reader.count()? {
            fields.push(&reader.string()?, &reader.string()?)?;
        }
        return fields.finish();
    }
    let bytes = reader.string()?;
    match kind {
        kind::HASH_LISTPACK => {
            let listpack = Listpack::from_bytes(&bytes)?;
            let mut elements = listpack.iter();
            while let Some((field, value)) = pair_of(|| Ok(elements.next()))? {
                fields.push_values(field, value)?;
            }
        }
        kind::HASH_ZIPLIST => {
            let mut ziplist = Ziplist::new(&bytes)?;
            while let Some((field, value)) = pair_of(|| ziplist.next())? {
                fields.push_values(field, value)?;
            }
        }
        _ => {
            let mut zipmap = Zipmap::new(&bytes)?;
            while let Some((field, value)) = zipmap.next()? {
                fields.push(field, value)?;
            }
        }
    }
    fields.finish()
}

/// A hash that grows by fields that must not come twice. While they are in a listpack they are not
/// looked for one by one.
struct Fields<'l> {
    limits: &'l Limits,
    small: Listpack,
    large: Option<Members<Pair>>,
}

impl<'l> Fields<'l> {
    fn new(limits: &'l Limits) -> Fields<'l> {
        Fields { limits, small: Listpack::new(), large: None }
    }

    fn push_values(&mut self, field: StringValue<'_>, value: StringValue<'_>) -> Result<(), Fault> {
        let (mut field_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        self.push(field.as_bytes(&mut field_digits), value.as_bytes(&mut value_digits))
    }

    fn push(&mut self, field: &[u8], value: &[u8]) -> Result<(), Fault> {
        let value_max = self.limits.size(Limit::HashValue);
        let is_small = self.large.is_none()
            && self.small.len() / 2 < self.limits.size(Limit::HashEntries)
            && field.len() <= value_max
            && value.len() <= value_max
            && self.small.fits(encoded_bytes(field) + encoded_bytes(value));
        if is_small {
            self.small.push_back(field);
            self.small.push_back(value);
            return Ok(());
        }
        let members = match &mut self.large {
            Some(members) => members,
            None => self.large.insert(enlarged(&self.small)?),
        };
        set_new(members, field, value)
    }

    fn finish(self) -> Result<Hash, Fault> {
        match self.large {
            Some(members) => Ok(Hash::Large(Box::new(members))),
            None if self.small.is_empty() => Err("a hash without fields"),
            None if are_distinct(self.small.iter().step_by(2)) => Ok(Hash::Small(self.small)),
            None => Err(TWICE),
        }
    }
}

const TWICE: Fault = "a hash with a field twice";

fn enlarged(listpack: &Listpack) -> Result<Members<Pair>, Fault> {
    let mut members = Members::new();
    let mut elements = listpack.iter();
    while let Some((field, value)) = pair_of(|| Ok(elements.next()))? {
        set_new(&mut members, &field.to_bytes(), &value.to_bytes())?;
    }
    Ok(members)
}

fn set_new(members: &mut Members<Pair>, field: &[u8], value: &[u8]) -> Result<(), Fault> {
    if members.find(field).is_some() {
        return Err(TWICE);
    }
    members.insert(Pair::new(field, value));
    Ok(())
}
