//! SORT and SORT_RO: the elements of a list, a set or a sorted set in another order, or what other
//! keys hold that their names lead to.
//!
//! A pattern names a key for each element, which takes the place of its `*`; with `->` behind, a
//! field of the hash there. Such keys are known only while the command runs: a call with a pattern
//! locks everything, and in a cluster the server refuses it beforehand.
//!
//! Texts are compared by their bytes, as Redis does in the C locale. Elements that compare equal
//! keep the order in which their collection has them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use resp::Reply;

use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::hash::Hash;
use crate::list::{List, ListBuilder, NodeLimit};
use crate::number::parse_weight;
use crate::set::Set;
use crate::value::{Kind, StringValue, Ttl, WrongType};
use crate::zset::Zset;

const COMPLEXITY: &str = "O(N*log(N)+M) for N elements in the key and M returned, \
                          O(N) if they are not sorted";

const BY: Arg = Arg::new("by-pattern", ArgKind::Pattern).after("BY").optional();
const LIMIT: Arg = Arg::new(
    "limit",
    ArgKind::Block(&[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)]),
)
.after("LIMIT")
.optional();
const GET: Arg = Arg::new("get-pattern", ArgKind::Pattern).after("GET").optional().multiple_token();
const ORDER: Arg =
    Arg::new("order", ArgKind::OneOf(&[Arg::keyword("asc", "ASC"), Arg::keyword("desc", "DESC")]))
        .optional();
const ALPHA: Arg = Arg::keyword("sorting", "ALPHA").optional();

pub(super) const SORT: Command = Command {
    spec: Spec {
        name: "sort",
        group: Group::Generic,
        since: "1.0.0",
        complexity: COMPLEXITY,
        summary: "Returns or stores the elements of a list, a set or a sorted set, sorted.",
        arity: -2,
        keys: Keys::FirstAndComputed(store_index),
        flags: Flags::WRITE
            .and(Flags::DENYOOM)
            .and(Flags::MOVABLE_KEYS)
            .and(Flags::DANGEROUS)
            .and(Flags::PATTERN_KEYS),
        args: &[
            Arg::key("key"),
            BY,
            LIMIT,
            GET,
            ORDER,
            ALPHA,
            Arg::key("destination").after("STORE").optional(),
        ],
    },
    run: Run::Write(|txn, args| settle(sort(txn, args))),
};

fn sort(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let options = Options::read(args, true)?;
    let Some(destination) = options.destination.map(|index| args[index]) else {
        return answer(txn, args[1], &options).map(Reply::into_owned);
    };
    let mut builder = ListBuilder::new(NodeLimit::of(&txn.limits()));
    let mut count = 0;
    sorted(txn, args[1], &options)?.each_value(txn, &options, |value| {
        let value = value.unwrap_or(StringValue::Bytes(b""));
        builder.push(value.as_bytes(&mut itoa::Buffer::new()));
        count += 1;
    });
    match builder.finish() {
        Some(list) => txn.put(destination, list, Ttl::Clear),
        None => {
            txn.remove(destination);
        }
    }
    Ok(Reply::Integer(count))
}

pub(super) const SORT_RO: Command = Command {
    spec: Spec {
        name: "sort_ro",
        group: Group::Generic,
        since: "7.0.0",
        complexity: COMPLEXITY,
        summary: "Returns the elements of a list, a set or a sorted set, sorted.",
        arity: -2,
        keys: Keys::FIRST,
        flags: Flags::READONLY
            .and(Flags::MOVABLE_KEYS)
            .and(Flags::DANGEROUS)
            .and(Flags::PATTERN_KEYS),
        args: &[Arg::key("key"), BY, LIMIT, GET, ORDER, ALPHA],
    },
    run: Run::Read(|view, args| settle(sort_ro(view, args))),
};

fn sort_ro<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    answer(view, args[1], &Options::read(args, false)?)
}

fn answer<'v>(view: &'v View<'_>, key: &[u8], options: &Options<'_>) -> Answer<'v> {
    let mut replies = Vec::new();
    sorted(view, key, options)?.each_value(view, options, |value| {
        replies.push(value.map_or(Reply::Null, |value| value.reply()));
    });
    Ok(Reply::Array(replies))
}

/// What follows the key.
#[derive(Default)]
struct Options<'a> {
    by: Option<Pattern<'a>>,
    /// BY names the same for every element: nothing is to be sorted.
    unsorted: bool,
    limit: Option<(i64, i64)>,
    get: Vec<Pattern<'a>>,
    descending: bool,
    alpha: bool,
    /// The index of the argument behind STORE.
    destination: Option<usize>,
}

impl<'a> Options<'a> {
    /// Options may come in any order, and but for GET the last one of a kind counts. A BY without
    /// `*` is never forgotten, though, even if another one follows.
    fn read(args: Args<'a>, may_store: bool) -> Result<Options<'a>, Reply<'static>> {
        let mut options = Options::default();
        let mut rest = &args[2..];
        while let [option, tail @ ..] = rest {
            rest = match tail {
                _ if is(option, "ASC") || is(option, "DESC") => {
                    options.descending = is(option, "DESC");
                    tail
                }
                _ if is(option, "ALPHA") => {
                    options.alpha = true;
                    tail
                }
                [offset, count, tail @ ..] if is(option, "LIMIT") => {
                    options.limit = Some((integer(offset)?, integer(count)?));
                    tail
                }
                [_, tail @ ..] if may_store && is(option, "STORE") => {
                    options.destination = Some(args.len() - tail.len() - 1);
                    tail
                }
                [pattern, tail @ ..] if is(option, "BY") => {
                    let pattern = Pattern::new(pattern);
                    options.unsorted |= matches!(pattern, Pattern::Constant | Pattern::Element);
                    options.by = Some(pattern);
                    tail
                }
                [pattern, tail @ ..] if is(option, "GET") => {
                    options.get.push(Pattern::new(pattern));
                    tail
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(options)
    }

    /// The part of so many sorted elements that is asked for.
    fn part(&self, len: usize) -> Range<usize> {
        let (offset, count) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset.max(0)).unwrap_or(len).min(len);
        // A negative count asks for all.
        let count = usize::try_from(count).unwrap_or(len).min(len - start);
        start..start + count
    }
}

/// Where STORE's key is; the same reading as the handler's, which changes no other key.
fn store_index(args: Args<'_>) -> Option<usize> {
    Options::read(args, true).ok()?.destination
}

/// What BY and GET name for an element.
#[derive(Clone, Copy)]
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// A key that is the same for every element: nothing, as Redis sees it.
    Constant,
    /// What stands before and behind the element in the name of a key, and a hash's field.
    Key { before: &'a [u8], behind: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn new(pattern: &'a [u8]) -> Pattern<'a> {
        let Some(star) = pattern.iter().position(|byte| *byte == b'*') else {
            return if pattern == b"#" { Pattern::Element } else { Pattern::Constant };
        };
        let (before, behind) = (&pattern[..star], &pattern[star + 1..]);
        // An arrow at the very end belongs to the key.
        let arrow = behind.windows(2).position(|two| two == b"->");
        match arrow.filter(|arrow| arrow + 2 < behind.len()) {
            Some(arrow) => {
                let field = Some(&behind[arrow + 2..]);
                Pattern::Key { before, behind: &behind[..arrow], field }
            }
            None => Pattern::Key { before, behind, field: None },
        }
    }

    /// What it names for an element, if there is such a string or field.
    fn value<'v>(self, view: &'v View<'_>, element: StringValue<'v>) -> Option<StringValue<'v>> {
        let (before, behind, field) = match self {
            Pattern::Element => return Some(element),
            Pattern::Constant => return None,
            Pattern::Key { before, behind, field } => (before, behind, field),
        };
        let mut digits = itoa::Buffer::new();
        let key = [before, element.as_bytes(&mut digits), behind].concat();
        match field {
            Some(field) => view.data::<Hash>(&key).ok()??.get(field),
            None => view.string(&key).ok()?,
        }
    }
}

/// Elements in order, those of them that were asked for.
struct Sorted<'v>(Vec<StringValue<'v>>);

impl<'v> Sorted<'v> {
    /// Gives out what the options ask for of each element: itself, or what patterns name.
    fn each_value(
        &self,
        view: &'v View<'_>,
        options: &Options<'_>,
        mut give: impl FnMut(Option<StringValue<'v>>),
    ) {
        for element in &self.0 {
            if options.get.is_empty() {
                give(Some(*element));
            }
            for pattern in &options.get {
                give(pattern.value(view, *element));
            }
        }
    }
}

fn sorted<'v>(
    view: &'v View<'_>,
    key: &[u8],
    options: &Options<'_>,
) -> Result<Sorted<'v>, Reply<'static>> {
    let Some(source) = Source::find(view, key)? else { return Ok(Sorted(Vec::new())) };
    let part = options.part(source.len());
    // What is stored must not depend on the order in which a set happens to lie.
    let for_store = matches!(source, Source::Set(_)) && options.destination.is_some();
    match options.unsorted {
        true if for_store => Ok(Sorted(by_text(source, None, view, options, part))),
        true => Ok(Sorted(source.unsorted(options.descending, part))),
        false if options.alpha => Ok(Sorted(by_text(source, options.by, view, options, part))),
        false => by_number(source, view, options, part).map(Sorted),
    }
}

/// Sorted by the texts that BY names, or by the elements themselves.
fn by_text<'v>(
    source: Source<'v>,
    by: Option<Pattern<'_>>,
    view: &'v View<'_>,
    options: &Options<'_>,
    part: Range<usize>,
) -> Vec<StringValue<'v>> {
    let mut weighed: Vec<(Option<Cow<'v, [u8]>>, StringValue<'v>)> = Vec::new();
    weighed.extend(source.all().map(|element| {
        let weight = by.map_or(Some(element), |by| by.value(view, element));
        (weight.map(|weight| weight.to_bytes()), element)
    }));
    // What names nothing comes first.
    cut(weighed, part, options.descending, |left, right| left.0.cmp(&right.0))
}

/// Sorted by the numbers that BY names, or by the elements themselves. What names nothing is 0.
fn by_number<'v>(
    source: Source<'v>,
    view: &'v View<'_>,
    options: &Options<'_>,
    part: Range<usize>,
) -> Result<Vec<StringValue<'v>>, Reply<'static>> {
    let mut weighed: Vec<(f64, StringValue<'v>)> = Vec::with_capacity(source.len());
    for element in source.all() {
        let weight = options.by.map_or(Some(element), |by| by.value(view, element));
        let weight = match weight {
            None => Some(0.0),
            Some(StringValue::Int(number)) => Some(number as f64),
            Some(StringValue::Bytes(text)) => parse_weight(text),
        };
        weighed.push((weight.ok_or(NO_NUMBER)?, element));
    }
    let texts = |left: StringValue<'_>, right: StringValue<'_>| {
        let (mut left_digits, mut right_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        left.as_bytes(&mut left_digits).cmp(right.as_bytes(&mut right_digits))
    };
    let order = |left: &(f64, StringValue<'v>), right: &(f64, StringValue<'v>)| {
        let order = left.0.partial_cmp(&right.0).expect("no weight is NaN");
        order.then_with(|| texts(left.1, right.1))
    };
    Ok(cut(weighed, part, options.descending, order))
}

const NO_NUMBER: Reply<'static> =
    Reply::error("ERR One or more scores can't be converted into double");

/// Sorts, and takes the part that is asked for.
fn cut<'v, W>(
    mut weighed: Vec<(W, StringValue<'v>)>,
    part: Range<usize>,
    descending: bool,
    order: impl Fn(&(W, StringValue<'v>), &(W, StringValue<'v>)) -> Ordering,
) -> Vec<StringValue<'v>> {
    match descending {
        true => weighed.sort_by(|left, right| order(right, left)),
        false => weighed.sort_by(order),
    }
    weighed.drain(part).map(|(_, element)| element).collect()
}

/// What can be sorted.
enum Source<'v> {
    List(&'v List),
    Set(&'v Set),
    Zset(&'v Zset),
}

impl<'v> Source<'v> {
    fn find(view: &'v View<'_>, key: &[u8]) -> Result<Option<Source<'v>>, WrongType> {
        let Some(found) = view.find(key) else { return Ok(None) };
        match found.kind() {
            Kind::List => found.data().map(Source::List),
            Kind::Set => found.data().map(Source::Set),
            Kind::Zset => found.data().map(Source::Zset),
            Kind::String | Kind::Hash | Kind::Stream => Err(WrongType),
        }
        .map(Some)
    }

    fn len(&self) -> usize {
        match self {
            Source::List(list) => list.len(),
            Source::Set(set) => set.len(),
            Source::Zset(zset) => zset.len(),
        }
    }

    /// All elements, in the collection's order.
    fn all(&self) -> Box<dyn Iterator<Item = StringValue<'v>> + 'v> {
        match self {
            Source::List(list) => Box::new(list.iter()),
            Source::Set(set) => Box::new(set.iter()),
            Source::Zset(zset) => Box::new(zset.iter().map(|(member, _)| member)),
        }
    }

    /// A part of the elements in the collection's order, or backwards; a set has neither.
    fn unsorted(&self, backwards: bool, part: Range<usize>) -> Vec<StringValue<'v>> {
        match self {
            Source::List(list) if backwards => {
                list.iter().rev().skip(part.start).take(part.len()).collect()
            }
            Source::List(list) => list.iter_from(part.start).take(part.len()).collect(),
            Source::Set(set) => set.iter().skip(part.start).take(part.len()).collect(),
            Source::Zset(zset) => {
                let len = zset.len();
                let ranks = if backwards { len - part.end..len - part.start } else { part };
                zset.pairs(ranks, backwards).map(|(member, _)| member).collect()
            }
        }
    }
}
