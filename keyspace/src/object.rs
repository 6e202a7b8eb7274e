//! Values too large or too lively to lie within their key's allocation.

/// A value behind a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    /// A long string, or one that grew in place.
    String(Vec<u8>),
}

impl Object {
    /// Bytes on the heap, the object itself included.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Object>()
            + match self {
                Object::String(bytes) => bytes.capacity(),
            }
    }
}

impl Default for Object {
    /// What is left when a value is moved out.
    fn default() -> Object {
        Object::String(Vec::new())
    }
}
