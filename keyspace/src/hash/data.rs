//! The hash itself: its two encodings, and when one becomes the other.
//!
//! Few short fields with short values are a listpack, each field followed by its value; everything
//! else is a hash table, and never goes back, as in Redis. The order of fields is a function of the
//! changes: they stand as they came, but that in a hash table the last one takes the place of one
//! that leaves.

use crate::limits::{Limit, Limits};
use crate::listpack::{self, Listpack, encoded_bytes};
use crate::members::{Members, Pair};
use crate::object::{Data, Object};
use crate::value::{Kind, StringValue};
use crate::wire::{Fault, WireReader, put_string, put_varint};

/// Fields with their values.
#[derive(Clone, Debug)]
pub(crate) enum Hash {
    /// Few fields.
    Small(Listpack),
    /// Any fields.
    Large(Box<Members<Pair>>),
}

const TAG_SMALL: u8 = 0;
const TAG_LARGE: u8 = 1;

const TWICE: Fault = "a hash with a field twice";

impl Default for Hash {
    fn default() -> Hash {
        Hash::Small(Listpack::new())
    }
}

/// Looking.
impl Hash {
    /// Number of fields.
    pub(crate) fn len(&self) -> usize {
        match self {
            Hash::Small(listpack) => listpack.len() / 2,
            Hash::Large(members) => members.len(),
        }
    }

    /// A field's value.
    pub(crate) fn get(&self, field: &[u8]) -> Option<StringValue<'_>> {
        match self {
            Hash::Small(listpack) => {
                let value = listpack.next(listpack.find(field, 1)?);
                Some(listpack.at(value.expect("every field has a value")))
            }
            Hash::Large(members) => {
                members.find(field).map(|place| StringValue::Bytes(members.get(place).value()))
            }
        }
    }

    /// All fields with their values.
    pub(crate) fn iter(&self) -> Iter<'_> {
        match self {
            Hash::Small(listpack) => Iter::Small(listpack.iter()),
            Hash::Large(members) => Iter::Large(members, 0..members.len()),
        }
    }

    /// The field at a place below the length, with its value.
    pub(crate) fn at(&self, place: usize) -> (StringValue<'_>, StringValue<'_>) {
        match self {
            Hash::Small(listpack) => {
                let field = listpack.seek(2 * place).expect("the place is below the length");
                pair(&mut listpack.iter_from(field)).expect("there is a field")
            }
            Hash::Large(members) => strings(members.get(place)),
        }
    }

    /// The fields at these places, which are below the length and may repeat, with their values.
    pub(crate) fn at_all(&self, places: &[usize]) -> Vec<(StringValue<'_>, StringValue<'_>)> {
        match self {
            Hash::Small(_) => {
                let pairs: Vec<_> = self.iter().collect();
                places.iter().map(|place| pairs[*place]).collect()
            }
            Hash::Large(members) => {
                places.iter().map(|place| strings(members.get(*place))).collect()
            }
        }
    }

    /// A step of HSCAN: visits about `count` fields and returns the cursor to go on with, 0 at the
    /// end. A listpack is visited whole, whatever the cursor.
    pub(crate) fn scan<'h>(
        &'h self,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(StringValue<'h>, StringValue<'h>),
    ) -> u64 {
        match self {
            Hash::Small(_) => {
                self.iter().for_each(|(field, value)| visit(field, value));
                0
            }
            Hash::Large(members) => members.scan(cursor, count, |pair| {
                let (field, value) = strings(pair);
                visit(field, value);
            }),
        }
    }
}

/// Changing.
impl Hash {
    /// Chooses the encoding for these fields: HSET looks at all of them before it sets the first.
    pub(crate) fn expect(&mut self, pairs: &[[&[u8]; 2]], limits: &Limits) {
        let Hash::Small(listpack) = self else { return };
        let value_max = limits.size(Limit::HashValue);
        let is_long = |string: &&[u8]| string.len() > value_max;
        let strings = pairs.as_flattened();
        let fits = pairs.len() <= limits.size(Limit::HashEntries)
            && !strings.iter().any(is_long)
            && listpack.fits(strings.iter().map(|string| encoded_bytes(*string)).sum());
        if !fits {
            self.enlarge();
        }
    }

    /// Sets a field; whether it is new.
    pub(crate) fn set(&mut self, field: &[u8], value: StringValue<'_>, limits: &Limits) -> bool {
        if let Hash::Small(listpack) = self {
            let value_max = limits.size(Limit::HashValue);
            let fits = field.len() <= value_max
                && value.len() <= value_max
                && listpack.fits(encoded_bytes(field) + encoded_bytes(value));
            if fits {
                return self.set_small(field, value, limits);
            }
        }
        let mut digits = itoa::Buffer::new();
        set(self.enlarge(), field, value.as_bytes(&mut digits))
    }

    fn set_small(&mut self, field: &[u8], value: StringValue<'_>, limits: &Limits) -> bool {
        let Hash::Small(listpack) = self else { unreachable!("the caller has looked") };
        if let Some(position) = listpack.find(field, 1) {
            let old = listpack.next(position).expect("every field has a value");
            listpack.replace(old, value);
            return false;
        }
        listpack.push_back(field);
        listpack.push_back(value);
        if self.len() > limits.size(Limit::HashEntries) {
            self.enlarge();
        }
        true
    }

    /// Takes a field out; whether it was there.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            Hash::Small(listpack) => match listpack.find(field, 1) {
                Some(position) => {
                    listpack.remove_run(position, 2);
                    true
                }
                None => false,
            },
            Hash::Large(members) => {
                let place = members.find(field);
                if let Some(place) = place {
                    members.remove(place);
                }
                place.is_some()
            }
        }
    }

    /// Makes it a hash table.
    fn enlarge(&mut self) -> &mut Members<Pair> {
        if !matches!(self, Hash::Large(_)) {
            let mut members = Members::new();
            let (mut field_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
            for (field, value) in self.iter() {
                let field = field.as_bytes(&mut field_digits);
                set(&mut members, field, value.as_bytes(&mut value_digits));
            }
            *self = Hash::Large(Box::new(members));
        }
        match self {
            Hash::Large(members) => members,
            Hash::Small(_) => unreachable!("made one just now"),
        }
    }
}

/// Sets a field of a hash table; whether it is new.
fn set(members: &mut Members<Pair>, field: &[u8], value: &[u8]) -> bool {
    let place = members.find(field);
    match place {
        Some(place) => members.edit(place, |pair| pair.set_value(value)),
        None => {
            members.insert(Pair::new(field, value));
        }
    }
    place.is_none()
}

/// The next two elements of a listpack.
fn pair<'h>(elements: &mut listpack::Iter<'h>) -> Option<(StringValue<'h>, StringValue<'h>)> {
    let field = elements.next()?;
    Some((field, elements.next().expect("every field has a value")))
}

fn strings(pair: &Pair) -> (StringValue<'_>, StringValue<'_>) {
    (StringValue::Bytes(pair.field()), StringValue::Bytes(pair.value()))
}

/// Fields in their order, with their values.
#[derive(Clone)]
pub(crate) enum Iter<'h> {
    Small(listpack::Iter<'h>),
    Large(&'h Members<Pair>, std::ops::Range<usize>),
}

impl<'h> Iterator for Iter<'h> {
    type Item = (StringValue<'h>, StringValue<'h>);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Iter::Small(elements) => pair(elements),
            Iter::Large(members, places) => places.next().map(|place| strings(members.get(place))),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Iter::Small(_) => (0, None),
            Iter::Large(_, places) => places.size_hint(),
        }
    }
}

impl Data for Hash {
    const KIND: Kind = Kind::Hash;

    fn of(object: &Object) -> Option<&Hash> {
        match object {
            Object::Hash(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Hash> {
        match object {
            Object::Hash(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Hash(self)
    }

    fn encoding(&self) -> &'static str {
        match self {
            Hash::Small(_) => "listpack",
            Hash::Large(_) => "hashtable",
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Hash::Small(listpack) => listpack.heap_bytes(),
            Hash::Large(members) => size_of::<Members<Pair>>() + members.heap_bytes(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Hash::Small(listpack) => listpack.is_empty(),
            Hash::Large(members) => members.is_empty(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Hash::Small(listpack) => {
                out.push(TAG_SMALL);
                listpack.encode(out);
            }
            Hash::Large(members) => {
                out.push(TAG_LARGE);
                put_varint(out, members.len() as u64);
                for pair in members.iter() {
                    put_string(out, pair.field());
                    put_string(out, pair.value());
                }
            }
        }
    }

    fn decode(reader: &mut WireReader<'_>) -> Result<Hash, Fault> {
        let hash = match reader.byte()? {
            TAG_SMALL => {
                let listpack = Listpack::from_bytes(reader.string()?)?;
                check(&listpack)?;
                Hash::Small(listpack)
            }
            TAG_LARGE => {
                let mut members = Members::new();
                for _ in 0..reader.varint()? {
                    if !set(&mut members, reader.string()?, reader.string()?) {
                        return Err(TWICE);
                    }
                }
                Hash::Large(Box::new(members))
            }
            _ => return Err("a hash of an encoding that this program does not know"),
        };
        if hash.is_empty() { Err("a hash without fields") } else { Ok(hash) }
    }
}

/// Refuses a field without a value, and one that comes twice.
fn check(listpack: &Listpack) -> Result<(), Fault> {
    if !listpack.len().is_multiple_of(2) {
        return Err("a hash with a field without a value");
    }
    let mut fields: Vec<_> = listpack.iter().step_by(2).map(|field| field.to_bytes()).collect();
    fields.sort_unstable();
    if fields.is_sorted_by(|left, right| left < right) { Ok(()) } else { Err(TWICE) }
}
