//! A large list: nodes of elements in a row, each a listpack of limited size or one huge element.
//!
//! Both ends are near: whatever names an element by its place counts past whole nodes from the
//! nearer end, and looks into one only.
//!
//! Invariants: no node is empty; `len` is the sum of their elements, `node_bytes` of their memory.
//! Which node an element lies in is part of the state, since it decides when the list is small
//! again: so it is encoded, and every replica splits and joins nodes alike.

use std::collections::{VecDeque, vec_deque};

use super::element::{End, Taken, Wanted};
use super::node::{Elements, Node, NodeLimit};
use crate::listpack::Listpack;
use crate::value::StringValue;
use crate::wire::{Fault, WireReader, put_varint};

/// Below so many places the row of nodes is not worth shrinking.
const PLACES_MIN: usize = 8;

/// The nodes.
#[derive(Clone, Debug)]
pub(crate) struct Quicklist {
    nodes: VecDeque<Node>,
    len: usize,
    node_bytes: usize,
}

/// Reading.
impl Quicklist {
    /// The elements of a listpack, which may be none.
    pub(super) fn new(pack: Listpack) -> Quicklist {
        let mut list = Quicklist { nodes: VecDeque::new(), len: 0, node_bytes: 0 };
        if !pack.is_empty() {
            list.insert_node(0, Node::packed(pack));
        }
        list
    }

    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes on the heap, its own among them, since it lies behind a pointer.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Quicklist>() + self.nodes.capacity() * size_of::<Node>() + self.node_bytes
    }

    /// The element with so many before it.
    pub(super) fn get(&self, index: usize) -> Option<StringValue<'_>> {
        let (at, inside) = self.locate(index)?;
        self.nodes[at].get(inside)
    }

    /// The nodes as DUMP has them.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (bool, &[u8])> {
        self.nodes.iter().map(Node::stored)
    }

    /// All elements.
    pub(super) fn iter(&self) -> Iter<'_> {
        let none = Elements::Plain(None);
        Iter { front: none.clone(), nodes: self.nodes.iter(), back: none }
    }

    /// The elements from the one with `index` before it on.
    pub(super) fn iter_from(&self, index: usize) -> Iter<'_> {
        let (at, inside) = self.locate(index).unwrap_or((self.nodes.len(), 0));
        let none = Elements::Plain(None);
        let front = self.nodes.get(at).map_or(none.clone(), |node| node.iter_from(inside));
        let behind = (at + 1).min(self.nodes.len());
        Iter { front, nodes: self.nodes.range(behind..), back: none }
    }

    /// Appends its bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.nodes.len() as u64);
        for node in &self.nodes {
            node.encode(out);
        }
    }

    /// Reads what was encoded.
    pub(super) fn decode(reader: &mut WireReader<'_>) -> Result<Quicklist, Fault> {
        let mut list = Quicklist::new(Listpack::new());
        for at in 0..reader.varint()? {
            list.insert_node(at as usize, Node::decode(reader)?);
        }
        if list.nodes.is_empty() { Err("a list without nodes") } else { Ok(list) }
    }

    /// Which node the element is in, and how many are before it there.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        let last = self.len.checked_sub(1)?;
        let from_end = last.checked_sub(index)?;
        let mut nodes = self.nodes.iter().enumerate();
        if index < from_end {
            let mut before = index;
            nodes.find_map(|(at, node)| {
                let here = before < node.len();
                let found = here.then_some((at, before));
                before = before.saturating_sub(node.len());
                found
            })
        } else {
            let mut behind = from_end;
            nodes.rev().find_map(|(at, node)| {
                let here = behind < node.len();
                let found = here.then(|| (at, node.len() - 1 - behind));
                behind = behind.saturating_sub(node.len());
                found
            })
        }
    }
}

/// Changing.
impl Quicklist {
    /// Adds an element at an end.
    pub(super) fn push(&mut self, end: End, value: &[u8], limit: NodeLimit) {
        let count = self.nodes.len();
        let at = match end {
            End::Left => 0,
            End::Right => count.saturating_sub(1),
        };
        if self.nodes.get(at).is_some_and(|node| node.admits(value, limit)) {
            return self.change(at, |node| node.push(end, value));
        }
        let at = if end == End::Left { 0 } else { count };
        self.insert_node(at, Node::of(value, limit));
    }

    /// Takes the element at an end out.
    pub(super) fn pop(&mut self, end: End) -> Option<Taken> {
        let last = self.nodes.len().checked_sub(1)?;
        let at = if end == End::Left { 0 } else { last };
        let taken = self.change(at, |node| node.pop(end));
        if self.nodes[at].is_empty() {
            self.remove_node(at);
        }
        taken
    }

    /// Takes so many elements at an end out, or all there are.
    pub(super) fn remove_at_end(&mut self, end: End, mut count: usize) {
        while count > 0
            && let Some(last) = self.nodes.len().checked_sub(1)
        {
            let at = if end == End::Left { 0 } else { last };
            let len = self.nodes[at].len();
            if len <= count {
                self.remove_node(at);
                count -= len;
                continue;
            }
            let first = if end == End::Left { 0 } else { len - count };
            return self.change(at, |node| node.remove_range(first, count));
        }
    }

    /// Puts an element in the place of another; whether there was one.
    pub(super) fn set(&mut self, index: usize, value: &[u8], limit: NodeLimit) -> bool {
        let Some((at, inside)) = self.locate(index) else { return false };
        if !self.change(at, |node| node.replace(inside, value, limit)) {
            self.splice((at, inside), 1, value, limit);
        }
        true
    }

    /// Adds an element with `index` others before it; as the last if there are no more.
    pub(super) fn insert(&mut self, index: usize, value: &[u8], limit: NodeLimit) {
        let Some((at, inside)) = self.locate(index).filter(|_| index > 0) else {
            let end = if index == 0 { End::Left } else { End::Right };
            return self.push(end, value, limit);
        };
        let admits = |at: usize| self.nodes[at].admits(value, limit);
        if admits(at) {
            self.change(at, |node| node.insert(inside, value));
        } else if inside == 0 && admits(at - 1) {
            self.change(at - 1, |node| node.push(End::Right, value));
        } else {
            self.splice((at, inside), 0, value, limit);
        }
    }

    /// Takes out elements that are equal to one, at most so many, beginning at an end; how many.
    pub(super) fn remove_equal(
        &mut self,
        wanted: Wanted<'_>,
        count_max: usize,
        from: End,
        limit: NodeLimit,
    ) -> usize {
        let count = self.nodes.len();
        let (mut removed, mut touched) = (0, None);
        for step in 0..count {
            if removed == count_max {
                break;
            }
            let at = if from == End::Left { step } else { count - 1 - step };
            let here = self.change(at, |node| node.remove_equal(wanted, count_max - removed, from));
            if here > 0 {
                removed += here;
                let (first, last) = touched.unwrap_or((at, at));
                touched = Some((at.min(first), at.max(last)));
            }
        }
        match touched {
            None => {}
            Some((first, last)) if first == last => {
                if self.nodes[first].is_empty() {
                    self.remove_node(first);
                }
                self.join(first.saturating_sub(1)..first + 2, limit);
            }
            Some((first, _)) => self.compact(first.saturating_sub(1), limit),
        }
        removed
    }

    /// Gives its listpack up if it has but one and that is within the limit.
    pub(super) fn take_pack(&mut self, limit: NodeLimit) -> Option<Listpack> {
        match self.nodes.len() {
            1 => self.change(0, |node| node.take_pack(limit)),
            _ => None,
        }
    }

    /// Puts an element before the one at a place, and takes so many there out, where there is no
    /// room in the node: so it becomes several.
    fn splice(
        &mut self,
        (at, inside): (usize, usize),
        removed: usize,
        value: &[u8],
        limit: NodeLimit,
    ) {
        let mut behind = self.change(at, |node| node.split_off(inside));
        behind.remove_range(0, removed);
        let mut end = at + 1;
        if self.nodes[at].admits(value, limit) {
            self.change(at, |node| node.push(End::Right, value));
        } else {
            self.insert_node(end, Node::of(value, limit));
            end += 1;
        }
        if !behind.is_empty() {
            self.insert_node(end, behind);
            end += 1;
        }
        if self.nodes[at].is_empty() {
            self.remove_node(at);
            end -= 1;
        }
        self.join(at.saturating_sub(1)..end + 1, limit);
    }

    /// Makes one node of neighbours in a range of nodes wherever the limit allows.
    fn join(&mut self, range: std::ops::Range<usize>, limit: NodeLimit) {
        let (mut at, mut end) = (range.start, range.end.min(self.nodes.len()));
        while at + 1 < end {
            if self.nodes[at].may_join(&self.nodes[at + 1], limit) {
                let next = self.remove_node(at + 1);
                self.change(at, |node| node.append(&next));
                end -= 1;
            } else {
                at += 1;
            }
        }
    }

    /// Drops empty nodes and joins neighbours, from a node to the last: in one pass, however many
    /// there are.
    fn compact(&mut self, first: usize, limit: NodeLimit) {
        for node in self.nodes.split_off(first) {
            if node.is_empty() {
                continue;
            }
            match self.nodes.back_mut() {
                Some(last) if last.may_join(&node, limit) => last.append(&node),
                _ => self.nodes.push_back(node),
            }
        }
        self.node_bytes = self.nodes.iter().map(Node::heap_bytes).sum();
    }

    /// Changes a node, keeping the sums right.
    fn change<R>(&mut self, at: usize, change: impl FnOnce(&mut Node) -> R) -> R {
        let node = &mut self.nodes[at];
        let (len, bytes) = (node.len(), node.heap_bytes());
        let result = change(node);
        self.len = self.len + node.len() - len;
        self.node_bytes = self.node_bytes + node.heap_bytes() - bytes;
        result
    }

    /// Asserts the invariants.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.nodes.iter().all(|node| !node.is_empty()));
        assert_eq!(self.len, self.nodes.iter().map(|node| node.iter().count()).sum::<usize>());
        assert_eq!(self.len, self.nodes.iter().map(Node::len).sum::<usize>());
        assert_eq!(self.node_bytes, self.nodes.iter().map(Node::heap_bytes).sum::<usize>());
    }

    fn insert_node(&mut self, at: usize, node: Node) {
        self.len += node.len();
        self.node_bytes += node.heap_bytes();
        self.nodes.insert(at, node);
    }

    fn remove_node(&mut self, at: usize) -> Node {
        let node = self.nodes.remove(at).expect("the caller found it");
        self.len -= node.len();
        self.node_bytes -= node.heap_bytes();
        if self.nodes.capacity() > PLACES_MIN && self.nodes.len() < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(self.nodes.len() * 2);
        }
        node
    }
}

/// A quicklist's elements, from both ends.
#[derive(Clone)]
pub(crate) struct Iter<'l> {
    front: Elements<'l>,
    nodes: vec_deque::Iter<'l, Node>,
    back: Elements<'l>,
}

impl<'l> Iterator for Iter<'l> {
    type Item = StringValue<'l>;

    fn next(&mut self) -> Option<StringValue<'l>> {
        loop {
            if let Some(value) = self.front.next() {
                return Some(value);
            }
            match self.nodes.next() {
                Some(node) => self.front = node.iter(),
                None => return self.back.next(),
            }
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.back.next_back() {
                return Some(value);
            }
            match self.nodes.next_back() {
                Some(node) => self.back = node.iter(),
                None => return self.front.next_back(),
            }
        }
    }
}
