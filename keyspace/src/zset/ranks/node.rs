//! The tree's nodes, and how neighbours share what they hold.

use super::leaf::{ENTRIES_MAX, Entry, Leaf};

/// Children of an inner node. Chosen by eye: a search sums half of their counts at each level, and
/// with a million entries there are three levels above the leaves.
const CHILDREN_MAX: usize = 64;

/// A leaf, or children in order, at least two but for the transient.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Box<Leaf>),
    Inner(Vec<Child>),
}

/// A node as its parent knows it. Invariant: `first` and `count` are exact, so that a search
/// touches one node a level, and no member that is gone is ever asked for its name.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) node: Node,
    first_score: f64,
    first_place: u32,
    count: u32,
}

/// The allocated bytes of each kind of node.
pub(super) const LEAF_BYTES: usize = size_of::<Leaf>();
pub(super) const INNER_BYTES: usize = size_of::<Child>() * CHILDREN_MAX;

impl Node {
    /// An empty node of the same level.
    fn empty_like(&self) -> Node {
        match self {
            Node::Leaf(_) => Node::Leaf(Leaf::new()),
            Node::Inner(_) => Node::Inner(Vec::with_capacity(CHILDREN_MAX)),
        }
    }

    /// A node above others.
    pub(super) fn above(nodes: impl IntoIterator<Item = Node>) -> Node {
        let mut children = Vec::with_capacity(CHILDREN_MAX);
        children.extend(nodes.into_iter().map(Child::new));
        debug_assert!(children.len() <= CHILDREN_MAX);
        Node::Inner(children)
    }

    /// Entries or children, those directly in it.
    fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(children) => children.len(),
        }
    }

    fn len_max(&self) -> usize {
        match self {
            Node::Leaf(_) => ENTRIES_MAX,
            Node::Inner(_) => CHILDREN_MAX,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == self.len_max()
    }

    /// Whether it should be mended. Two fifths, and seven eighths for what merges, leave a distance
    /// on both sides, so that alternating insertions and removals do not split and merge in turns.
    pub(super) fn is_sparse(&self) -> bool {
        self.len() < self.len_max() * 2 / 5
    }

    /// Entries below it.
    pub(super) fn count(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(children) => children.iter().map(Child::count).sum(),
        }
    }

    fn balance(left: &mut Node, right: &mut Node, left_len: usize) {
        match (left, right) {
            (Node::Leaf(left), Node::Leaf(right)) => Leaf::balance(left, right, left_len),
            (Node::Inner(left), Node::Inner(right)) => {
                if left_len < left.len() {
                    right.splice(0..0, left.drain(left_len..));
                } else {
                    let moved = left_len - left.len();
                    left.extend(right.drain(..moved));
                }
            }
            _ => unreachable!("neighbours are of one level"),
        }
    }
}

impl Child {
    fn new(node: Node) -> Child {
        let mut child = Child { node, first_score: 0.0, first_place: 0, count: 0 };
        child.refresh();
        child
    }

    /// Its first entry.
    pub(super) fn first(&self) -> Entry {
        Entry { score: self.first_score, place: self.first_place }
    }

    /// Entries below it.
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    pub(super) fn set_first(&mut self, entry: Entry) {
        (self.first_score, self.first_place) = (entry.score, entry.place);
    }

    /// One entry more is, or will be, below it.
    pub(super) fn count_one(&mut self) {
        self.count += 1;
    }

    /// Takes note of what is below it now.
    pub(super) fn refresh(&mut self) {
        self.count = u32::try_from(self.node.count()).expect("no more entries than places");
        let first = match &self.node {
            Node::Leaf(leaf) => (leaf.len() > 0).then(|| leaf.entry(0)),
            Node::Inner(children) => children.first().map(Child::first),
        };
        // Nothing is below it only until its parent mends it.
        if let Some(first) = first {
            self.set_first(first);
        }
    }
}

/// Where in its level a full node lies: at an edge, what follows will likely come there too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Left,
    Right,
    Neither,
}

/// Makes room in the full child at `index`: shares with a neighbour that has some, or splits.
/// Returns whether there is a new child.
pub(super) fn make_room(children: &mut Vec<Child>, index: usize, edge: Edge) -> bool {
    let roomy = |child: &Child| child.node.len() <= child.node.len_max() * 3 / 4;
    if index + 1 < children.len() && roomy(&children[index + 1]) {
        even_out(children, index);
        return false;
    }
    if index > 0 && roomy(&children[index - 1]) {
        even_out(children, index - 1);
        return false;
    }
    let left = &mut children[index];
    let right = split(&mut left.node, edge);
    left.refresh();
    children.insert(index + 1, Child::new(right));
    true
}

/// Splits a full node and returns its right half. At an edge the larger part is the inner one, so
/// that entries that come in order, as those of a clock do, leave full nodes behind.
pub(super) fn split(node: &mut Node, edge: Edge) -> Node {
    let len = node.len();
    let left_len = match edge {
        Edge::Left => len / 8,
        Edge::Right => len - len / 8,
        Edge::Neither => len / 2,
    };
    let mut right = node.empty_like();
    Node::balance(node, &mut right, left_len);
    right
}

/// Restores the child at `index` after removals: merges it with a neighbour or takes from one.
/// Returns the child that was merged away.
pub(super) fn mend(children: &mut Vec<Child>, index: usize) -> Option<Node> {
    if !children[index].node.is_sparse() || children.len() < 2 {
        return None;
    }
    let left = index.saturating_sub(1);
    let len = children[left].node.len() + children[left + 1].node.len();
    if len > children[left].node.len_max() * 7 / 8 {
        even_out(children, left);
        return None;
    }
    let mut right = children.remove(left + 1).node;
    Node::balance(&mut children[left].node, &mut right, len);
    children[left].refresh();
    Some(right)
}

/// Shares equally between the child at `left` and the next.
fn even_out(children: &mut [Child], left: usize) {
    let [left, right] = &mut children[left..left + 2] else {
        unreachable!("the caller saw a neighbour")
    };
    let left_len = (left.node.len() + right.node.len()) / 2;
    Node::balance(&mut left.node, &mut right.node, left_len);
    left.refresh();
    right.refresh();
}
