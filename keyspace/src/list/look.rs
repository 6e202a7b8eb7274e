//! Commands that only look: LINDEX, LLEN, LPOS, LRANGE.

use resp::Reply;

use super::element::Wanted;
use super::{ELEMENT, KEY, List};
use crate::access::View;
use crate::argument::{Answer, SYNTAX, index_range, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::number::parse_i64;

pub(super) const LLEN: Command = Command {
    spec: Spec {
        name: "llen",
        group: Group::List,
        since: "1.0.0",
        complexity: "O(1)",
        summary: "Returns the number of a list's elements.",
        arity: 2,
        keys: Keys::FIRST,
        flags: Flags::READONLY.and(Flags::FAST),
        args: &[KEY],
    },
    run: Run::Read(|view, args| settle(llen(view, args))),
};

fn llen<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let len = view.data(args[1])?.map_or(0, List::len);
    Ok(Reply::Integer(len as i64))
}

pub(super) const LINDEX: Command = Command {
    spec: Spec {
        name: "lindex",
        group: Group::List,
        since: "1.0.0",
        complexity: "O(N) for N elements between the place and the nearer end, \
                     which are passed many at a time",
        summary: "Returns the element at a place of a list.",
        arity: 3,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[KEY, Arg::new("index", ArgKind::Integer)],
    },
    run: Run::Read(|view, args| settle(lindex(view, args))),
};

fn lindex<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let Some(list) = view.data::<List>(args[1])? else { return Ok(Reply::Null) };
    let place = place(integer(args[2])?, list.len());
    let element = place.and_then(|index| list.get(index));
    Ok(element.map_or(Reply::Null, |element| element.reply()))
}

/// The place that an index means, if there is one; negative from the end.
pub(super) fn place(index: i64, len: usize) -> Option<usize> {
    let index = match index {
        0.. => usize::try_from(index).ok()?,
        _ => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (index < len).then_some(index)
}

pub(super) const LRANGE: Command = Command {
    spec: Spec {
        name: "lrange",
        group: Group::List,
        since: "1.0.0",
        complexity: "O(S+N) for N elements returned, S between them and the nearer end",
        summary: "Returns the elements of a list between two places.",
        arity: 4,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[KEY, Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
    },
    run: Run::Read(|view, args| settle(lrange(view, args))),
};

fn lrange<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let Some(list) = view.data::<List>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let range = index_range(start, stop, list.len());
    let mut elements = Vec::with_capacity(range.len());
    if !range.is_empty() {
        let found = list.iter_from(range.start).take(range.len());
        elements.extend(found.map(|element| element.reply()));
    }
    Ok(Reply::Array(elements))
}

pub(super) const LPOS: Command = Command {
    spec: Spec {
        name: "lpos",
        group: Group::List,
        since: "6.0.6",
        complexity: "O(N) for N elements compared",
        summary: "Returns the places at which a list holds an element.",
        arity: -3,
        keys: Keys::FIRST,
        flags: Flags::READONLY,
        args: &[
            KEY,
            ELEMENT,
            Arg::new("rank", ArgKind::Integer).after("RANK").optional(),
            Arg::new("num-matches", ArgKind::Integer).after("COUNT").optional(),
            Arg::new("len", ArgKind::Integer).after("MAXLEN").optional(),
        ],
    },
    run: Run::Read(|view, args| settle(lpos(view, args))),
};

fn lpos<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let search = Search::read(&args[3..])?;
    let list = view.data::<List>(args[1])?;
    let places = list.map_or(Vec::new(), |list| search.places(list, Wanted::new(args[2])));
    let mut places = places.into_iter().map(|place| Reply::Integer(place as i64));
    Ok(match search.count {
        Some(_) => Reply::Array(places.collect()),
        None => places.next().unwrap_or(Reply::Null),
    })
}

/// LPOS' options.
struct Search {
    /// From the tail.
    backwards: bool,
    /// How many matches to pass over.
    skip: u64,
    /// How many to return, 0 for all; `None`: one, not as an array.
    count: Option<usize>,
    /// How many elements to compare at most.
    compared_max: usize,
}

impl Search {
    fn read(mut rest: &[&[u8]]) -> Result<Search, Reply<'static>> {
        let mut search =
            Search { backwards: false, skip: 0, count: None, compared_max: usize::MAX };
        while let [option, tail @ ..] = rest {
            let [argument, tail @ ..] = tail else { return Err(SYNTAX) };
            rest = tail;
            let size = || parse_i64(argument).and_then(|number| usize::try_from(number).ok());
            if is(option, "RANK") {
                let rank = integer(argument)?;
                if rank == i64::MIN {
                    return Err(RANK_TOO_FAR);
                }
                search.backwards = rank < 0;
                search.skip = rank.unsigned_abs().checked_sub(1).ok_or(RANK_ZERO)?;
            } else if is(option, "COUNT") {
                search.count = Some(size().ok_or(Reply::error("ERR COUNT can't be negative"))?);
            } else if is(option, "MAXLEN") {
                let max = size().ok_or(Reply::error("ERR MAXLEN can't be negative"))?;
                search.compared_max = if max == 0 { usize::MAX } else { max };
            } else {
                return Err(SYNTAX);
            }
        }
        Ok(search)
    }

    fn places(&self, list: &List, wanted: Wanted<'_>) -> Vec<usize> {
        let mut passed = 0;
        let count = match self.count {
            None => 1,
            Some(0) => usize::MAX,
            Some(count) => count,
        };
        let mut chosen = |equal: bool| {
            passed += u64::from(equal);
            equal && passed > self.skip
        };
        let last = list.len() - 1;
        if self.backwards {
            let elements = list.iter().rev().enumerate().take(self.compared_max);
            let found = elements.filter(|(_, element)| chosen(wanted.is(*element)));
            found.map(|(place, _)| last - place).take(count).collect()
        } else {
            let elements = list.iter().enumerate().take(self.compared_max);
            let found = elements.filter(|(_, element)| chosen(wanted.is(*element)));
            found.map(|(place, _)| place).take(count).collect()
        }
    }
}

/// Since 7.2; 7.0 takes the number whose opposite does not fit for itself.
const RANK_TOO_FAR: Reply<'static> = Reply::error(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const RANK_ZERO: Reply<'static> = Reply::error(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
     or use negative to start from the end of the list",
);
