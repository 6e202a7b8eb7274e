//! Ranges of scores (`(1 +inf`) and of members' bytes (`[a (b`), as clients write them.

use resp::Reply;

use crate::argument::index_range;
use crate::number::parse_bound;

const NO_FLOAT: Reply<'static> = Reply::error("ERR min or max is not a float");
const NO_ITEM: Reply<'static> = Reply::error("ERR min or max not valid string range item");

/// Which part of a sorted set is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bounds<'a> {
    /// By rank, negative from the end, both included.
    Ranks(i64, i64),
    /// By score.
    Scores(ScoreRange),
    /// By the members' bytes, where all scores are equal.
    Lex(LexRange<'a>),
}

impl Bounds<'_> {
    /// The ranks of those members, out of `len`, if ranks are what they are given by.
    pub(crate) fn ranks(
        start: i64,
        stop: i64,
        len: usize,
        reverse: bool,
    ) -> std::ops::Range<usize> {
        let ranks = index_range(start, stop, len);
        if reverse { len - ranks.end..len - ranks.start } else { ranks }
    }
}

/// Scores from one to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreRange {
    min: f64,
    min_excluded: bool,
    max: f64,
    max_excluded: bool,
}

impl ScoreRange {
    /// The range of two arguments.
    pub(crate) fn read(min: &[u8], max: &[u8]) -> Result<ScoreRange, Reply<'static>> {
        let ((min, min_excluded), (max, max_excluded)) = (read_score(min)?, read_score(max)?);
        Ok(ScoreRange { min, min_excluded, max, max_excluded })
    }

    /// From one score, included, to another, excluded.
    pub(crate) fn half_open(min: f64, max: f64) -> ScoreRange {
        ScoreRange { min, min_excluded: false, max, max_excluded: true }
    }

    /// Whether a score comes before the range.
    pub(crate) fn is_below(&self, score: f64) -> bool {
        score < self.min || (self.min_excluded && score == self.min)
    }

    /// Whether a score comes behind the range.
    pub(crate) fn is_above(&self, score: f64) -> bool {
        score > self.max || (self.max_excluded && score == self.max)
    }
}

fn read_score(text: &[u8]) -> Result<(f64, bool), Reply<'static>> {
    let (text, excluded) = match text {
        [b'(', rest @ ..] => (rest, true),
        _ => (text, false),
    };
    parse_bound(text).map(|score| (score, excluded)).ok_or(NO_FLOAT)
}

/// Members from one to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LexRange<'a> {
    min: LexEnd<'a>,
    max: LexEnd<'a>,
}

#[derive(Clone, Copy, Debug)]
enum LexEnd<'a> {
    /// `-`: before everything.
    Lowest,
    /// `+`: behind everything.
    Highest,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
}

impl<'a> LexRange<'a> {
    /// The range of two arguments.
    pub(crate) fn read(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Reply<'static>> {
        Ok(LexRange { min: LexEnd::read(min)?, max: LexEnd::read(max)? })
    }

    /// Whether a member comes before the range.
    pub(crate) fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexEnd::Lowest => false,
            LexEnd::Highest => true,
            LexEnd::Included(min) => member < min,
            LexEnd::Excluded(min) => member <= min,
        }
    }

    /// Whether a member comes behind the range.
    pub(crate) fn is_above(&self, member: &[u8]) -> bool {
        match self.max {
            LexEnd::Lowest => true,
            LexEnd::Highest => false,
            LexEnd::Included(max) => member > max,
            LexEnd::Excluded(max) => member >= max,
        }
    }
}

impl<'a> LexEnd<'a> {
    fn read(text: &'a [u8]) -> Result<LexEnd<'a>, Reply<'static>> {
        match text {
            // Redis' strings end where C's do: it does not see what follows a zero byte.
            [b'-'] | [b'-', 0, ..] => Ok(LexEnd::Lowest),
            [b'+'] | [b'+', 0, ..] => Ok(LexEnd::Highest),
            [b'[', bytes @ ..] => Ok(LexEnd::Included(bytes)),
            [b'(', bytes @ ..] => Ok(LexEnd::Excluded(bytes)),
            _ => Err(NO_ITEM),
        }
    }
}
