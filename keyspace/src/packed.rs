//! One key with its value in one allocation, and a pointer of one word to it: two thirds of what a
//! key takes in a table of ordinary structs (Redis 7.0: 136 bytes for 16 + 32; here some 85).
//!
//! Layout: [`Header`]; the expiry (8 bytes) if `EXPIRES`; the integer (8 bytes) or the [`Object`]
//! (`OBJECT_BYTES`) if the value is one; the key; room for the value if it is embedded. An object
//! lies here and not behind a pointer, since a small collection is one allocation then besides its
//! key's, as in Redis.
//!
//! Unsafe, because Rust has no thin pointer to a header with a tail. The rules:
//! - `Packed` owns its allocation alone; `&self` reads and `&mut self` writes it, except for
//!   `access`, which is atomic.
//! - `form`, `key_len` and `room` never change while the allocation lives, so that every offset
//!   and the layout to free it with stay what they were. `value_len <= room` always.
//! - Every byte of the allocation is initialised from the start.
//! - The place of an object holds a valid `Object` from `new` until the `Packed` is dropped.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::object::Object;

/// The longest value that lies within its key's allocation. Chosen by eye: a copy of 512 bytes
/// costs about what a second allocation and its cache miss do, and a change of size copies.
pub(crate) const EMBEDDED_BYTES_MAX: usize = 512;

/// Allocations are multiples of this many bytes, as mimalloc's small size classes are; what is
/// left over is room for the value to grow.
const GRAIN_BYTES: usize = 16;

/// The value is an integer in the word.
const INTEGER: u8 = 1;
/// The value is an object in its place.
const OBJECT: u8 = 2;
/// There is an expiry.
const EXPIRES: u8 = 4;

#[repr(C)]
struct Header {
    access: AtomicU32,
    key_len: u32,
    /// Bytes of the embedded value in use; 0 for others.
    value_len: u16,
    /// Bytes for an embedded value.
    room: u16,
    form: u8,
    /// Changed in place: OBJECT ENCODING says `raw` whatever the length.
    raw: bool,
}

const HEADER_BYTES: usize = size_of::<Header>();
const WORD_BYTES: usize = size_of::<u64>();
const OBJECT_BYTES: usize = size_of::<Object>();

// Every place is aligned to words.
const _: () =
    assert!(align_of::<Object>() == WORD_BYTES && OBJECT_BYTES.is_multiple_of(WORD_BYTES));

/// A key and its value.
pub(crate) struct Packed {
    header: NonNull<Header>,
}

// SAFETY: it owns its allocation and what that points to (`Object` is Send); nothing is tied to a
// thread.
unsafe impl Send for Packed {}
// SAFETY: `&Packed` gives only reads, and `access` is atomic; `Object` is Sync.
unsafe impl Sync for Packed {}

/// A value to be packed.
pub(crate) enum Fresh<'v> {
    /// An integer.
    Int(i64),
    /// Bytes to embed, at most [`EMBEDDED_BYTES_MAX`].
    Bytes(&'v [u8]),
    /// A value of its own.
    Object(Object),
}

/// A packed value.
#[derive(Clone, Copy)]
pub(crate) enum Value<'v> {
    /// An integer.
    Int(i64),
    /// Embedded bytes.
    Bytes(&'v [u8]),
    /// A value of its own.
    Object(&'v Object),
}

impl Packed {
    /// Packs `key` with `value`. Keys are shorter than 4 GiB: the parser's limits are below.
    pub(crate) fn new(
        key: &[u8],
        value: Fresh<'_>,
        expires_at_ms: Option<u64>,
        access: u32,
    ) -> Packed {
        let (mut form, embedded): (u8, &[u8]) = match &value {
            Fresh::Int(_) => (INTEGER, &[]),
            Fresh::Bytes(bytes) => (0, bytes),
            Fresh::Object(_) => (OBJECT, &[]),
        };
        assert!(embedded.len() <= EMBEDDED_BYTES_MAX, "a longer value is an object");
        if expires_at_ms.is_some() {
            form |= EXPIRES;
        }
        let key_len = u32::try_from(key.len()).expect("the parser's limit on a bulk is below");
        let used = value_offset(form, key_len) + embedded.len();
        let bytes = used.next_multiple_of(GRAIN_BYTES);
        let room = if form & (INTEGER | OBJECT) == 0 { embedded.len() + (bytes - used) } else { 0 };
        let room = u16::try_from(room).expect("at most EMBEDDED_BYTES_MAX + GRAIN_BYTES");
        let value_len = embedded.len() as u16;
        let access = AtomicU32::new(access);
        let layout = layout(form, key_len, room);
        // SAFETY: the layout's size is at least that of the header, so not 0.
        let pointer = unsafe { alloc_zeroed(layout) };
        let Some(header) = NonNull::new(pointer.cast::<Header>()) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the allocation is aligned for and larger than a header, and ours alone.
        unsafe { header.write(Header { access, key_len, value_len, room, form, raw: false }) };
        let mut packed = Packed { header };
        packed.bytes_at_mut(key_offset(form), key.len()).copy_from_slice(key);
        packed.bytes_at_mut(value_offset(form, key_len), embedded.len()).copy_from_slice(embedded);
        if let Some(time) = expires_at_ms {
            packed.set_word(HEADER_BYTES, time);
        }
        match value {
            Fresh::Int(number) => packed.set_word(word_offset(form), number as u64),
            Fresh::Bytes(_) => {}
            Fresh::Object(object) => {
                // SAFETY: the place is within the allocation, aligned, ours, and holds no object yet.
                unsafe { packed.object_pointer().write(object) };
            }
        }
        packed
    }

    /// The key.
    pub(crate) fn key(&self) -> &[u8] {
        let header = self.header();
        self.bytes_at(key_offset(header.form), header.key_len as usize)
    }

    /// The value.
    pub(crate) fn value(&self) -> Value<'_> {
        let header = self.header();
        match header.form & (INTEGER | OBJECT) {
            0 => {
                let offset = value_offset(header.form, header.key_len);
                Value::Bytes(self.bytes_at(offset, usize::from(header.value_len)))
            }
            INTEGER => Value::Int(self.word(word_offset(header.form)) as i64),
            // SAFETY: the form says that an object is there, and we are borrowed.
            _ => Value::Object(unsafe { &*self.object_pointer() }),
        }
    }

    /// The object, if the value is one.
    pub(crate) fn object_mut(&mut self) -> Option<&mut Object> {
        // SAFETY: the form says that an object is there, and we are borrowed mutably.
        (self.header().form & OBJECT != 0).then(|| unsafe { &mut *self.object_pointer() })
    }

    /// The embedded value stretched, with zero bytes, or cut to `len` bytes; `None` if the value
    /// is not embedded or has no room for that.
    pub(crate) fn embedded_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        let Header { form, key_len, value_len, room, .. } = *self.header();
        if form & (INTEGER | OBJECT) != 0 || len > usize::from(room) {
            return None;
        }
        let before = usize::from(value_len);
        self.header_mut().value_len = len as u16;
        let value = self.bytes_at_mut(value_offset(form, key_len), len);
        if let Some(tail) = value.get_mut(before..) {
            tail.fill(0);
        }
        Some(value)
    }

    /// Replaces an integer by another; whether the value is one.
    pub(crate) fn set_integer(&mut self, number: i64) -> bool {
        let form = self.header().form;
        if form & INTEGER == 0 {
            return false;
        }
        self.set_word(word_offset(form), number as u64);
        true
    }

    /// When its time is over.
    pub(crate) fn expires_at_ms(&self) -> Option<u64> {
        (self.header().form & EXPIRES != 0).then(|| self.word(HEADER_BYTES))
    }

    /// Sets or clears the expiry in place; `false` if the layout would have to change.
    pub(crate) fn set_expiry(&mut self, expires_at_ms: Option<u64>) -> bool {
        let expires = self.header().form & EXPIRES != 0;
        match expires_at_ms {
            Some(time) if expires => self.set_word(HEADER_BYTES, time),
            Some(_) => return false,
            None => return !expires,
        }
        true
    }

    /// Whether the value was changed in place.
    pub(crate) fn is_raw(&self) -> bool {
        self.header().raw
    }

    /// Says whether the value was changed in place.
    pub(crate) fn set_raw(&mut self, raw: bool) {
        self.header_mut().raw = raw;
    }

    /// When and how often it was looked at; see `access_data`.
    pub(crate) fn access(&self) -> &AtomicU32 {
        &self.header().access
    }

    /// The room for an embedded value; 0 for others.
    pub(crate) fn room(&self) -> usize {
        usize::from(self.header().room)
    }

    /// The same value with another key or expiry.
    pub(crate) fn repacked(mut self, key: &[u8], expires_at_ms: Option<u64>) -> Packed {
        let object = self.object_mut().map(std::mem::take);
        let value = match (object, self.value()) {
            (Some(object), _) => Fresh::Object(object),
            (None, value) => value.to_fresh(),
        };
        let mut packed =
            Packed::new(key, value, expires_at_ms, self.access().load(Ordering::Relaxed));
        packed.set_raw(self.is_raw());
        packed
    }

    /// A copy with another key.
    pub(crate) fn copied(&self, key: &[u8]) -> Packed {
        let access = self.access().load(Ordering::Relaxed);
        let mut packed = Packed::new(key, self.value().to_fresh(), self.expires_at_ms(), access);
        packed.set_raw(self.is_raw());
        packed
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let header = self.header();
        let object = match self.value() {
            Value::Object(object) => object.heap_bytes(),
            Value::Int(_) | Value::Bytes(_) => 0,
        };
        layout(header.form, header.key_len, header.room).size() + object
    }

    fn header(&self) -> &Header {
        // SAFETY: initialised by `new`; writes need `&mut self`.
        unsafe { self.header.as_ref() }
    }

    fn header_mut(&mut self) -> &mut Header {
        // SAFETY: as above, and we are borrowed mutably.
        unsafe { self.header.as_mut() }
    }

    fn bytes_at(&self, offset: usize, len: usize) -> &[u8] {
        self.assert_within(offset, len);
        // SAFETY: within the allocation, initialised, and not written while we are borrowed.
        unsafe { std::slice::from_raw_parts(self.header.cast::<u8>().add(offset).as_ptr(), len) }
    }

    fn bytes_at_mut(&mut self, offset: usize, len: usize) -> &mut [u8] {
        self.assert_within(offset, len);
        let start = self.header.cast::<u8>();
        // SAFETY: within the allocation, initialised, past the header, and ours alone.
        unsafe { std::slice::from_raw_parts_mut(start.add(offset).as_ptr(), len) }
    }

    fn word(&self, offset: usize) -> u64 {
        // SAFETY: as in `bytes_at`; offsets of words are multiples of 8, as is the allocation's
        // address.
        unsafe { self.word_pointer(offset).read() }
    }

    fn set_word(&mut self, offset: usize, word: u64) {
        // SAFETY: as in `bytes_at_mut`, and aligned as in `word`.
        unsafe { self.word_pointer(offset).write(word) };
    }

    fn object_pointer(&self) -> *mut Object {
        let offset = word_offset(self.header().form);
        self.assert_within(offset, OBJECT_BYTES);
        // SAFETY: within the allocation.
        unsafe { self.header.cast::<u8>().add(offset).cast::<Object>().as_ptr() }
    }

    fn word_pointer(&self, offset: usize) -> *mut u64 {
        self.assert_within(offset, WORD_BYTES);
        // SAFETY: within the allocation.
        unsafe { self.header.cast::<u8>().add(offset).cast::<u64>().as_ptr() }
    }

    fn assert_within(&self, offset: usize, len: usize) {
        debug_assert!(offset >= HEADER_BYTES);
        debug_assert!({
            let Header { form, key_len, room, .. } = *self.header();
            offset + len <= layout(form, key_len, room).size()
        });
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        let Header { form, key_len, room, .. } = *self.header();
        if form & OBJECT != 0 {
            // SAFETY: the form says that an object is there; nobody uses it after this.
            unsafe { self.object_pointer().drop_in_place() };
        }
        // SAFETY: allocated by `new` with the same layout, since form, key_len and room never
        // change.
        unsafe { dealloc(self.header.cast::<u8>().as_ptr(), layout(form, key_len, room)) };
    }
}

impl<'v> Value<'v> {
    /// What to pack for a copy of it.
    fn to_fresh(self) -> Fresh<'v> {
        match self {
            Value::Int(number) => Fresh::Int(number),
            // Room from rounding up may have let it grow a little past the limit.
            Value::Bytes(bytes) if bytes.len() > EMBEDDED_BYTES_MAX => {
                Fresh::Object(Object::String(bytes.to_vec()))
            }
            Value::Bytes(bytes) => Fresh::Bytes(bytes),
            Value::Object(object) => Fresh::Object(object.clone()),
        }
    }
}

const fn word_offset(form: u8) -> usize {
    HEADER_BYTES + if form & EXPIRES != 0 { WORD_BYTES } else { 0 }
}

const fn key_offset(form: u8) -> usize {
    word_offset(form)
        + match form & (INTEGER | OBJECT) {
            0 => 0,
            INTEGER => WORD_BYTES,
            _ => OBJECT_BYTES,
        }
}

const fn value_offset(form: u8, key_len: u32) -> usize {
    key_offset(form) + key_len as usize
}

fn layout(form: u8, key_len: u32, room: u16) -> Layout {
    let bytes = value_offset(form, key_len) + usize::from(room);
    Layout::from_size_align(bytes.next_multiple_of(GRAIN_BYTES), align_of::<u64>())
        .expect("a key and EMBEDDED_BYTES_MAX are far below isize::MAX")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fresh(kind: u8, bytes: &[u8]) -> Fresh<'_> {
        match kind {
            0 => Fresh::Int(bytes.len() as i64 - 100),
            1 => Fresh::Object(Object::String(bytes.to_vec())),
            _ => Fresh::Bytes(bytes),
        }
    }

    fn text(packed: &Packed) -> Vec<u8> {
        match packed.value() {
            Value::Int(number) => number.to_string().into_bytes(),
            Value::Bytes(bytes) => bytes.to_vec(),
            Value::Object(Object::String(bytes)) => bytes.clone(),
            Value::Object(_) => unreachable!("only strings are packed here"),
        }
    }

    proptest! {
        #[test]
        fn what_is_packed_is_found(
            key: Vec<u8>,
            other: Vec<u8>,
            kind in 0..3_u8,
            value in prop::collection::vec(any::<u8>(), 0..EMBEDDED_BYTES_MAX),
            expiry: Option<u64>,
            expiry_then: Option<u64>,
            access: u32,
        ) {
            let packed = Packed::new(&key, fresh(kind, &value), expiry, access);
            let expected = text(&packed);
            prop_assert_eq!(packed.key(), &key);
            prop_assert_eq!(packed.expires_at_ms(), expiry);
            let copy = packed.copied(&other);
            let mut packed = packed.repacked(&other, expiry_then);
            prop_assert_eq!(packed.key(), &other);
            prop_assert_eq!(text(&packed), &expected[..]);
            prop_assert_eq!(packed.expires_at_ms(), expiry_then);
            prop_assert_eq!(packed.access().load(Ordering::Relaxed), access);
            prop_assert_eq!(packed.set_expiry(expiry), expiry.is_some() == expiry_then.is_some());
            prop_assert_eq!(copy.key(), &other);
            prop_assert_eq!(text(&copy), expected);
            prop_assert_eq!(copy.expires_at_ms(), expiry);
        }

        #[test]
        fn an_embedded_value_stretches_within_its_room(
            key: Vec<u8>,
            value in prop::collection::vec(1..=255_u8, 0..100),
            lens in prop::collection::vec(0..120_usize, 0..10),
        ) {
            let mut packed = Packed::new(&key, Fresh::Bytes(&value), None, 0);
            let mut model = value;
            for len in lens {
                if packed.embedded_mut(len).is_some() {
                    model.resize(len, 0);
                } else {
                    prop_assert!(len > packed.room());
                }
                prop_assert_eq!(&text(&packed), &model);
                prop_assert_eq!(packed.key(), &key);
            }
        }
    }

    #[test]
    fn a_key_of_16_with_a_value_of_32_bytes_takes_64() {
        let packed = Packed::new(&[1; 16], Fresh::Bytes(&[2; 32]), None, 0);
        assert_eq!(packed.heap_bytes(), 64);
    }
}
