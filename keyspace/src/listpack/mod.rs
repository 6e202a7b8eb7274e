//! A listpack: a list of strings and integers in one run of bytes, in Redis' format to the byte.
//!
//! A header (all the bytes as a `u32`, the number of elements as a `u16`), the elements as
//! [`encoding`] describes them, a terminator. Small lists, hashes, sets and sorted sets are kept
//! so, and DUMP copies it. Everything but the ends is reached by walking: callers keep it small.
//!
//! Invariants: every element is whole and followed by its length; the header tells the truth, but
//! that 65,535 elements may be any number; there is one terminator, the last byte. [`Position`]s
//! are offsets of elements, good until something before them or they themselves are changed; one
//! that is not an element's is a bug, which may panic or read nonsense, never more.
//!
//! Leaves out: what the elements mean, and when a collection is too large for this.

mod encoding;
#[cfg(test)]
mod tests;

use crate::value::StringValue;
use crate::wire::{Fault, put_string};
pub(crate) use encoding::Element;
use encoding::{Encoded, TERMINATOR, decode, element_bytes, is_closed, last_element_bytes};

/// Total bytes and the number of elements.
const HEADER_BYTES: usize = 6;

/// No element: header and terminator.
const BYTES_MIN: usize = HEADER_BYTES + 1;

/// The header's number of elements when they are too many for it, or were.
const COUNT_UNKNOWN: u16 = u16::MAX;

/// Redis lets no listpack grow beyond 1 GiB: far from where the header's `u32` ends.
const BYTES_MAX: usize = 1 << 30;

/// Allocations are multiples of this many bytes, as small size classes are.
const GRAIN_BYTES: usize = 16;

/// From here on room to grow is a share of what is needed, so that growing stays linear.
const SHARED_ROOM_BYTES_MIN: usize = 256;

/// Strings and integers in a run of bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Listpack(Vec<u8>);

/// Where an element begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u32);

impl Position {
    fn new(offset: usize) -> Position {
        Position(u32::try_from(offset).expect("the header's length is a u32, and offsets are less"))
    }

    fn offset(self) -> usize {
        self.0 as usize
    }
}

/// Reading.
impl Listpack {
    /// Empty.
    pub(crate) fn new() -> Listpack {
        let mut bytes = Vec::with_capacity(GRAIN_BYTES);
        bytes.extend_from_slice(&[BYTES_MIN as u8, 0, 0, 0, 0, 0, TERMINATOR]);
        Listpack(bytes)
    }

    /// A copy of `bytes`, which are believed in nothing; or what is wrong with them.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Listpack, Fault> {
        let count = check(bytes)?;
        let mut listpack = Listpack(Vec::with_capacity(with_room(bytes.len())));
        listpack.0.extend_from_slice(bytes);
        // A known number is better than an unknown one.
        listpack.set_count(count);
        Ok(listpack)
    }

    /// As DUMP has it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Appends its bytes behind their length, for a unit or a digest: as DUMP has them, but that
    /// the header has the number of elements even if it lost it once, and when it found it again
    /// depends on the room there was.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_string(out, &self.0);
        if self.known_len().is_none() {
            let count = u16::try_from(self.len()).unwrap_or(COUNT_UNKNOWN);
            let header = out.len() - self.bytes();
            out[header + 4..header + HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
        }
    }

    /// Bytes of header, elements and terminator.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Number of elements; walks them all if they are more than 65,534, or were.
    pub(crate) fn len(&self) -> usize {
        self.known_len().unwrap_or_else(|| self.count_from(HEADER_BYTES))
    }

    /// Whether there is no element.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes() == BYTES_MIN
    }

    /// Whether so many more bytes keep within the limit; see [`encoded_bytes`].
    pub(crate) fn fits(&self, additional: usize) -> bool {
        self.bytes().saturating_add(additional) <= BYTES_MAX
    }

    /// The first element.
    pub(crate) fn first(&self) -> Option<Position> {
        self.position(HEADER_BYTES)
    }

    /// The last element.
    pub(crate) fn last(&self) -> Option<Position> {
        self.position_before(self.end())
    }

    /// The element behind the one at `pos`.
    pub(crate) fn next(&self, pos: Position) -> Option<Position> {
        self.position(self.offset_behind(pos.offset()))
    }

    /// The element before the one at `pos`.
    pub(crate) fn prev(&self, pos: Position) -> Option<Position> {
        self.position_before(pos.offset())
    }

    /// The element with so many before it, walking from the nearer end.
    pub(crate) fn seek(&self, index: usize) -> Option<Position> {
        match self.known_len() {
            Some(len) if index >= len => None,
            Some(len) if index > len / 2 => {
                let mut pos = self.last()?;
                for _ in index + 1..len {
                    pos = self.prev(pos)?;
                }
                Some(pos)
            }
            _ => {
                let mut pos = self.first()?;
                for _ in 0..index {
                    pos = self.next(pos)?;
                }
                Some(pos)
            }
        }
    }

    /// The element at `pos`.
    pub(crate) fn at(&self, pos: Position) -> StringValue<'_> {
        decode_in(&self.0, pos.offset()).0
    }

    /// All elements.
    pub(crate) fn iter(&self) -> Iter<'_> {
        self.between(HEADER_BYTES, self.end())
    }

    /// The elements from the one at `pos` to the last.
    pub(crate) fn iter_from(&self, pos: Position) -> Iter<'_> {
        self.between(pos.offset(), self.end())
    }

    /// The elements from the first to the one at `pos`; `.rev()` walks from there to the front.
    pub(crate) fn iter_through(&self, pos: Position) -> Iter<'_> {
        self.between(HEADER_BYTES, self.offset_behind(pos.offset()))
    }

    /// The first element equal to `element` among every `skip + 1`st: of a listpack of fields and
    /// values, `skip` 1 looks at the fields.
    pub(crate) fn find<'e>(
        &self,
        element: impl Into<Element<'e>>,
        skip: usize,
    ) -> Option<Position> {
        let element = element.into();
        let mut offset = HEADER_BYTES;
        while offset < self.end() {
            let (value, bytes) = decode_in(&self.0, offset);
            if element.is(value) {
                return Some(Position::new(offset));
            }
            offset += bytes;
            for _ in 0..skip {
                if offset >= self.end() {
                    return None;
                }
                offset = self.offset_behind(offset);
            }
        }
        None
    }

    /// The terminator's offset.
    fn end(&self) -> usize {
        self.bytes() - 1
    }

    fn position(&self, offset: usize) -> Option<Position> {
        (offset < self.end()).then(|| Position::new(offset))
    }

    fn position_before(&self, offset: usize) -> Option<Position> {
        (offset > HEADER_BYTES).then(|| Position::new(offset_before(&self.0, offset)))
    }

    fn offset_behind(&self, offset: usize) -> usize {
        let bytes = element_bytes(&self.0[offset..]);
        offset + bytes.expect("every element is whole")
    }

    fn between(&self, front: usize, back: usize) -> Iter<'_> {
        Iter { bytes: &self.0, front, back }
    }

    fn known_len(&self) -> Option<usize> {
        let count = u16::from_le_bytes([self.0[4], self.0[5]]);
        (count != COUNT_UNKNOWN).then_some(count.into())
    }

    fn count_from(&self, mut offset: usize) -> usize {
        let mut count = 0;
        while offset < self.end() {
            offset = self.offset_behind(offset);
            count += 1;
        }
        count
    }
}

/// Changing.
impl Listpack {
    /// Adds an element behind the last.
    pub(crate) fn push_back<'e>(&mut self, element: impl Into<Element<'e>>) {
        let encoded = element.into().encode();
        self.reserve(encoded.bytes());
        self.0.pop();
        encoded.put(&mut self.0);
        self.0.push(TERMINATOR);
        self.changed(0, 1);
    }

    /// Adds an element before the first.
    pub(crate) fn push_front<'e>(&mut self, element: impl Into<Element<'e>>) {
        self.insert_at(HEADER_BYTES, &element.into().encode());
    }

    /// Adds an element before the one at `pos`; says where it is, which is `pos`.
    pub(crate) fn insert_before<'e>(
        &mut self,
        pos: Position,
        element: impl Into<Element<'e>>,
    ) -> Position {
        self.insert_at(pos.offset(), &element.into().encode())
    }

    /// Adds an element behind the one at `pos`; says where it is.
    pub(crate) fn insert_after<'e>(
        &mut self,
        pos: Position,
        element: impl Into<Element<'e>>,
    ) -> Position {
        self.insert_at(self.offset_behind(pos.offset()), &element.into().encode())
    }

    /// Puts an element in the place of the one at `pos`; says where it is, which is `pos`.
    pub(crate) fn replace<'e>(
        &mut self,
        pos: Position,
        element: impl Into<Element<'e>>,
    ) -> Position {
        let encoded = element.into().encode();
        let start = pos.offset();
        let old = self.offset_behind(start) - start;
        self.write(start, old, &encoded);
        if encoded.bytes() != old {
            self.changed(0, 0);
        }
        pos
    }

    /// Takes the element at `pos` out; says where the one behind it is now.
    pub(crate) fn remove(&mut self, pos: Position) -> Option<Position> {
        self.remove_run(pos, 1)
    }

    /// Takes the element at `pos` and those behind it out, `count` in all or as many as there are;
    /// says where the next one is now.
    pub(crate) fn remove_run(&mut self, pos: Position, count: usize) -> Option<Position> {
        let start = pos.offset();
        let (mut stop, mut removed) = (start, 0);
        while removed < count && stop < self.end() {
            stop = self.offset_behind(stop);
            removed += 1;
        }
        self.0.copy_within(stop.., start);
        self.0.truncate(self.bytes() - (stop - start));
        self.changed(removed, 0);
        self.shrink();
        self.position(start)
    }

    /// Takes out the elements from the one with `index` before it on, `count` or as many as there
    /// are.
    pub(crate) fn remove_range(&mut self, index: usize, count: usize) {
        if let Some(pos) = self.seek(index) {
            self.remove_run(pos, count);
        }
    }

    /// Adds all the elements of another behind the last.
    pub(crate) fn append(&mut self, other: &Listpack) {
        let elements = &other.0[HEADER_BYTES..other.end()];
        self.reserve(elements.len());
        self.0.pop();
        self.0.extend_from_slice(elements);
        self.0.push(TERMINATOR);
        self.changed(0, other.known_len().unwrap_or(COUNT_UNKNOWN.into()));
    }

    /// Takes the elements from the one with `index` before it on out and into another listpack.
    pub(crate) fn split_off(&mut self, index: usize) -> Listpack {
        let Some(pos) = self.seek(index) else { return Listpack::new() };
        let start = pos.offset();
        let mut bytes = Vec::with_capacity(with_room(BYTES_MIN + self.end() - start));
        bytes.extend_from_slice(&[0; HEADER_BYTES]);
        bytes.extend_from_slice(&self.0[start..]);
        let mut split = Listpack(bytes);
        let count = self.known_len().map(|len| len - index);
        let count = count.unwrap_or_else(|| split.count_from(HEADER_BYTES));
        split.set_count(count);
        split.changed(0, 0);

        self.0.truncate(start);
        self.0.push(TERMINATOR);
        self.set_count(index);
        self.changed(0, 0);
        self.shrink();
        split
    }

    /// Gives back the room to grow, of one that is not expected to.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.0.shrink_to_fit();
    }

    fn insert_at(&mut self, offset: usize, encoded: &Encoded<'_>) -> Position {
        self.write(offset, 0, encoded);
        self.changed(0, 1);
        Position::new(offset)
    }

    /// Writes an element over `old` bytes from `start` on; what is behind them moves.
    fn write(&mut self, start: usize, old: usize, encoded: &Encoded<'_>) {
        let (len, new) = (self.bytes(), encoded.bytes());
        if new > old {
            self.reserve(new - old);
            self.0.resize(len + new - old, 0);
        }
        if new != old {
            self.0.copy_within(start + old..len, start + new);
        }
        encoded.write(&mut self.0[start..start + new]);
        if new < old {
            self.0.truncate(len - (old - new));
            self.shrink();
        }
    }

    /// Brings the header up to date after elements went and came.
    fn changed(&mut self, removed: usize, added: usize) {
        let bytes = u32::try_from(self.bytes()).expect("callers ask whether it fits");
        self.0[..4].copy_from_slice(&bytes.to_le_bytes());
        if removed != added
            && let Some(len) = self.known_len()
        {
            self.set_count(len - removed + added);
        }
    }

    fn set_count(&mut self, count: usize) {
        let count = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        self.0[4..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
    }

    /// Room for so many more bytes. Redis reallocates to the exact size and leaves rounding to the
    /// allocator's size classes; this asks for about as much as those give.
    fn reserve(&mut self, additional: usize) {
        let len = self.bytes();
        if self.0.capacity() - len < additional {
            self.0.reserve_exact(with_room(len + additional) - len);
        }
    }

    /// Gives memory back once more than half is unused.
    fn shrink(&mut self) {
        if self.bytes() >= self.0.capacity() / 2 {
            return;
        }
        self.0.shrink_to(with_room(self.bytes()));
        if self.known_len().is_none() {
            // Rare enough to count again: perhaps the number fits the header by now.
            self.set_count(self.count_from(HEADER_BYTES));
        }
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What `element` adds to a listpack's bytes.
pub(crate) fn encoded_bytes<'e>(element: impl Into<Element<'e>>) -> usize {
    element.into().encode().bytes()
}

/// Elements between two places, from both ends.
#[derive(Clone)]
pub(crate) struct Iter<'l> {
    bytes: &'l [u8],
    front: usize,
    back: usize,
}

impl Iter<'_> {
    /// Where the next element is, if there is one.
    pub(crate) fn next_position(&self) -> Position {
        Position::new(self.front)
    }
}

impl<'l> Iterator for Iter<'l> {
    type Item = StringValue<'l>;

    fn next(&mut self) -> Option<StringValue<'l>> {
        if self.front >= self.back {
            return None;
        }
        let (value, bytes) = decode_in(self.bytes, self.front);
        self.front += bytes;
        Some(value)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = offset_before(self.bytes, self.back);
        Some(decode_in(self.bytes, self.back).0)
    }
}

fn decode_in(bytes: &[u8], offset: usize) -> (StringValue<'_>, usize) {
    decode(&bytes[offset..]).expect("every element is whole")
}

/// Where the element that ends at `offset` begins.
fn offset_before(bytes: &[u8], offset: usize) -> usize {
    let last = last_element_bytes(&bytes[..offset]);
    offset - last.expect("every element is followed by its length")
}

/// What a listpack of so many bytes gets: not more than the next power of two, which is a size
/// class of every allocator and where the limits of lists' and streams' nodes are.
fn with_room(bytes: usize) -> usize {
    let wanted = if bytes < SHARED_ROOM_BYTES_MIN { bytes } else { bytes + bytes / 8 };
    wanted.min(bytes.next_power_of_two()).next_multiple_of(GRAIN_BYTES)
}

/// The number of elements if the bytes are a listpack.
fn check(bytes: &[u8]) -> Result<usize, Fault> {
    let (Some(total), true) = (bytes.first_chunk(), bytes.len() >= BYTES_MIN) else {
        return Err("a listpack without header");
    };
    if u32::from_le_bytes(*total) as usize != bytes.len() {
        return Err("a listpack of another length than it says");
    }
    let (end, mut offset, mut count) = (bytes.len() - 1, HEADER_BYTES, 0);
    if bytes[end] != TERMINATOR {
        return Err("a listpack without end");
    }
    while offset < end {
        let (_, whole) = decode(&bytes[offset..end]).ok_or("a listpack's broken element")?;
        let element = bytes[offset..end].get(..whole).ok_or("a listpack's element cut short")?;
        if !is_closed(element) {
            return Err("a listpack's element of another length than is behind it");
        }
        offset += whole;
        count += 1;
    }
    let told = u16::from_le_bytes([bytes[4], bytes[5]]);
    if told != COUNT_UNKNOWN && usize::from(told) != count {
        return Err("a listpack of another number of elements than it says");
    }
    Ok(count)
}
