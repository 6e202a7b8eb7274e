//! The entries of a stream: nodes in the order of their ids, and the counters that outlive entries.
//!
//! Invariants: ids ascend across nodes, those of deleted entries included, and each node's id is
//! its first entry's or less; `len` counts the entries that are there, `first_id` is the first
//! one's (0-0 if there is none), and `last_id` is not before any of them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::id::Id;
use super::node::{Entry, Field, Node, NodeLimits};
use super::tree_bytes;
use crate::listpack::Listpack;
use crate::wire::Fault;

/// Entries and counters.
#[derive(Debug, Default)]
pub(crate) struct Log {
    nodes: BTreeMap<Id, Node>,
    len: u64,
    first_id: Id,
    counters: Counters,
    /// The nodes' own bytes on the heap.
    node_bytes: usize,
}

/// What is known of entries that may be gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// The last entry's that was ever added, or what XSETID said.
    pub(crate) last_id: Id,
    /// The greatest that XDEL deleted.
    pub(crate) max_deleted_id: Id,
    /// How many were ever added.
    pub(crate) entries_added: u64,
}

/// What to trim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trim {
    pub(super) strategy: Strategy,
    /// Whether only whole nodes go (`~`).
    pub(super) is_approximate: bool,
    /// How many entries may go at most; 0: all.
    pub(super) limit: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Strategy {
    /// All but so many of the last.
    MaxLen(u64),
    /// Those before this id.
    MinId(Id),
}

/// Reading.
impl Log {
    /// Number of entries.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The first entry's id, or 0-0.
    pub(crate) fn first_id(&self) -> Id {
        self.first_id
    }

    /// What is known of entries that may be gone.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The last id.
    pub(super) fn last_id(&self) -> Id {
        self.counters.last_id
    }

    /// The nodes with their ids.
    pub(crate) fn nodes(&self) -> impl ExactSizeIterator<Item = (Id, &Node)> {
        self.nodes.iter().map(|(first, node)| (*first, node))
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.node_bytes + tree_bytes::<Id, Node>(self.nodes.len())
    }

    /// The entries of a range.
    pub(super) fn range(&self, ids: RangeInclusive<Id>) -> impl Iterator<Item = Entry<'_>> {
        let (start, end) = ids.into_inner();
        // The node that starts before may reach into the range.
        let before = self.nodes.range(..=start).next_back();
        let from = before.map_or(start, |(first, _)| *first);
        let entries = self.nodes.range(from..).flat_map(|(first, node)| node.entries(*first));
        let entries = entries.filter(move |entry| entry.id >= start && !entry.is_deleted);
        entries.take_while(move |entry| entry.id <= end)
    }

    /// The entries of a range, the last first.
    pub(super) fn range_back(&self, ids: RangeInclusive<Id>) -> impl Iterator<Item = Entry<'_>> {
        let (start, end) = ids.into_inner();
        let nodes = self.nodes.range(..=end).rev();
        let entries = nodes.flat_map(|(first, node)| node.entries_back(*first));
        let entries = entries.filter(move |entry| entry.id <= end && !entry.is_deleted);
        entries.take_while(move |entry| entry.id >= start)
    }

    /// The entry of an id.
    pub(super) fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id..=id).next()
    }

    /// The last entry's id, if there is an entry.
    pub(super) fn last_live_id(&self) -> Option<Id> {
        self.range_back(Id::MIN..=Id::MAX).next().map(|entry| entry.id)
    }
}

/// How far a group has read: estimates, in Redis' way.
impl Log {
    /// How many entries were ever added up to `id`, if that can be told without counting.
    pub(crate) fn added_through(&self, id: Id) -> Option<u64> {
        let Counters { last_id, max_deleted_id, entries_added } = self.counters;
        if entries_added == 0 {
            return Some(0);
        }
        if id == last_id || self.len == 0 && id < last_id {
            return Some(entries_added);
        }
        let has_gaps = max_deleted_id != Id::MIN && max_deleted_id >= self.first_id;
        if id > last_id || id > self.first_id || has_gaps {
            return None;
        }
        let before_first = entries_added.wrapping_sub(self.len);
        Some(before_first.wrapping_add(u64::from(id == self.first_id)))
    }

    /// Whether an entry from `start` on may have been deleted from among those that are there.
    pub(super) fn has_gap_from(&self, start: Id) -> bool {
        let deleted = self.counters.max_deleted_id;
        self.len > 0 && deleted != Id::MIN && self.first_id <= deleted && start <= deleted
    }
}

/// Changing.
impl Log {
    /// The counters, to change; an entry stays no later than the last id.
    pub(super) fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Adds an entry behind the last id.
    pub(super) fn append(&mut self, id: Id, fields: &[Field<'_>], limits: NodeLimits) {
        assert!(id > self.counters.last_id, "ids ascend");
        self.forget_from(id);
        let mut has_room = false;
        if let Some(mut last) = self.nodes.last_entry() {
            let distance = id.distance(*last.key());
            let node = last.get_mut();
            let before = node.heap_bytes();
            has_room = node.has_room(fields, limits);
            match has_room {
                true => node.push(distance, fields),
                false => node.close(),
            }
            self.node_bytes = self.node_bytes + node.heap_bytes() - before;
        }
        if !has_room {
            let node = Node::new(fields);
            self.node_bytes += node.heap_bytes();
            self.nodes.insert(id, node);
        }
        self.counters.entries_added = self.counters.entries_added.wrapping_add(1);
        self.counters.last_id = id;
        self.len += 1;
        if self.len == 1 {
            self.first_id = id;
        }
    }

    /// Deletes an entry (XDEL); whether it was there.
    pub(super) fn delete(&mut self, id: Id) -> bool {
        let Some((first, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let (first, before) = (*first, node.heap_bytes());
        if !node.delete(first, id) {
            return false;
        }
        self.node_bytes = self.node_bytes + node.heap_bytes() - before;
        if node.counts().0 == 0 {
            self.remove_node(first);
        }
        self.len -= 1;
        self.counters.max_deleted_id = self.counters.max_deleted_id.max(id);
        if id == self.first_id {
            self.find_first();
        }
        true
    }

    /// Deletes entries from the front; how many.
    pub(super) fn trim(&mut self, trim: Trim) -> u64 {
        let mut trimmed = 0;
        while let Some(mut node) = self.nodes.first_entry() {
            let (first, (live, _)) = (*node.key(), node.get().counts());
            if matches!(trim.strategy, Strategy::MaxLen(len_max) if self.len <= len_max)
                || trim.limit > 0 && trimmed + live > trim.limit
            {
                break;
            }
            let goes_whole = match trim.strategy {
                Strategy::MaxLen(len_max) => self.len - live >= len_max,
                Strategy::MinId(min_id) => node.get().last_id(first) < min_id,
            };
            if goes_whole {
                self.remove_node(first);
                self.len -= live;
                trimmed += live;
                continue;
            }
            if !trim.is_approximate {
                let before = node.get().heap_bytes();
                let mut len = self.len;
                let deleted = node.get_mut().delete_while(first, |id| match trim.strategy {
                    Strategy::MinId(min_id) => id < min_id,
                    Strategy::MaxLen(len_max) => {
                        len -= 1;
                        len >= len_max
                    }
                });
                self.node_bytes = self.node_bytes + node.get().heap_bytes() - before;
                self.len -= deleted;
                trimmed += deleted;
            }
            break;
        }
        if trimmed > 0 {
            self.find_first();
        }
        trimmed
    }

    /// Forgets deleted entries that would stand behind `id`.
    fn forget_from(&mut self, id: Id) {
        while let Some(mut last) = self.nodes.last_entry() {
            let first = *last.key();
            if last.get().counts().1 == 0 {
                return;
            }
            let before = last.get().heap_bytes();
            let has_entries = last.get_mut().forget_from(first, id);
            self.node_bytes = self.node_bytes + last.get().heap_bytes() - before;
            if has_entries {
                return;
            }
            self.remove_node(first);
        }
    }

    fn remove_node(&mut self, first: Id) {
        self.node_bytes -= self.nodes.remove(&first).map_or(0, |node| node.heap_bytes());
    }

    fn find_first(&mut self) {
        let first = self.range(Id::MIN..=Id::MAX).next().map(|entry| entry.id);
        self.first_id = first.unwrap_or_default();
    }
}

/// Putting together what was stored apart, and believing none of it.
impl Log {
    /// With counters, and no entries yet.
    pub(crate) fn with_counters(counters: Counters) -> Log {
        Log { counters, ..Log::default() }
    }

    /// Adds a node behind the last.
    pub(crate) fn push_node(&mut self, first: Id, listpack: Listpack) -> Result<(), Fault> {
        let node = Node::from_listpack(first, listpack)?;
        if let Some((before, last)) = self.nodes.last_key_value()
            && last.last_id(*before) >= first
        {
            return Err("a stream's nodes out of order");
        }
        let mut live = node.entries_back(first).filter(|entry| !entry.is_deleted);
        if live.next().is_some_and(|last| last.id > self.counters.last_id) {
            return Err("a stream's entry behind its last id");
        }
        drop(live);
        if self.len + node.counts().0 > self.counters.entries_added {
            return Err("a stream of more entries than were added");
        }
        if self.len == 0 {
            let live = node.entries(first).find(|entry| !entry.is_deleted);
            self.first_id = live.map_or(Id::MIN, |entry| entry.id);
        }
        self.len += node.counts().0;
        self.node_bytes += node.heap_bytes();
        self.nodes.insert(first, node);
        Ok(())
    }
}

impl Clone for Log {
    fn clone(&self) -> Log {
        let nodes = self.nodes.clone();
        // A copied listpack has no more room than it needs.
        let node_bytes = nodes.values().map(Node::heap_bytes).sum();
        Log { nodes, node_bytes, ..*self }
    }
}
