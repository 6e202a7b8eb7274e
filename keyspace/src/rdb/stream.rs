//! Streams: their nodes, which are listpacks, the counters, then the groups with what is pending.
//!
//! The counters come behind the nodes, and whose a pending entry is behind the entry, so both are
//! gathered before they are put together and checked.

use std::collections::BTreeMap;

use super::kind;
use super::reader::Reader;
use super::writer::{put_length, put_string};
use crate::listpack::Listpack;
use crate::stream::{Counters, Delivery, Group, Id, Log, Progress, Stream, Times};
use crate::wire::Fault;

/// What Redis stores for a number that is not known, and for a time that was never.
const UNKNOWN: u64 = u64::MAX;

/// Appends the kind and the stream.
pub(super) fn put(stream: &Stream, out: &mut Vec<u8>) {
    out.push(kind::STREAM_LISTPACKS_2);
    put_length(out, stream.log.nodes().len() as u64);
    for (first, node) in stream.log.nodes() {
        put_string(out, &raw(first));
        put_string(out, node.listpack().as_bytes());
    }
    let Counters { last_id, max_deleted_id, entries_added } = *stream.log.counters();
    put_length(out, stream.log.len());
    put_id(out, last_id);
    put_id(out, stream.log.first_id());
    put_id(out, max_deleted_id);
    put_length(out, entries_added);
    put_length(out, stream.groups.len() as u64);
    for (name, group) in stream.groups.iter() {
        put_string(out, name);
        put_group(group, out);
    }
}

fn put_group(group: &Group, out: &mut Vec<u8>) {
    let Progress { last_id, entries_read } = group.progress();
    put_id(out, last_id);
    put_length(out, entries_read.unwrap_or(UNKNOWN));
    put_length(out, group.len() as u64);
    for (id, delivery) in group.deliveries() {
        out.extend_from_slice(&raw(id));
        out.extend_from_slice(&delivery.at_ms.to_le_bytes());
        put_length(out, delivery.count);
    }
    put_length(out, group.consumers().len() as u64);
    for consumer in group.consumers() {
        put_string(out, consumer.name());
        out.extend_from_slice(&consumer.times().seen_ms.to_le_bytes());
        put_length(out, consumer.len() as u64);
        consumer.pending().for_each(|id| out.extend_from_slice(&raw(id)));
    }
}

/// An id as it sorts.
fn raw(id: Id) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put_length(out, id.ms);
    put_length(out, id.seq);
}

/// Reads the stream.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Stream, Fault> {
    let mut nodes = Vec::new();
    for _ in 0..reader.count()? {
        let first = reader.string()?;
        let first = first.as_ref().try_into().map_err(|_| "a stream's node without an id")?;
        nodes.push((id_of(first), Listpack::from_bytes(&reader.string()?)?));
    }
    let len = reader.length()?;
    let mut counters =
        Counters { last_id: id(reader)?, max_deleted_id: Id::MIN, entries_added: len };
    if kind != kind::STREAM_LISTPACKS {
        // The first entry's id is found again.
        id(reader)?;
        counters.max_deleted_id = id(reader)?;
        counters.entries_added = reader.length()?;
    }
    let mut log = Log::with_counters(counters);
    for (first, listpack) in nodes {
        log.push_node(first, listpack)?;
    }
    if log.len() != len {
        return Err("a stream of another length than it says");
    }
    let mut stream = Stream { log, ..Stream::default() };
    for _ in 0..reader.count()? {
        let name = reader.string()?;
        let group = read_group(kind, reader, &stream.log)?;
        if !stream.groups.insert(&name, group) {
            return Err("a stream's group twice");
        }
    }
    Ok(stream)
}

fn read_group(kind: u8, reader: &mut Reader<'_>, log: &Log) -> Result<Group, Fault> {
    let last_id = id(reader)?;
    let entries_read = match kind {
        kind::STREAM_LISTPACKS => log.added_through(last_id),
        _ => Some(reader.length()?).filter(|read| *read != UNKNOWN),
    };
    let mut group = Group::new(Progress { last_id, entries_read });
    let mut deliveries = BTreeMap::new();
    for _ in 0..reader.count()? {
        let id = id_of(reader.array()?);
        let delivery = Delivery { at_ms: read_ms(reader)?, count: reader.length()? };
        if deliveries.insert(id, delivery).is_some() {
            return Err("a group's pending entry twice");
        }
    }
    for _ in 0..reader.count()? {
        let name = reader.string()?;
        let seen_ms = read_ms(reader)?;
        let active_ms = match kind {
            kind::STREAM_LISTPACKS_3 => Some(read_ms(reader)?).filter(|time| *time != UNKNOWN),
            // The best that can be told.
            _ => Some(seen_ms),
        };
        let consumer = group.push_consumer(&name, Times { seen_ms, active_ms })?;
        for _ in 0..reader.count()? {
            let id = id_of(reader.array()?);
            let delivery = deliveries.remove(&id);
            let delivery = delivery.ok_or("a consumer's entry that is not the group's")?;
            group.push_pending(id, consumer, delivery)?;
        }
    }
    if deliveries.is_empty() { Ok(group) } else { Err("an entry pending for nobody") }
}

fn read_ms(reader: &mut Reader<'_>) -> Result<u64, Fault> {
    reader.array().map(u64::from_le_bytes)
}

fn id(reader: &mut Reader<'_>) -> Result<Id, Fault> {
    Ok(Id { ms: reader.length()?, seq: reader.length()? })
}

fn id_of(raw: [u8; 16]) -> Id {
    let number = u128::from_be_bytes(raw);
    Id { ms: (number >> 64) as u64, seq: number as u64 }
}
