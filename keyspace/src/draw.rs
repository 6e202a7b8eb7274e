//! Drawing elements of a collection at random: SPOP, SRANDMEMBER, HRANDFIELD, ZRANDMEMBER.
//!
//! Elements are drawn by their places, from 0 to one below the collection's size, with the
//! command's random numbers. Every set of places is as likely as any other of the same size.

use std::collections::BTreeSet;

use resp::Reply;

use crate::access::View;
use crate::argument::integer;

/// Draws that may name an element again are answered up to this many. Redis sets no limit and
/// fills the client's output until memory ends; past this they are no sample any more.
const REPEATED_MAX: u64 = 1 << 20;

/// And up to this many bytes in all, as much as the longest string.
const REPEATED_BYTES_MAX: usize = 512 * 1024 * 1024;

/// From a draw of this share of the elements on, it is cheaper to go past all places than to
/// remember the drawn ones.
const DENSE_SHARE: usize = 4;

/// Longer than any answer should be.
pub(crate) const TOO_MANY: Reply<'static> = Reply::error("ERR value is out of range");

/// What a count asks for: that many different elements if positive, else that many draws, each of
/// all elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(i64);

impl Count {
    /// Reads the argument.
    pub(crate) fn read(argument: &[u8]) -> Result<Count, Reply<'static>> {
        match integer(argument)? {
            i64::MIN => Err(Reply::error(
                "ERR value is out of range, value must between -9223372036854775807 and \
                 9223372036854775807",
            )),
            count => Ok(Count(count)),
        }
    }

    /// Whether Redis refuses to return so many pairs.
    pub(crate) fn is_too_many_pairs(self) -> bool {
        self.0.unsigned_abs() > i64::MAX.unsigned_abs() / 2
    }

    /// Whether elements may come more than once.
    pub(crate) fn repeats(self) -> bool {
        self.0 < 0
    }

    /// Places of a collection of `len` elements; ascending unless they repeat.
    pub(crate) fn places(self, view: &View<'_>, len: usize) -> Result<Vec<usize>, Reply<'static>> {
        if self.repeats() {
            let count = self.0.unsigned_abs();
            if count > REPEATED_MAX {
                return Err(TOO_MANY);
            }
            return Ok((0..count).map(|_| place(view, len)).collect());
        }
        Ok(different(view, len, usize::try_from(self.0).unwrap_or(usize::MAX)))
    }
}

/// A place of a collection of `len` elements, which are not none.
pub(crate) fn place(view: &View<'_>, len: usize) -> usize {
    view.random_below(len as u64) as usize
}

/// `count` different places of a collection of `len` elements, ascending; all if they are fewer.
/// Takes time and memory for those that it returns.
pub(crate) fn different(view: &View<'_>, len: usize, count: usize) -> Vec<usize> {
    if count >= len {
        return (0..len).collect();
    }
    if len / DENSE_SHARE <= count {
        let mut wanted = count;
        let is_chosen = |index: &usize| {
            // So likely that each of the rest is among the wanted.
            let chosen = wanted > 0 && place(view, len - index) < wanted;
            wanted -= usize::from(chosen);
            chosen
        };
        return (0..len).filter(is_chosen).collect();
    }
    // Floyd's: the last place that may be drawn grows, and stands in for what was drawn before.
    let mut chosen = BTreeSet::new();
    for last in len - count..len {
        let drawn = place(view, last + 1);
        if !chosen.insert(drawn) {
            chosen.insert(last);
        }
    }
    chosen.into_iter().collect()
}

/// Refuses an answer of repeated elements, given by their lengths, that is too long.
pub(crate) fn check_bytes(lengths: impl Iterator<Item = usize>) -> Result<(), Reply<'static>> {
    let mut rest = REPEATED_BYTES_MAX;
    for length in lengths {
        rest = rest.checked_sub(length).ok_or(TOO_MANY)?;
    }
    Ok(())
}
