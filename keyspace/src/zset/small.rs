//! A small sorted set: a listpack of members and scores in order, as Redis has it.
//!
//! A whole score is stored as an integer, so that a negative zero becomes a plain one; any other
//! as its text. Everything walks: limits keep it small.

use std::cmp::Ordering;
use std::ops::Range;

use resp::DoubleText;

use crate::listpack::{self, Element, Listpack, Position, encoded_bytes};
use crate::number::parse_double;
use crate::value::StringValue;
use crate::wire::Fault;

/// Members with their scores.
#[derive(Clone, Debug)]
pub(crate) struct Small(Listpack);

/// Bytes that a score may take in a listpack: its longest text with what the format adds.
const SCORE_BYTES_MAX: usize = 34;

/// Whole scores up to here are stored as integers: Redis' limit.
const WHOLE_MAX: f64 = 4_503_599_627_370_496.0;

impl Small {
    pub(super) fn new() -> Small {
        Small(Listpack::new())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Small, Fault> {
        let small = Small(Listpack::from_bytes(bytes)?);
        if !small.0.len().is_multiple_of(2) {
            return Err("with a member without a score");
        }
        let scores = small.0.iter().skip(1).step_by(2);
        if scores.map(read_score).any(|score| score.is_none_or(f64::is_nan)) {
            return Err("with a score that is no number");
        }
        let in_order = small.pairs(0..small.len(), false).is_sorted_by(|before, after| {
            let digits = &mut itoa::Buffer::new();
            is_before(before.1, &before.0.to_bytes(), after.1, after.0.as_bytes(digits))
        });
        if in_order { Ok(small) } else { Err("with members out of order") }
    }

    /// As DUMP has it.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() / 2
    }

    /// Whether a member more keeps within the listpack's own limit.
    pub(super) fn fits(&self, member: &[u8]) -> bool {
        self.0.fits(encoded_bytes(member) + SCORE_BYTES_MAX)
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        let position = self.0.find(member, 1)?;
        Some(self.score_at(self.score_position(position)))
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let position = self.0.find(member, 1)?;
        let rank = self.0.iter_through(position).count() / 2;
        Some((rank, self.score_at(self.score_position(position))))
    }

    /// Puts a member in that is not there.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        let digits = &mut itoa::Buffer::new();
        let mut next = self.0.first();
        while let Some(position) = next {
            let score_position = self.score_position(position);
            let other = self.0.at(position);
            if !is_before(self.score_at(score_position), other.as_bytes(digits), score, member) {
                let position = self.0.insert_before(position, member);
                self.put_score(score, |list, element| {
                    list.insert_after(position, element);
                });
                return;
            }
            next = self.0.next(score_position);
        }
        self.push(member.into(), score);
    }

    /// Puts a member in that comes behind all others.
    pub(super) fn push(&mut self, member: Element<'_>, score: f64) {
        self.0.push_back(member);
        self.put_score(score, |list, element| list.push_back(element));
    }

    /// Takes a member out; its score.
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let position = self.0.find(member, 1)?;
        let score = self.score_at(self.score_position(position));
        self.0.remove_run(position, 2);
        Some(score)
    }

    pub(super) fn remove_range(&mut self, ranks: Range<usize>) {
        self.0.remove_range(ranks.start * 2, ranks.len() * 2);
    }

    /// The members of these ranks, which there are.
    pub(super) fn pairs(&self, ranks: Range<usize>, reverse: bool) -> SmallPairs<'_> {
        let end = if reverse { (ranks.end * 2).checked_sub(1) } else { Some(ranks.start * 2) };
        let elements = end.filter(|_| !ranks.is_empty()).and_then(|end| {
            let position = self.0.seek(end)?;
            Some(if reverse { self.0.iter_through(position) } else { self.0.iter_from(position) })
        });
        SmallPairs { elements, rest: ranks.len(), reverse }
    }

    /// The ranks from the first member that is not below on, up to the first above; in reverse those
    /// that a walk from the other end meets. The same, if nothing below comes behind anything else
    /// and nothing above before.
    pub(super) fn span(
        &self,
        below: impl Fn(f64, &[u8]) -> bool,
        above: impl Fn(f64, &[u8]) -> bool,
        reverse: bool,
    ) -> Range<usize> {
        let len = self.len();
        let digits = &mut itoa::Buffer::new();
        // What Redis asks first.
        let first = self.pairs(0..len.min(1), false).next();
        let last = self.pairs(0..len, true).next();
        if first.is_some_and(|(member, score)| above(score, member.as_bytes(digits)))
            || last.is_some_and(|(member, score)| below(score, member.as_bytes(digits)))
        {
            return 0..0;
        }
        if reverse {
            let met = walk(self.pairs(0..len, true), above, below);
            len - met.end..len - met.start
        } else {
            walk(self.pairs(0..len, false), below, above)
        }
    }

    fn score_position(&self, member: Position) -> Position {
        self.0.next(member).expect("a score stands behind every member")
    }

    fn score_at(&self, position: Position) -> f64 {
        read_score(self.0.at(position)).expect("scores are numbers")
    }

    fn put_score(&mut self, score: f64, put: impl FnOnce(&mut Listpack, Element<'_>)) {
        if score.trunc() == score && (1.0 - WHOLE_MAX..=WHOLE_MAX).contains(&score) {
            put(&mut self.0, (score as i64).into());
        } else {
            put(&mut self.0, DoubleText::new(score).as_bytes().into());
        }
    }
}

/// The members from the first that is not skipped on, up to the first that ends the walk.
fn walk(
    pairs: SmallPairs<'_>,
    skipped: impl Fn(f64, &[u8]) -> bool,
    ended: impl Fn(f64, &[u8]) -> bool,
) -> Range<usize> {
    let digits = &mut itoa::Buffer::new();
    let mut met = 0..0;
    for (member, score) in pairs {
        let member = member.as_bytes(digits);
        if met.is_empty() && skipped(score, member) {
            met = met.end + 1..met.end + 1;
        } else if ended(score, member) {
            break;
        } else {
            met.end += 1;
        }
    }
    met
}

/// Whether the first member comes before the second.
fn is_before(score: f64, name: &[u8], other_score: f64, other_name: &[u8]) -> bool {
    match score.partial_cmp(&other_score) {
        Some(Ordering::Equal) => name < other_name,
        ordering => ordering == Some(Ordering::Less),
    }
}

fn read_score(value: StringValue<'_>) -> Option<f64> {
    match value {
        StringValue::Int(number) => Some(number as f64),
        StringValue::Bytes(text) => parse_double(text),
    }
}

/// Members with their scores, from the first or, in reverse, from the last.
#[derive(Clone)]
pub(crate) struct SmallPairs<'s> {
    elements: Option<listpack::Iter<'s>>,
    rest: usize,
    reverse: bool,
}

impl<'s> Iterator for SmallPairs<'s> {
    type Item = (StringValue<'s>, f64);

    fn next(&mut self) -> Option<(StringValue<'s>, f64)> {
        self.rest = self.rest.checked_sub(1)?;
        let elements = self.elements.as_mut()?;
        let (member, score) = if self.reverse {
            let score = elements.next_back()?;
            (elements.next_back()?, score)
        } else {
            (elements.next()?, elements.next()?)
        };
        Some((member, read_score(score).expect("scores are numbers")))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest, Some(self.rest))
    }
}
