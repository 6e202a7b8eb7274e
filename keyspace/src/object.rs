//! Values too large or too lively to lie within their key's allocation as bytes: long strings and
//! collections, and what the keyspace asks of every type of collection.

use crate::hash::Hash;
use crate::list::List;
use crate::set::Set;
use crate::stream::Stream;
use crate::value::Kind;
use crate::wire::{Fault, WireReader};
use crate::zset::Zset;

/// A value of its own.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    /// A long string, or one that grew in place.
    String(Vec<u8>),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A sorted set.
    Zset(Zset),
    /// A stream.
    Stream(Box<Stream>),
}

// Every key with an object pays for the largest.
const _: () = assert!(size_of::<Object>() <= 32);

/// A type of collection.
///
/// Everything about it is a function of the changes it went through, the order of its elements
/// included: replicas draw at random by place, and compare digests.
pub(crate) trait Data: Clone + Default {
    /// Its type.
    const KIND: Kind;

    /// The collection in an object, if it is of this type.
    fn of(object: &Object) -> Option<&Self>;

    /// The same, to change.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;

    /// As an object.
    fn into_object(self) -> Object;

    /// As OBJECT ENCODING names it.
    fn encoding(&self) -> &'static str;

    /// Bytes on the heap, in constant time.
    fn heap_bytes(&self) -> usize;

    /// Whether its key is to be deleted, since nothing is left.
    fn is_empty(&self) -> bool;

    /// Appends its bytes; they say everything about it but its encoding's spare room.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads what was encoded, with the same order of elements and the same encoding.
    fn decode(reader: &mut WireReader<'_>) -> Result<Self, Fault>;
}

/// Runs the same code over whichever collection it is.
macro_rules! each {
    ($object:expr, $bytes:pat => $string:expr, $data:pat => $collection:expr) => {
        match $object {
            Object::String($bytes) => $string,
            Object::List($data) => $collection,
            Object::Set($data) => $collection,
            Object::Hash($data) => $collection,
            Object::Zset($data) => $collection,
            Object::Stream($data) => $collection,
        }
    };
}

impl Object {
    /// Its type.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Object::String(_) => Kind::String,
            Object::List(_) => Kind::List,
            Object::Set(_) => Kind::Set,
            Object::Hash(_) => Kind::Hash,
            Object::Zset(_) => Kind::Zset,
            Object::Stream(_) => Kind::Stream,
        }
    }

    /// As OBJECT ENCODING names it.
    pub(crate) fn encoding(&self) -> &'static str {
        each!(self, _ => "raw", data => data.encoding())
    }

    /// Bytes on the heap, besides the object itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        each!(self, bytes => bytes.capacity(), data => data.heap_bytes())
    }

    /// Appends its bytes, for a unit or a digest.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        each!(self, bytes => crate::wire::put_string(out, bytes), data => data.encode(out));
    }

    /// Reads the collection of a type that was encoded.
    pub(crate) fn decode(kind: Kind, reader: &mut WireReader<'_>) -> Result<Object, Fault> {
        Ok(match kind {
            Kind::String => Object::String(reader.string()?.to_vec()),
            Kind::List => List::decode(reader)?.into_object(),
            Kind::Set => Set::decode(reader)?.into_object(),
            Kind::Hash => Hash::decode(reader)?.into_object(),
            Kind::Zset => Zset::decode(reader)?.into_object(),
            Kind::Stream => Stream::decode(reader)?.into_object(),
        })
    }
}

impl Default for Object {
    /// What is left when a value is moved out.
    fn default() -> Object {
        Object::String(Vec::new())
    }
}
