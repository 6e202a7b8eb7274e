//! The members of a large sorted set in order: a B+tree whose inner nodes count, so that a member's
//! rank, and the member of a rank, are found in O(log n).
//!
//! Entries are ordered by score, and at equal scores (0.0 and -0.0 are equal) by their members'
//! bytes. Those lie elsewhere: an entry has their place, and operations that compare take a
//! function from places to bytes.
//!
//! Invariants: entries are in strict order; every node but those at the edges of its level is
//! at least two fifths full; parents know their children's first entries and counts exactly.
//!
//! Leaves out: finding a member's score, which is the business of whoever owns the bytes. There
//! are no links between leaves: an iterator descends anew once a leaf, which costs nothing beside
//! the leaf.

mod leaf;
mod node;

use std::cmp::Ordering;
use std::ops::Range;

pub(crate) use leaf::Entry;
use leaf::{ENTRIES_MAX, Leaf};
use node::{Child, Edge, INNER_BYTES, LEAF_BYTES, Node};

/// Entries by rank.
#[derive(Clone, Debug)]
pub(crate) struct Ranks {
    root: Node,
    len: usize,
    leaves: usize,
    inners: usize,
}

impl Default for Ranks {
    fn default() -> Ranks {
        Ranks { root: Node::Leaf(Leaf::new()), len: 0, leaves: 1, inners: 0 }
    }
}

impl Ranks {
    /// The tree of `entries`, which are in strict order.
    pub(crate) fn from_sorted(entries: impl ExactSizeIterator<Item = Entry>) -> Ranks {
        // Some room is left, so that the first insertions do not split every leaf.
        const LEAF_LEN: usize = ENTRIES_MAX * 7 / 8;
        const INNER_LEN: usize = 56;
        let len = entries.len();
        let mut leaves = Vec::with_capacity(len.div_ceil(LEAF_LEN).max(1));
        let mut entries = entries;
        for share in shares(len, LEAF_LEN) {
            let mut leaf = Leaf::new();
            for (index, entry) in entries.by_ref().take(share).enumerate() {
                leaf.insert(index, entry);
            }
            leaves.push(Node::Leaf(leaf));
        }
        let mut tree = Ranks { leaves: leaves.len(), len, ..Ranks::default() };
        let mut level = leaves;
        while level.len() > 1 {
            let mut nodes = level.into_iter();
            level = shares(nodes.len(), INNER_LEN)
                .map(|share| Node::above(nodes.by_ref().take(share)))
                .collect();
            tree.inners += level.len();
        }
        tree.root = level.pop().expect("at least one leaf");
        tree
    }

    /// Entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Allocated bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.leaves * LEAF_BYTES + self.inners * INNER_BYTES
    }

    /// How many entries satisfy `before(score, place)`, which no entry after one that does not
    /// may. All bounds are found with it, whatever they compare.
    pub(crate) fn partition_point(&self, before: impl Fn(f64, u32) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.partition_point(before),
                Node::Inner(children) => {
                    let after = children.partition_point(|child| {
                        let first = child.first();
                        before(first.score, first.place)
                    });
                    let index = after.saturating_sub(1);
                    rank += children[..index].iter().map(Child::count).sum::<usize>();
                    node = &children[index].node;
                }
            }
        }
    }

    /// The rank of a member that is in the tree, or that it would get.
    pub(crate) fn rank<'n>(
        &self,
        score: f64,
        name: &[u8],
        name_of: impl Fn(u32) -> &'n [u8],
    ) -> usize {
        self.partition_point(|other, place| is_before(other, place, score, name, &name_of))
    }

    /// The entry of a rank; `None` past the last.
    pub(crate) fn select(&self, rank: usize) -> Option<Entry> {
        (rank < self.len).then(|| {
            let (leaf, index) = self.leaf_at(rank);
            leaf.entry(index)
        })
    }

    /// The entries of these ranks, cut to those there are; from either end, a step is O(1).
    pub(crate) fn range(&self, ranks: Range<usize>) -> Entries<'_> {
        let end = ranks.end.min(self.len);
        Entries { tree: self, front: ranks.start.min(end), back: end, ahead: None, behind: None }
    }

    /// Adds a member that is not in the tree. `name` are its bytes; `name_of` is asked only for
    /// the others'.
    pub(crate) fn insert<'n>(
        &mut self,
        entry: Entry,
        name: &[u8],
        name_of: impl Fn(u32) -> &'n [u8],
    ) {
        debug_assert!(!entry.score.is_nan(), "NaN has no place in an order");
        let before = |other, place| is_before(other, place, entry.score, name, &name_of);
        if self.root.is_full() {
            let right = node::split(&mut self.root, Edge::Neither);
            self.count_node(&right, 1);
            let left = std::mem::replace(&mut self.root, Node::Leaf(Leaf::new()));
            self.root = Node::above([left, right]);
            self.inners += 1;
        }
        // Whatever is full on the way down is split before it is entered, so that there is always
        // room in the parent.
        let (mut leftmost, mut rightmost) = (true, true);
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let index = leaf.partition_point(before);
                    leaf.insert(index, entry);
                    break;
                }
                Node::Inner(children) => {
                    let mut index = child_for(children, before);
                    if children[index].node.is_full() {
                        let edge = if rightmost && index + 1 == children.len() {
                            Edge::Right
                        } else if leftmost && index == 0 {
                            Edge::Left
                        } else {
                            Edge::Neither
                        };
                        if node::make_room(children, index, edge) {
                            match children[index].node {
                                Node::Leaf(_) => self.leaves += 1,
                                Node::Inner(_) => self.inners += 1,
                            }
                        }
                        index = child_for(children, before);
                    }
                    leftmost &= index == 0;
                    rightmost &= index + 1 == children.len();
                    let child = &mut children[index];
                    child.count_one();
                    let first = child.first();
                    if !before(first.score, first.place) {
                        child.set_first(entry);
                    }
                    node = &mut child.node;
                }
            }
        }
        self.len += 1;
    }

    /// Says that the member of a rank lies elsewhere now.
    pub(crate) fn set_place(&mut self, rank: usize, place: u32) {
        assert!(rank < self.len, "no entry has this rank");
        let (mut node, mut rank) = (&mut self.root, rank);
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.set_place(rank, place),
                Node::Inner(children) => {
                    let child = child_at(children, &mut rank);
                    let child = &mut children[child];
                    if rank == 0 {
                        child.set_first(Entry { place, ..child.first() });
                    }
                    node = &mut child.node;
                }
            }
        }
    }

    /// Takes out the entry of a rank.
    pub(crate) fn remove(&mut self, rank: usize) -> Entry {
        let mut removed = None;
        self.remove_range(rank..rank + 1, |entry| removed = Some(entry));
        removed.expect("an entry has this rank")
    }

    /// Takes out the entries of these ranks, cut to those there are, in order.
    pub(crate) fn remove_range(&mut self, ranks: Range<usize>, mut removed: impl FnMut(Entry)) {
        let mut rest = ranks.end.min(self.len).saturating_sub(ranks.start);
        while rest > 0 {
            let mut merged = Vec::new();
            let count = remove_from(&mut self.root, ranks.start, rest, &mut removed, &mut merged);
            self.len -= count;
            rest -= count;
            for node in &merged {
                self.count_node(node, -1);
            }
            self.lower();
        }
    }

    /// Removes roots that have one child left.
    fn lower(&mut self) {
        while let Node::Inner(children) = &mut self.root
            && children.len() == 1
        {
            self.root = children.pop().expect("it has one").node;
            self.inners -= 1;
        }
    }

    fn count_node(&mut self, node: &Node, difference: isize) {
        let count = match node {
            Node::Leaf(_) => &mut self.leaves,
            Node::Inner(_) => &mut self.inners,
        };
        *count = count.checked_add_signed(difference).expect("as many as were made");
    }

    /// The leaf of a rank that there is, and the entry's index in it.
    fn leaf_at(&self, rank: usize) -> (&Leaf, usize) {
        let (mut node, mut rank) = (&self.root, rank);
        loop {
            match node {
                Node::Leaf(leaf) => return (leaf, rank),
                Node::Inner(children) => {
                    let index = child_at(children, &mut rank);
                    node = &children[index].node;
                }
            }
        }
    }
}

/// Removes up to `rest` entries from the leaf of a rank, and returns how many.
fn remove_from(
    node: &mut Node,
    mut rank: usize,
    rest: usize,
    removed: &mut impl FnMut(Entry),
    merged: &mut Vec<Node>,
) -> usize {
    match node {
        Node::Leaf(leaf) => {
            let indexes = rank..leaf.len().min(rank + rest);
            indexes.clone().for_each(|index| removed(leaf.entry(index)));
            leaf.remove(indexes.clone());
            indexes.len()
        }
        Node::Inner(children) => {
            let index = child_at(children, &mut rank);
            let child = &mut children[index];
            let count = remove_from(&mut child.node, rank, rest, removed, merged);
            child.refresh();
            merged.extend(node::mend(children, index));
            count
        }
    }
}

/// The child in which an entry belongs that comes after all that are `before` it.
fn child_for(children: &[Child], before: impl Fn(f64, u32) -> bool) -> usize {
    let after = children.partition_point(|child| {
        let first = child.first();
        before(first.score, first.place)
    });
    after.saturating_sub(1)
}

/// The child in which a rank lies, and the rank within it.
fn child_at(children: &[Child], rank: &mut usize) -> usize {
    for (index, child) in children.iter().enumerate() {
        match rank.checked_sub(child.count()) {
            Some(rest) => *rank = rest,
            None => return index,
        }
    }
    unreachable!("the caller checked the rank against the count")
}

fn is_before<'n>(
    score: f64,
    place: u32,
    other_score: f64,
    other_name: &[u8],
    name_of: impl Fn(u32) -> &'n [u8],
) -> bool {
    match score.partial_cmp(&other_score) {
        Some(Ordering::Equal) => name_of(place) < other_name,
        ordering => ordering == Some(Ordering::Less),
    }
}

/// `count` divided into as few shares of at most `share_max` as can be, as equal as can be; one
/// empty share if there is nothing to divide.
fn shares(count: usize, share_max: usize) -> impl Iterator<Item = usize> {
    let shares = count.div_ceil(share_max).max(1);
    (0..shares).map(move |index| count * (index + 1) / shares - count * index / shares)
}

/// Entries in order, or with [`Iterator::rev`] in the opposite one.
#[derive(Clone)]
pub(crate) struct Entries<'t> {
    tree: &'t Ranks,
    front: usize,
    back: usize,
    /// The leaf of the next entry from the front, and the index in it, if already known.
    ahead: Option<(&'t Leaf, usize)>,
    /// The leaf of the next entry from the back, and the index behind it, if already known.
    behind: Option<(&'t Leaf, usize)>,
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.front == self.back {
            return None;
        }
        let (leaf, index) = self.ahead.unwrap_or_else(|| self.tree.leaf_at(self.front));
        self.front += 1;
        self.ahead = (index + 1 < leaf.len()).then_some((leaf, index + 1));
        Some(leaf.entry(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self.back - self.front;
        (len, Some(len))
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Entry> {
        if self.front == self.back {
            return None;
        }
        self.back -= 1;
        let (leaf, index) = match self.behind {
            Some((leaf, end)) => (leaf, end - 1),
            None => self.tree.leaf_at(self.back),
        };
        self.behind = (index > 0).then_some((leaf, index));
        Some(leaf.entry(index))
    }
}

impl ExactSizeIterator for Entries<'_> {}

#[cfg(test)]
mod tests;
