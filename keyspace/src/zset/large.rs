//! A large sorted set: members by place and by name, and their places in order.
//!
//! Invariants: the tree has each place once, under that member's score.

use std::ops::Range;

use super::ranks::{Entries, Entry, Ranks};
use crate::members::{Members, Named};
use crate::value::StringValue;
use crate::wire::{Fault, WireReader, put_string, put_varint};

/// Members with their scores.
#[derive(Clone, Debug, Default)]
pub(crate) struct Large {
    members: Members<Scored>,
    ranks: Ranks,
}

/// A member.
#[derive(Clone, Debug)]
struct Scored {
    score: f64,
    name: Box<[u8]>,
}

impl Named for Scored {
    fn name(&self) -> &[u8] {
        &self.name
    }

    fn heap_bytes(&self) -> usize {
        self.name.len()
    }
}

impl Large {
    /// The members, which are in strict order.
    pub(super) fn from_sorted(pairs: &[(StringValue<'_>, f64)]) -> Large {
        let mut members = Members::new();
        for (member, score) in pairs {
            let digits = &mut itoa::Buffer::new();
            members.insert(Scored { score: *score, name: member.as_bytes(digits).into() });
        }
        let entries = pairs.iter().enumerate();
        let ranks = Ranks::from_sorted(entries.map(|(place, (_, score))| entry(*score, place)));
        Large { members, ranks }
    }

    pub(super) fn len(&self) -> usize {
        self.ranks.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.members.heap_bytes() + self.ranks.heap_bytes()
    }

    /// The order of places.
    pub(super) fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    /// The member at a place.
    pub(super) fn name(&self, place: u32) -> &[u8] {
        name_at(&self.members, place)
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.members.find(member).map(|place| self.members.get(place).score)
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.rank_of(score, member), score))
    }

    pub(super) fn at(&self, rank: usize) -> (StringValue<'_>, f64) {
        let entry = self.ranks.select(rank).expect("there is such a rank");
        (StringValue::Bytes(self.name(entry.place)), entry.score)
    }

    pub(super) fn pairs(&self, ranks: Range<usize>, reverse: bool) -> LargePairs<'_> {
        LargePairs { members: &self.members, entries: self.ranks.range(ranks), reverse }
    }

    /// Visits some members in the order of their places; as [`Members::scan`].
    pub(super) fn scan<'l>(
        &'l self,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(StringValue<'l>, f64),
    ) -> u64 {
        self.members.scan(cursor, count, |member| {
            visit(StringValue::Bytes(&member.name), member.score);
        })
    }

    pub(super) fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        let Some(place) = self.members.find(member) else {
            if let Some(score) = decide(None) {
                let place = self.members.insert(Scored { score, name: member.into() });
                self.order(score, member, place);
            }
            return;
        };
        let before = self.members.get(place).score;
        if let Some(score) = decide(Some(before)) {
            self.ranks.remove(self.rank_of(before, member));
            self.members.edit(place, |member| member.score = score);
            self.order(score, member, place);
        }
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let place = self.members.find(member)?;
        let score = self.members.get(place).score;
        self.ranks.remove(self.rank_of(score, member));
        self.forget(place);
        Some(score)
    }

    pub(super) fn remove_range(&mut self, ranks: Range<usize>) {
        let mut places = Vec::with_capacity(ranks.len());
        self.ranks.remove_range(ranks, |entry| places.push(entry.place as usize));
        // From the last on, so that whatever moves into a hole is one that stays.
        places.sort_unstable();
        for place in places.into_iter().rev() {
            self.forget(place);
        }
    }

    /// In the order of places, which a walk over all members follows.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.members.len() as u64);
        for member in self.members.iter() {
            out.extend_from_slice(&member.score.to_bits().to_le_bytes());
            put_string(out, &member.name);
        }
    }

    pub(super) fn decode(reader: &mut WireReader<'_>) -> Result<Large, Fault> {
        let mut members = Members::new();
        for _ in 0..reader.varint()? {
            let score = f64::from_bits(reader.u64()?);
            let name = reader.string()?;
            if score.is_nan() {
                return Err("with a score that is no number");
            }
            if members.find(name).is_some() {
                return Err("with a member twice");
            }
            members.insert(Scored { score, name: name.into() });
        }
        let mut entries: Vec<Entry> =
            members.iter().enumerate().map(|(place, member)| entry(member.score, place)).collect();
        entries.sort_unstable_by(|left, right| {
            let by_score = left.score.partial_cmp(&right.score).expect("no score is NaN");
            by_score.then_with(|| name_at(&members, left.place).cmp(name_at(&members, right.place)))
        });
        Ok(Large { members, ranks: Ranks::from_sorted(entries.into_iter()) })
    }

    fn rank_of(&self, score: f64, member: &[u8]) -> usize {
        self.ranks.rank(score, member, |place| self.name(place))
    }

    /// Puts a member's place into the order.
    fn order(&mut self, score: f64, member: &[u8], place: usize) {
        let members = &self.members;
        self.ranks.insert(entry(score, place), member, |place| name_at(members, place));
    }

    /// Takes a member out that is no longer in the order; the last one moves to its place.
    fn forget(&mut self, place: usize) {
        let last_place = self.members.len() - 1;
        if last_place != place {
            let last = self.members.get(last_place);
            let rank = self.rank_of(last.score, &last.name);
            self.ranks.set_place(rank, as_place(place));
        }
        self.members.remove(place);
    }
}

fn name_at(members: &Members<Scored>, place: u32) -> &[u8] {
    members.get(place as usize).name()
}

fn entry(score: f64, place: usize) -> Entry {
    Entry { score, place: as_place(place) }
}

fn as_place(place: usize) -> u32 {
    u32::try_from(place).expect("more members than memory has room for")
}

/// Members with their scores, from the first or, in reverse, from the last.
#[derive(Clone)]
pub(crate) struct LargePairs<'l> {
    members: &'l Members<Scored>,
    entries: Entries<'l>,
    reverse: bool,
}

impl<'l> Iterator for LargePairs<'l> {
    type Item = (StringValue<'l>, f64);

    fn next(&mut self) -> Option<(StringValue<'l>, f64)> {
        let entry = if self.reverse { self.entries.next_back() } else { self.entries.next() }?;
        Some((StringValue::Bytes(name_at(self.members, entry.place)), entry.score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}
