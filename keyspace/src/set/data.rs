//! The set itself: its three encodings, and when one becomes another.
//!
//! Integers alone are an intset, few short members a listpack, everything else a hash table; never
//! back again, as in Redis. Small encodings are searched from end to end: the limits keep them
//! small. The order of members is a function of the changes: integers ascend, others stand as they
//! came, but that in a hash table the last one takes the place of one that leaves.

use super::intset::{self, Integers, Intset};
use crate::limits::{Limit, Limits};
use crate::listpack::{self, Listpack, encoded_bytes};
use crate::members::{Members, Name, Named};
use crate::number::parse_i64;
use crate::object::{Data, Object};
use crate::value::{Kind, StringValue};
use crate::wire::{Fault, WireReader, put_string, put_varint};

/// A set of strings.
#[derive(Clone, Debug)]
pub(crate) enum Set {
    /// Only integers.
    Ints(Intset),
    /// Few members.
    Small(Listpack),
    /// Any members.
    Large(Box<Members<Name>>),
}

const TAG_INTS: u8 = 0;
const TAG_SMALL: u8 = 1;
const TAG_LARGE: u8 = 2;

const TWICE: Fault = "a set with a member twice";

impl Default for Set {
    fn default() -> Set {
        Set::Ints(Intset::default())
    }
}

/// Looking.
impl Set {
    /// Number of members.
    pub(crate) fn len(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.len(),
            Set::Small(listpack) => listpack.len(),
            Set::Large(members) => members.len(),
        }
    }

    /// Whether it is a member.
    pub(crate) fn contains(&self, member: StringValue<'_>) -> bool {
        match self {
            Set::Ints(ints) => integer(member).is_some_and(|integer| ints.contains(integer)),
            Set::Small(listpack) => listpack.find(member, 0).is_some(),
            Set::Large(members) => {
                members.find(member.as_bytes(&mut itoa::Buffer::new())).is_some()
            }
        }
    }

    /// All members. One that is an integer may come as its text.
    pub(crate) fn iter(&self) -> Iter<'_> {
        match self {
            Set::Ints(ints) => Iter::Ints(ints.iter()),
            Set::Small(listpack) => Iter::Small(listpack.iter()),
            Set::Large(members) => Iter::Large(members, 0..members.len()),
        }
    }

    /// The members at these places, which are below the length and may repeat.
    pub(crate) fn at_all(&self, places: &[usize]) -> Vec<StringValue<'_>> {
        match self {
            Set::Ints(ints) => {
                places.iter().map(|place| StringValue::Int(ints.at(*place))).collect()
            }
            Set::Small(listpack) => {
                let members: Vec<StringValue<'_>> = listpack.iter().collect();
                places.iter().map(|place| members[*place]).collect()
            }
            Set::Large(members) => {
                let member = |place: &usize| StringValue::Bytes(members.get(*place).name());
                places.iter().map(member).collect()
            }
        }
    }

    /// The member at a place below the length.
    pub(crate) fn at(&self, place: usize) -> StringValue<'_> {
        match self {
            Set::Ints(ints) => StringValue::Int(ints.at(place)),
            Set::Small(listpack) => {
                listpack.at(listpack.seek(place).expect("the place is below the length"))
            }
            Set::Large(members) => StringValue::Bytes(members.get(place).name()),
        }
    }

    /// A step of SSCAN: visits about `count` members and returns the cursor to go on with, 0 at
    /// the end. Small encodings are visited whole, whatever the cursor, so that a set that changes
    /// its encoding on the way is visited whole too.
    pub(crate) fn scan<'s>(
        &'s self,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(StringValue<'s>),
    ) -> u64 {
        match self {
            Set::Ints(_) | Set::Small(_) => {
                self.iter().for_each(visit);
                0
            }
            Set::Large(members) => {
                members.scan(cursor, count, |name| visit(StringValue::Bytes(name.name())))
            }
        }
    }
}

/// Changing.
impl Set {
    /// Chooses an encoding for `count` more members, of which `first` is the first: SADD looks at
    /// how many it has before it looks at each.
    pub(crate) fn expect(&mut self, first: StringValue<'_>, count: usize, limits: &Limits) {
        let (ints_max, small_max) =
            (limits.size(Limit::IntsetEntries), limits.size(Limit::SetEntries));
        let too_many = match self {
            Set::Ints(ints) if ints.is_empty() => {
                if count <= ints_max && integer(first).is_some() {
                    return;
                }
                if count <= small_max {
                    *self = Set::Small(Listpack::new());
                    return;
                }
                true
            }
            Set::Ints(_) => count > ints_max,
            Set::Small(_) => count > small_max,
            Set::Large(_) => return,
        };
        if too_many {
            self.enlarge();
        }
    }

    /// Adds a member; whether it was none.
    pub(crate) fn add(&mut self, member: StringValue<'_>, limits: &Limits) -> bool {
        match self {
            Set::Ints(ints) => match integer(member) {
                Some(integer) => {
                    let added = ints.insert(integer);
                    if ints.len() > ints_max(limits) && added {
                        self.enlarge();
                    }
                    added
                }
                None => {
                    self.add_to_integers(member, limits);
                    true
                }
            },
            Set::Small(listpack) => {
                if listpack.find(member, 0).is_some() {
                    return false;
                }
                if listpack.len() < limits.size(Limit::SetEntries)
                    && member.len() <= limits.size(Limit::SetValue)
                    && listpack.fits(encoded_bytes(member))
                {
                    listpack.push_back(member);
                } else {
                    insert(self.enlarge(), member);
                }
                true
            }
            Set::Large(members) => insert(members, member),
        }
    }

    /// Adds the first member that is no integer.
    fn add_to_integers(&mut self, member: StringValue<'_>, limits: &Limits) {
        let Set::Ints(ints) = self else { unreachable!("the caller has looked") };
        let value_max = limits.size(Limit::SetValue);
        let is_short = |value: StringValue<'_>| value.len() <= value_max;
        // The longest integer is at one of the ends.
        let (first, last) = ints.ends().unwrap_or_default();
        let fits = ints.len() < limits.size(Limit::SetEntries)
            && [StringValue::Int(first), StringValue::Int(last), member].into_iter().all(is_short);
        if fits {
            let mut listpack = Listpack::new();
            ints.iter().for_each(|integer| listpack.push_back(integer));
            if listpack.fits(encoded_bytes(member)) {
                listpack.push_back(member);
                *self = Set::Small(listpack);
                return;
            }
        }
        insert(self.enlarge(), member);
    }

    /// Makes it an intset, since all its members are integers; not if there are too many.
    pub(crate) fn narrow(&mut self, limits: &Limits) {
        if self.len() <= ints_max(limits) {
            *self = Set::Ints(self.iter().filter_map(integer).collect());
        }
    }

    /// Takes a member out; whether it was one.
    pub(crate) fn remove(&mut self, member: StringValue<'_>) -> bool {
        match self {
            Set::Ints(ints) => integer(member).is_some_and(|integer| ints.remove(integer)),
            Set::Small(listpack) => match listpack.find(member, 0) {
                Some(position) => {
                    listpack.remove(position);
                    true
                }
                None => false,
            },
            Set::Large(members) => {
                let place = members.find(member.as_bytes(&mut itoa::Buffer::new()));
                if let Some(place) = place {
                    members.remove(place);
                }
                place.is_some()
            }
        }
    }

    /// Takes the members at these places out, which ascend and are below the length.
    pub(crate) fn remove_all_at(&mut self, places: &[usize]) {
        match self {
            Set::Ints(ints) => ints.remove_all_at(places),
            Set::Small(listpack) => remove_from_listpack(listpack, places),
            Set::Large(members) => {
                // From the last on: whatever takes a free place is not to be taken out.
                for place in places.iter().rev() {
                    members.remove(*place);
                }
            }
        }
    }

    /// Makes it a hash table.
    fn enlarge(&mut self) -> &mut Members<Name> {
        if !matches!(self, Set::Large(_)) {
            let mut members = Members::new();
            for member in self.iter() {
                insert(&mut members, member);
            }
            *self = Set::Large(Box::new(members));
        }
        match self {
            Set::Large(members) => members,
            _ => unreachable!("made one just now"),
        }
    }
}

/// Adds a member to a hash table; whether it was none.
fn insert(members: &mut Members<Name>, member: StringValue<'_>) -> bool {
    let mut digits = itoa::Buffer::new();
    let name = member.as_bytes(&mut digits);
    let is_new = members.find(name).is_none();
    if is_new {
        members.insert(Name::new(name));
    }
    is_new
}

impl<'m> FromIterator<StringValue<'m>> for Listpack {
    fn from_iter<I: IntoIterator<Item = StringValue<'m>>>(values: I) -> Listpack {
        let mut listpack = Listpack::new();
        values.into_iter().for_each(|value| listpack.push_back(value));
        listpack
    }
}

/// One pass, since each removal alone would move all that is behind it.
fn remove_from_listpack(listpack: &mut Listpack, places: &[usize]) {
    if let [place] = places {
        return listpack.remove_range(*place, 1);
    }
    let mut places = places.iter().copied().peekable();
    let stays = |(place, _): &(usize, StringValue<'_>)| places.next_if_eq(place).is_none();
    *listpack = listpack.iter().enumerate().filter(stays).map(|(_, member)| member).collect();
}

/// The integer that a member is.
pub(super) fn integer(member: StringValue<'_>) -> Option<i64> {
    match member {
        StringValue::Int(integer) => Some(integer),
        StringValue::Bytes(bytes) => parse_i64(bytes),
    }
}

fn ints_max(limits: &Limits) -> usize {
    limits.size(Limit::IntsetEntries).min(intset::LEN_MAX)
}

/// Members in their order.
#[derive(Clone)]
pub(crate) enum Iter<'s> {
    Ints(Integers<'s>),
    Small(listpack::Iter<'s>),
    Large(&'s Members<Name>, std::ops::Range<usize>),
}

impl<'s> Iterator for Iter<'s> {
    type Item = StringValue<'s>;

    fn next(&mut self) -> Option<StringValue<'s>> {
        match self {
            Iter::Ints(integers) => integers.next().map(StringValue::Int),
            Iter::Small(elements) => elements.next(),
            Iter::Large(members, places) => {
                places.next().map(|place| StringValue::Bytes(members.get(place).name()))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Iter::Ints(integers) => integers.size_hint(),
            Iter::Small(elements) => elements.size_hint(),
            Iter::Large(_, places) => places.size_hint(),
        }
    }
}

impl Data for Set {
    const KIND: Kind = Kind::Set;

    fn of(object: &Object) -> Option<&Set> {
        match object {
            Object::Set(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Set> {
        match object {
            Object::Set(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Set(self)
    }

    fn encoding(&self) -> &'static str {
        match self {
            Set::Ints(_) => "intset",
            Set::Small(_) => "listpack",
            Set::Large(_) => "hashtable",
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.heap_bytes(),
            Set::Small(listpack) => listpack.heap_bytes(),
            Set::Large(members) => size_of::<Members<Name>>() + members.heap_bytes(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Set::Ints(ints) => ints.is_empty(),
            Set::Small(listpack) => listpack.is_empty(),
            Set::Large(members) => members.is_empty(),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Set::Ints(ints) => {
                out.push(TAG_INTS);
                let mut bytes = Vec::with_capacity(ints.dump_bytes());
                ints.put(&mut bytes);
                put_string(out, &bytes);
            }
            Set::Small(listpack) => {
                out.push(TAG_SMALL);
                listpack.encode(out);
            }
            Set::Large(members) => {
                out.push(TAG_LARGE);
                put_varint(out, members.len() as u64);
                members.iter().for_each(|name| put_string(out, name.name()));
            }
        }
    }

    fn decode(reader: &mut WireReader<'_>) -> Result<Set, Fault> {
        let set = match reader.byte()? {
            TAG_INTS => Set::Ints(Intset::from_bytes(reader.string()?)?),
            TAG_SMALL => {
                let listpack = Listpack::from_bytes(reader.string()?)?;
                check_distinct(listpack.iter())?;
                Set::Small(listpack)
            }
            TAG_LARGE => {
                let mut members = Members::new();
                for _ in 0..reader.varint()? {
                    if !insert(&mut members, StringValue::Bytes(reader.string()?)) {
                        return Err(TWICE);
                    }
                }
                Set::Large(Box::new(members))
            }
            _ => return Err("a set of an encoding that this program does not know"),
        };
        if set.is_empty() { Err("a set without members") } else { Ok(set) }
    }
}

/// Refuses members that come twice.
fn check_distinct<'m>(members: impl Iterator<Item = StringValue<'m>>) -> Result<(), Fault> {
    let mut texts: Vec<_> = members.map(|member| member.to_bytes()).collect();
    texts.sort_unstable();
    if texts.is_sorted_by(|left, right| left < right) { Ok(()) } else { Err(TWICE) }
}
