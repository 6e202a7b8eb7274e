//! Sets: an intset, or members each by itself; from Redis 7.2 on also a listpack.

use super::are_distinct;
use super::kind;
use super::reader::Reader;
use super::writer::{put_length, put_string, put_value};
use crate::limits::{Limit, Limits};
use crate::listpack::Listpack;
use crate::set::{Intset, Set};
use crate::value::StringValue;
use crate::wire::Fault;

/// Appends the kind and the members. Redis 7.0 cannot read the listpack that a small set is.
pub(super) fn put(set: &Set, out: &mut Vec<u8>) {
    match set {
        Set::Ints(ints) => {
            out.push(kind::SET_INTSET);
            let mut bytes = Vec::with_capacity(ints.dump_bytes());
            ints.put(&mut bytes);
            put_string(out, &bytes);
        }
        Set::Small(_) | Set::Large(_) => {
            out.push(kind::SET);
            put_length(out, set.len() as u64);
            set.iter().for_each(|member| put_value(out, member));
        }
    }
}

/// Reads the members.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<Set, Fault> {
    let mut set = Set::default();
    match kind {
        kind::SET => {
            let count = reader.count()?;
            for at in 0..count {
                let member = reader.string()?;
                let member = StringValue::encode(&member);
                if at == 0 {
                    set.expect(member, count as usize, limits);
                }
                add(&mut set, member, limits)?;
            }
        }
        kind::SET_INTSET => {
            let ints = Intset::from_bytes(&reader.string()?)?;
            if ints.len() <= limits.size(Limit::IntsetEntries) {
                set = Set::Ints(ints);
            } else {
                for number in ints.iter() {
                    add(&mut set, StringValue::Int(number), limits)?;
                }
            }
        }
        _ => {
            let listpack = Listpack::from_bytes(&reader.string()?)?;
            if listpack.len() <= limits.size(Limit::SetEntries) {
                if !are_distinct(listpack.iter()) {
                    return Err(TWICE);
                }
                set = Set::Small(listpack);
            } else {
                set.expect(StringValue::Bytes(b""), listpack.len(), limits);
                for member in listpack.iter() {
                    add(&mut set, member, limits)?;
                }
            }
        }
    }
    if set.len() == 0 { Err("a set without members") } else { Ok(set) }
}

const TWICE: Fault = "a set with a member twice";

fn add(set: &mut Set, member: StringValue<'_>, limits: &Limits) -> Result<(), Fault> {
    if set.add(member, limits) { Ok(()) } else { Err(TWICE) }
}
