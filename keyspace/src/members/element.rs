//! What [`super::Members`] holds: anything with a name; and the two packed kinds of it.

use crate::wire::put_string;

/// An element that is found by its name.
pub(crate) trait Named {
    /// Its name, which never changes.
    fn name(&self) -> &[u8];

    /// Bytes on the heap that it points to.
    fn heap_bytes(&self) -> usize;
}

/// A member of a set: nothing but a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(Box<[u8]>);

impl Name {
    /// A copy of `bytes`.
    pub(crate) fn new(bytes: &[u8]) -> Name {
        Name(bytes.into())
    }
}

impl Named for Name {
    fn name(&self) -> &[u8] {
        &self.0
    }

    fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}

/// A hash's field with its value in one allocation: the field's length as a varint, the field, the
/// value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair(Box<[u8]>);

impl Pair {
    /// Copies of both.
    pub(crate) fn new(field: &[u8], value: &[u8]) -> Pair {
        let head_bytes = (field.len() | 1).ilog2() as usize / 7 + 1;
        let mut bytes = Vec::with_capacity(head_bytes + field.len() + value.len());
        put_string(&mut bytes, field);
        bytes.extend_from_slice(value);
        // The capacity is exact, so that this is no second allocation.
        Pair(bytes.into_boxed_slice())
    }

    /// The field.
    pub(crate) fn field(&self) -> &[u8] {
        let (start, stop) = self.field_range();
        &self.0[start..stop]
    }

    /// The value.
    pub(crate) fn value(&self) -> &[u8] {
        &self.0[self.field_range().1..]
    }

    /// Copies another value over the one there is, in place if it is as long.
    pub(crate) fn set_value(&mut self, value: &[u8]) {
        let (_, stop) = self.field_range();
        if self.0.len() - stop == value.len() {
            self.0[stop..].copy_from_slice(value);
        } else {
            self.0 = [&self.0[..stop], value].concat().into();
        }
    }

    /// Where the field starts and stops.
    fn field_range(&self) -> (usize, usize) {
        let mut len = usize::from(self.0[0] & 0x7F);
        let mut start = 1;
        while self.0[start - 1] & 0x80 != 0 {
            len |= usize::from(self.0[start] & 0x7F) << (7 * start);
            start += 1;
        }
        (start, start + len)
    }
}

impl Named for Pair {
    fn name(&self) -> &[u8] {
        self.field()
    }

    fn heap_bytes(&self) -> usize {
        self.0.len()
    }
}
