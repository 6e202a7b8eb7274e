//! A stream as units store it: counters, nodes, groups with their consumers and what is pending.
//!
//! Ids are two varints. A consumer's pending entries name it by its place among the consumers,
//! which are in the order of their names.

use std::collections::BTreeMap;

use super::group::Number;
use super::{Counters, Delivery, Group, Id, Log, Progress, Stream, Times};
use crate::listpack::Listpack;
use crate::wire::{Fault, WireReader, put_string, put_varint};

/// A number that may be unknown: 0 then, else one more.
fn put_option(out: &mut Vec<u8>, number: Option<u64>) {
    match number {
        None => put_varint(out, 0),
        // A number of which one more would be none is not stored; no count gets there.
        Some(number) => put_varint(out, number.saturating_add(1)),
    }
}

fn option(reader: &mut WireReader<'_>) -> Result<Option<u64>, Fault> {
    Ok(reader.varint()?.checked_sub(1))
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    put_varint(out, id.ms);
    put_varint(out, id.seq);
}

fn id(reader: &mut WireReader<'_>) -> Result<Id, Fault> {
    Ok(Id { ms: reader.varint()?, seq: reader.varint()? })
}

/// Appends the stream's bytes.
pub(super) fn encode(stream: &Stream, out: &mut Vec<u8>) {
    let Counters { last_id, max_deleted_id, entries_added } = *stream.log.counters();
    put_id(out, last_id);
    put_id(out, max_deleted_id);
    put_varint(out, entries_added);
    put_varint(out, stream.log.nodes().len() as u64);
    for (first, node) in stream.log.nodes() {
        put_id(out, first);
        put_string(out, node.listpack().as_bytes());
    }
    put_varint(out, stream.groups.len() as u64);
    for (name, group) in stream.groups.iter() {
        put_string(out, name);
        encode_group(group, out);
    }
}

fn encode_group(group: &Group, out: &mut Vec<u8>) {
    let Progress { last_id, entries_read } = group.progress();
    put_id(out, last_id);
    put_option(out, entries_read);
    put_varint(out, group.consumers().len() as u64);
    let mut places = BTreeMap::new();
    for (place, consumer) in group.consumers().enumerate() {
        places.insert(consumer.name(), place as u64);
        put_string(out, consumer.name());
        put_varint(out, consumer.times().seen_ms);
        put_option(out, consumer.times().active_ms);
    }
    put_varint(out, group.len() as u64);
    for (id, pending) in group.pending_from(Id::MIN) {
        put_id(out, id);
        put_varint(out, places[group.consumer(pending.consumer).name()]);
        put_varint(out, pending.delivery.at_ms);
        put_varint(out, pending.delivery.count);
    }
}

/// Reads what was encoded.
pub(super) fn decode(reader: &mut WireReader<'_>) -> Result<Stream, Fault> {
    let (last_id, max_deleted_id) = (id(reader)?, id(reader)?);
    let counters = Counters { last_id, max_deleted_id, entries_added: reader.varint()? };
    let mut stream = Stream { log: Log::with_counters(counters), ..Stream::default() };
    for _ in 0..reader.varint()? {
        let first = id(reader)?;
        stream.log.push_node(first, Listpack::from_bytes(reader.string()?)?)?;
    }
    for _ in 0..reader.varint()? {
        let name = reader.string()?;
        if !stream.groups.insert(name, decode_group(reader)?) {
            return Err("a stream's group twice");
        }
    }
    Ok(stream)
}

fn decode_group(reader: &mut WireReader<'_>) -> Result<Group, Fault> {
    let progress = Progress { last_id: id(reader)?, entries_read: option(reader)? };
    let mut group = Group::new(progress);
    let mut numbers: Vec<Number> = Vec::new();
    for _ in 0..reader.varint()? {
        let name = reader.string()?;
        let times = Times { seen_ms: reader.varint()?, active_ms: option(reader)? };
        numbers.push(group.push_consumer(name, times)?);
    }
    for _ in 0..reader.varint()? {
        let id = id(reader)?;
        let place = usize::try_from(reader.varint()?).ok().and_then(|place| numbers.get(place));
        let consumer = *place.ok_or("an entry pending for nobody")?;
        let delivery = Delivery { at_ms: reader.varint()?, count: reader.varint()? };
        group.push_pending(id, consumer, delivery)?;
    }
    Ok(group)
}
