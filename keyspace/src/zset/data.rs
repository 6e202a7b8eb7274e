//! The value: members with scores, in the order of the scores and then of the members' bytes.
//!
//! Small ones are a listpack; larger ones ([`Large`]) find members by hash and ranks by a tree. A
//! small one becomes large when it outgrows the replicated limits, and stays so.

use std::ops::Range;

use super::bounds::{Bounds, LexRange, ScoreRange};
use super::large::{Large, LargePairs};
use super::small::{Small, SmallPairs};
use crate::limits::{Limit, Limits};
use crate::object::{Data, Object};
use crate::value::{Kind, StringValue};
use crate::wire::{Fault, WireReader, put_string};

/// A sorted set.
#[derive(Clone, Debug)]
pub(crate) enum Zset {
    Small(Small),
    Large(Box<Large>),
}

/// Forms in a checkpoint.
const FORM_SMALL: u8 = 0;
const FORM_LARGE: u8 = 1;

/// Reading.
impl Zset {
    /// Members.
    pub(crate) fn len(&self) -> usize {
        match self {
            Zset::Small(small) => small.len(),
            Zset::Large(large) => large.len(),
        }
    }

    /// A member's score.
    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Zset::Small(small) => small.score(member),
            Zset::Large(large) => large.score(member),
        }
    }

    /// How many members come before this one, and its score.
    pub(crate) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Zset::Small(small) => small.rank(member),
            Zset::Large(large) => large.rank(member),
        }
    }

    /// The members of these ranks, which there are; in reverse the last one first.
    pub(crate) fn pairs(&self, ranks: Range<usize>, reverse: bool) -> Pairs<'_> {
        match self {
            Zset::Small(small) => Pairs::Small(small.pairs(ranks, reverse)),
            Zset::Large(large) => Pairs::Large(large.pairs(ranks, reverse)),
        }
    }

    /// All members in order.
    pub(crate) fn iter(&self) -> Pairs<'_> {
        self.pairs(0..self.len(), false)
    }

    /// The member of a rank that there is, with its score.
    pub(crate) fn at(&self, rank: usize) -> (StringValue<'_>, f64) {
        match self {
            Zset::Small(small) => {
                small.pairs(rank..rank + 1, false).next().expect("there is such a rank")
            }
            Zset::Large(large) => large.at(rank),
        }
    }

    /// The members of these ranks, which there are and which may repeat.
    pub(crate) fn at_all(&self, ranks: &[usize]) -> Vec<(StringValue<'_>, f64)> {
        match self {
            Zset::Small(_) => {
                let pairs: Vec<_> = self.iter().collect();
                ranks.iter().map(|rank| pairs[*rank]).collect()
            }
            Zset::Large(_) => ranks.iter().map(|rank| self.at(*rank)).collect(),
        }
    }

    /// A step of ZSCAN: visits about `count` members and returns the cursor to go on with, 0 at the
    /// end. A small one is visited whole, whatever the cursor, so that one that becomes large on
    /// the way is visited whole too.
    pub(crate) fn scan<'z>(
        &'z self,
        cursor: u64,
        count: usize,
        visit: &mut dyn FnMut(StringValue<'z>, f64),
    ) -> u64 {
        match self {
            Zset::Small(_) => {
                self.iter().for_each(|(member, score)| visit(member, score));
                0
            }
            Zset::Large(large) => large.scan(cursor, count, visit),
        }
    }

    /// The ranks of the members within bounds; ranks count from the end in reverse.
    pub(crate) fn within(&self, bounds: &Bounds<'_>, reverse: bool) -> Range<usize> {
        match bounds {
            Bounds::Ranks(start, stop) => Bounds::ranks(*start, *stop, self.len(), reverse),
            Bounds::Scores(range) => self.within_scores(range),
            Bounds::Lex(range) => self.within_lex(range, reverse),
        }
    }

    /// The ranks of the members within a range of scores.
    pub(crate) fn within_scores(&self, range: &ScoreRange) -> Range<usize> {
        match self {
            Zset::Small(small) => small.span(
                |score, _| range.is_below(score),
                |score, _| range.is_above(score),
                false,
            ),
            Zset::Large(large) => {
                let start = large.ranks().partition_point(|score, _| range.is_below(score));
                let end = large.ranks().partition_point(|score, _| !range.is_above(score));
                start..end.max(start)
            }
        }
    }

    /// The same for a range of bytes. Where scores differ, Redis answers what its walk from one end
    /// or the other meets; a small set does the same here.
    fn within_lex(&self, range: &LexRange<'_>, reverse: bool) -> Range<usize> {
        match self {
            Zset::Small(small) => small.span(
                |_, member| range.is_below(member),
                |_, member| range.is_above(member),
                reverse,
            ),
            Zset::Large(large) => {
                let name = |place| large.name(place);
                let start = large.ranks().partition_point(|_, place| range.is_below(name(place)));
                let end = large.ranks().partition_point(|_, place| !range.is_above(name(place)));
                start..end.max(start)
            }
        }
    }
}

/// Changing.
impl Zset {
    /// A sorted set of members in strict order.
    pub(crate) fn from_sorted(pairs: &[(StringValue<'_>, f64)], limits: &Limits) -> Zset {
        let fits = |member: &StringValue<'_>| member.len() <= limits.size(Limit::ZsetValue);
        if pairs.len() > limits.size(Limit::ZsetEntries)
            || !pairs.iter().all(|(member, _)| fits(member))
        {
            return Zset::Large(Box::new(Large::from_sorted(pairs)));
        }
        let mut small = Small::new();
        for (member, score) in pairs {
            if !small.fits(&member.to_bytes()) {
                return Zset::Large(Box::new(Large::from_sorted(pairs)));
            }
            small.push((*member).into(), *score);
        }
        Zset::Small(small)
    }

    /// Asks `decide`, given a member's score if it is there, for its score from now on; `None`:
    /// nothing changes.
    pub(crate) fn update(
        &mut self,
        member: &[u8],
        limits: &Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) {
        match self {
            Zset::Small(small) => {
                let before = small.score(member);
                let Some(score) = decide(before) else { return };
                if before.is_some() {
                    small.remove(member);
                } else if small.len() >= limits.size(Limit::ZsetEntries)
                    || member.len() > limits.size(Limit::ZsetValue)
                    || !small.fits(member)
                {
                    return self.grow().update(member, |_| Some(score));
                }
                small.insert(member, score);
            }
            Zset::Large(large) => large.update(member, decide),
        }
    }

    /// Takes a member out; its score.
    pub(crate) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            Zset::Small(small) => small.remove(member),
            Zset::Large(large) => large.remove(member),
        }
    }

    /// Takes the members of these ranks, which there are, out.
    pub(crate) fn remove_range(&mut self, ranks: Range<usize>) {
        match self {
            Zset::Small(small) => small.remove_range(ranks),
            Zset::Large(large) => large.remove_range(ranks),
        }
    }

    /// Makes it large, if it is not.
    fn grow(&mut self) -> &mut Large {
        if let Zset::Small(small) = self {
            let pairs: Vec<_> = small.pairs(0..small.len(), false).collect();
            *self = Zset::Large(Box::new(Large::from_sorted(&pairs)));
        }
        match self {
            Zset::Large(large) => large,
            Zset::Small(_) => unreachable!("just made large"),
        }
    }
}

impl Default for Zset {
    fn default() -> Zset {
        Zset::Small(Small::new())
    }
}

impl Data for Zset {
    const KIND: Kind = Kind::Zset;

    fn of(object: &Object) -> Option<&Zset> {
        match object {
            Object::Zset(data) => Some(data),
            _ => None,
        }
    }

    fn of_mut(object: &mut Object) -> Option<&mut Zset> {
        match object {
            Object::Zset(data) => Some(data),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Zset(self)
    }

    fn encoding(&self) -> &'static str {
        match self {
            Zset::Small(_) => "listpack",
            Zset::Large(_) => "skiplist",
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Zset::Small(small) => small.heap_bytes(),
            Zset::Large(large) => size_of::<Large>() + large.heap_bytes(),
        }
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Zset::Small(small) => {
                out.push(FORM_SMALL);
                put_string(out, small.as_bytes());
            }
            Zset::Large(large) => {
                out.push(FORM_LARGE);
                large.encode(out);
            }
        }
    }

    fn decode(reader: &mut WireReader<'_>) -> Result<Zset, Fault> {
        match reader.byte()? {
            FORM_SMALL => Ok(Zset::Small(Small::from_bytes(reader.string()?)?)),
            FORM_LARGE => Ok(Zset::Large(Box::new(Large::decode(reader)?))),
            _ => Err("with a sorted set of an unknown form"),
        }
    }
}

/// Members with their scores.
#[derive(Clone)]
pub(crate) enum Pairs<'z> {
    Small(SmallPairs<'z>),
    Large(LargePairs<'z>),
}

impl<'z> Iterator for Pairs<'z> {
    type Item = (StringValue<'z>, f64);

    fn next(&mut self) -> Option<(StringValue<'z>, f64)> {
        match self {
            Pairs::Small(pairs) => pairs.next(),
            Pairs::Large(pairs) => pairs.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Pairs::Small(pairs) => pairs.size_hint(),
            Pairs::Large(pairs) => pairs.size_hint(),
        }
    }
}
