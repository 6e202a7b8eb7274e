//! The elements of a large set, hash or sorted set: dense, so that each has a place by which one
//! can be drawn at random, and found by name through a hash index.
//!
//! Elements lie in the order of insertion, but that a removal moves the last one into the hole. So
//! the order is a function of the operations alone, the same on every replica, and so is
//! everything that can be seen here; the index's hashes are keyed anew in each process, because
//! nothing ever walks it.
//!
//! Nothing here pauses for long: elements lie in chunks, so that growth never copies more than
//! one, and the index is in stripes once it is large.
//!
//! Invariants: names are distinct; every chunk but the last is full, and none is empty; the index
//! has exactly each name's hash with its place; `own_bytes` is the sum of the elements' bytes.
//!
//! Leaves out: any order by content.

mod element;
mod index;
#[cfg(test)]
mod tests;

pub(crate) use element::{Name, Named, Pair};
use index::Index;

/// Elements in a chunk: with 16 bytes for each it is 8 KiB, which is copied in less than a
/// microsecond.
const CHUNK_LEN: usize = 512;

/// The first chunk's room; it doubles from here.
const CHUNK_LEN_MIN: usize = 4;

/// Elements by place and by name.
#[derive(Clone, Debug)]
pub(crate) struct Members<T> {
    chunks: Vec<Vec<T>>,
    index: Index,
    len: usize,
    /// Bytes that the elements point to.
    own_bytes: usize,
}

impl<T> Default for Members<T> {
    fn default() -> Members<T> {
        Members::new()
    }
}

impl<T> Members<T> {
    /// None.
    pub(crate) fn new() -> Members<T> {
        Members { chunks: Vec::new(), index: Index::new(), len: 0, own_bytes: 0 }
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The element at a place below `len`.
    pub(crate) fn get(&self, place: usize) -> &T {
        &self.chunks[place / CHUNK_LEN][place % CHUNK_LEN]
    }

    /// All elements in the order of their places.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.chunks.iter().flatten()
    }

    /// One step of a walk over all elements: visits `count` of them, at least one, and returns the
    /// cursor to go on with. 0 starts, and 0 means that the walk is over.
    ///
    /// The walk goes down: a cursor is the number of places that are not visited yet. Every element
    /// that is there from the first step to the last is visited, for at any time it either was
    /// visited or lies below the cursor. That holds at the start, where the cursor is `len`. A step
    /// visits whatever lies between the old cursor and the new. An insertion moves no element, and
    /// a removal moves one, to a lower place: if it was below the cursor, it still is. (If it was
    /// not, it may now be visited twice, which SCAN allows.) So at cursor 0 all were visited. The
    /// cursor may well be above `len` by then; nothing lies there.
    pub(crate) fn scan<'m>(
        &'m self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'m T),
    ) -> u64 {
        let stop = match usize::try_from(cursor) {
            Ok(0) | Err(_) => self.len,
            Ok(unvisited) => unvisited.min(self.len),
        };
        let start = stop.saturating_sub(count.max(1));
        for place in (start..stop).rev() {
            visit(self.get(place));
        }
        start as u64
    }

    /// Bytes on the heap: the chunks, the index, and what the elements point to. Replicas may differ
    /// by spare room, which a copy has less of; not by the index, for which this has an estimate.
    pub(crate) fn heap_bytes(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK_LEN;
        let last = self.chunks.last().map_or(0, Vec::capacity);
        (full + last) * size_of::<T>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
            + Index::heap_bytes(self.len)
            + self.own_bytes
    }

    fn get_mut(&mut self, place: usize) -> &mut T {
        &mut self.chunks[place / CHUNK_LEN][place % CHUNK_LEN]
    }

    fn push(&mut self, element: T) {
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_LEN => {
                if chunk.len() == chunk.capacity() {
                    let capacity = (chunk.len() * 2).clamp(CHUNK_LEN_MIN, CHUNK_LEN);
                    chunk.reserve_exact(capacity - chunk.len());
                }
                chunk.push(element);
            }
            last => {
                // Where one chunk was filled, the next one probably will be.
                let capacity = if last.is_some() { CHUNK_LEN } else { CHUNK_LEN_MIN };
                let mut chunk = Vec::with_capacity(capacity);
                chunk.push(element);
                self.chunks.push(chunk);
            }
        }
        self.len += 1;
    }

    fn pop(&mut self) -> Option<T> {
        let chunk = self.chunks.last_mut()?;
        let element = chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
        } else if chunk.len() < chunk.capacity() / 4 {
            chunk.shrink_to((chunk.capacity() / 2).max(CHUNK_LEN_MIN));
        }
        if self.chunks.len() < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(self.chunks.capacity() / 2);
        }
        self.len -= 1;
        element
    }
}

impl<T: Named> Members<T> {
    /// The place of the element with this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.index.find(index::hash(name), |place| self.get(place).name() == name)
    }

    /// Adds an element behind the last, and returns its place. There must be none of its name.
    pub(crate) fn insert(&mut self, element: T) -> usize {
        debug_assert!(self.find(element.name()).is_none(), "callers looked for the name before");
        let place = self.len;
        self.index.insert(index::hash(element.name()), place);
        self.own_bytes += element.heap_bytes();
        self.push(element);
        place
    }

    /// Changes the element at a place below `len`, but not its name.
    pub(crate) fn edit<R>(&mut self, place: usize, change: impl FnOnce(&mut T) -> R) -> R {
        let element = self.get_mut(place);
        let (before, hash) = (element.heap_bytes(), debug_hash(element));
        let result = change(element);
        debug_assert_eq!(debug_hash(element), hash, "a name must not change");
        let after = element.heap_bytes();
        self.own_bytes = self.own_bytes - before + after;
        result
    }

    /// Takes the element at a place below `len` out; the last element moves there.
    pub(crate) fn remove(&mut self, place: usize) -> T {
        let last_place = self.len - 1;
        self.index.remove(index::hash(self.get(place).name()), place);
        let last = self.pop().expect("the place is below len");
        let removed = if place == last_place {
            last
        } else {
            self.index.move_to(index::hash(last.name()), last_place, place);
            std::mem::replace(self.get_mut(place), last)
        };
        self.own_bytes -= removed.heap_bytes();
        removed
    }
}

/// The hash of a name, where assertions are on.
fn debug_hash<T: Named>(element: &T) -> u32 {
    if cfg!(debug_assertions) { index::hash(element.name()) } else { 0 }
}
