//! Lists: nodes that are listpacks or single large elements; formerly ziplists, and before that
//! elements each by itself.

use super::kind;
use super::reader::Reader;
use super::writer::{put_length, put_string};
use super::ziplist::Ziplist;
use crate::limits::Limits;
use crate::list::{List, ListBuilder, NodeLimit};
use crate::listpack::Listpack;
use crate::value::StringValue;
use crate::wire::Fault;

/// What a node is.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Appends the kind and the nodes.
pub(super) fn put(list: &List, out: &mut Vec<u8>) {
    out.push(kind::LIST_QUICKLIST_2);
    put_length(out, list.nodes().count() as u64);
    for (is_plain, bytes) in list.nodes() {
        put_length(out, if is_plain { PLAIN } else { PACKED });
        put_string(out, bytes);
    }
}

/// Reads the elements.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<List, Fault> {
    let mut list = ListBuilder::new(NodeLimit::of(limits));
    match kind {
        kind::LIST => {
            for _ in 0..reader.count()? {
                list.push(&reader.string()?);
            }
        }
        kind::LIST_ZIPLIST => push_ziplist(&reader.string()?, &mut list)?,
        kind::LIST_QUICKLIST => {
            for _ in 0..reader.count()? {
                push_ziplist(&reader.string()?, &mut list)?;
            }
        }
        _ => {
            for _ in 0..reader.count()? {
                push_node(reader, &mut list)?;
            }
        }
    }
    list.finish().ok_or("a list without elements")
}

fn push_ziplist(bytes: &[u8], list: &mut ListBuilder) -> Result<(), Fault> {
    let mut ziplist = Ziplist::new(bytes)?;
    while let Some(value) = ziplist.next()? {
        push_value(value, list);
    }
    Ok(())
}

fn push_node(reader: &mut Reader<'_>, list: &mut ListBuilder) -> Result<(), Fault> {
    let container = reader.length()?;
    let bytes = reader.string()?;
    match container {
        PLAIN if bytes.is_empty() => return Err("a list's large element that is empty"),
        PLAIN => list.push(&bytes),
        PACKED => Listpack::from_bytes(&bytes)?.iter().for_each(|value| push_value(value, list)),
        _ => return Err("a list's node of an unknown kind"),
    }
    Ok(())
}

fn push_value(value: StringValue<'_>, list: &mut ListBuilder) {
    list.push(value.as_bytes(&mut itoa::Buffer::new()));
}
