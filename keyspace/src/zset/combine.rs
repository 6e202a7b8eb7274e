//! Unions, intersections and differences of sorted sets, and of sets, whose members count 1 each:
//! ZUNION, ZINTER, ZDIFF, the same to be stored, and ZINTERCARD.
//!
//! Sums of doubles depend on their order, so inputs are taken in Redis' order: for unions and
//! intersections from the smallest to the largest.

use std::cmp::Ordering;
use std::collections::HashMap;

use resp::Reply;

use super::Zset;
use super::range::store;
use crate::access::{Txn, View};
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::number::parse_double;
use crate::object::Object;
use crate::set::Set;
use crate::value::{StringValue, WrongType};

const NUMKEYS: Arg = Arg::new("numkeys", ArgKind::Integer);
const KEY: Arg = Arg::key("key").multiple();
const WEIGHTS: Arg = Arg::new("weight", ArgKind::Integer).after("WEIGHTS").optional().multiple();
const AGGREGATE: Arg = Arg::new(
    "aggregate",
    ArgKind::OneOf(&[
        Arg::keyword("sum", "SUM"),
        Arg::keyword("min", "MIN"),
        Arg::keyword("max", "MAX"),
    ]),
)
.after("AGGREGATE")
.optional();
const WITHSCORES: Arg = Arg::keyword("withscores", "WITHSCORES").optional();

const READ: Flags = Flags::READONLY.and(Flags::MOVABLE_KEYS);
const STORE: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::MOVABLE_KEYS);

const COMPLEXITY_UNION: &str = "O(N)+O(M*log(M)) for N members in all and M in the result";
const COMPLEXITY_INTER: &str =
    "O(N*K)+O(M*log(M)) for K sorted sets, N members in the smallest and M in the result";
const COMPLEXITY_DIFF: &str =
    "O(N*K)+O(M*log(M)) for K sorted sets, N members in the first and M in the result";

pub(super) const ZUNION: Command = Command {
    spec: Spec {
        name: "zunion",
        group: Group::SortedSet,
        since: "6.2.0",
        complexity: COMPLEXITY_UNION,
        summary: "Returns the union of sorted sets.",
        arity: -3,
        keys: Keys::Counted { at: 1 },
        flags: READ,
        args: &[NUMKEYS, KEY, WEIGHTS, AGGREGATE, WITHSCORES],
    },
    run: Run::Read(|view, args| settle(combine(view, args, Form::new(Operation::Union, "zunion")))),
};

pub(super) const ZINTER: Command = Command {
    spec: Spec {
        name: "zinter",
        group: Group::SortedSet,
        since: "6.2.0",
        complexity: COMPLEXITY_INTER,
        summary: "Returns the intersection of sorted sets.",
        arity: -3,
        keys: Keys::Counted { at: 1 },
        flags: READ,
        args: &[NUMKEYS, KEY, WEIGHTS, AGGREGATE, WITHSCORES],
    },
    run: Run::Read(|view, args| settle(combine(view, args, Form::new(Operation::Inter, "zinter")))),
};

pub(super) const ZDIFF: Command = Command {
    spec: Spec {
        name: "zdiff",
        group: Group::SortedSet,
        since: "6.2.0",
        complexity: COMPLEXITY_DIFF,
        summary: "Returns the members of the first sorted set that no other has.",
        arity: -3,
        keys: Keys::Counted { at: 1 },
        flags: READ,
        args: &[NUMKEYS, KEY, WITHSCORES],
    },
    run: Run::Read(|view, args| settle(combine(view, args, Form::new(Operation::Diff, "zdiff")))),
};

fn combine<'v>(view: &'v View<'_>, args: Args<'_>, form: Form) -> Answer<'v> {
    let query = Query::read(view, &args[1..], form)?;
    let pairs = query.run(form.operation);
    Ok(if query.with_scores {
        Reply::FlatPairs(
            pairs.iter().map(|(member, score)| (member.reply(), Reply::Double(*score))).collect(),
        )
    } else {
        Reply::Array(pairs.iter().map(|(member, _)| member.reply()).collect())
    })
}

pub(super) const ZINTERCARD: Command = Command {
    spec: Spec {
        name: "zintercard",
        group: Group::SortedSet,
        since: "7.0.0",
        complexity: "O(N*K) for K sorted sets and N members in the smallest",
        summary: "Counts the members that all sorted sets have.",
        arity: -3,
        keys: Keys::Counted { at: 1 },
        flags: READ,
        args: &[NUMKEYS, KEY, Arg::new("limit", ArgKind::Integer).after("LIMIT").optional()],
    },
    run: Run::Read(|view, args| settle(zintercard(view, args))),
};

fn zintercard<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    let form = Form { counts: true, ..Form::new(Operation::Inter, "zintercard") };
    let query = Query::read(view, &args[1..], form)?;
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    Ok(Reply::Integer(query.intersection().take(limit).count() as i64))
}

pub(super) const ZUNIONSTORE: Command = Command {
    spec: Spec {
        name: "zunionstore",
        group: Group::SortedSet,
        since: "2.0.0",
        complexity: COMPLEXITY_UNION,
        summary: "Stores the union of sorted sets at a key.",
        arity: -4,
        keys: Keys::FirstAndCounted { at: 2 },
        flags: STORE,
        args: &[Arg::key("destination"), NUMKEYS, KEY, WEIGHTS, AGGREGATE],
    },
    run: Run::Write(|txn, args| {
        settle(combine_store(txn, args, Form::new(Operation::Union, "zunionstore")))
    }),
};

pub(super) const ZINTERSTORE: Command = Command {
    spec: Spec {
        name: "zinterstore",
        group: Group::SortedSet,
        since: "2.0.0",
        complexity: COMPLEXITY_INTER,
        summary: "Stores the intersection of sorted sets at a key.",
        arity: -4,
        keys: Keys::FirstAndCounted { at: 2 },
        flags: STORE,
        args: &[Arg::key("destination"), NUMKEYS, KEY, WEIGHTS, AGGREGATE],
    },
    run: Run::Write(|txn, args| {
        settle(combine_store(txn, args, Form::new(Operation::Inter, "zinterstore")))
    }),
};

pub(super) const ZDIFFSTORE: Command = Command {
    spec: Spec {
        name: "zdiffstore",
        group: Group::SortedSet,
        since: "6.2.0",
        complexity: COMPLEXITY_DIFF,
        summary: "Stores the members of the first sorted set that no other has at a key.",
        arity: -4,
        keys: Keys::FirstAndCounted { at: 2 },
        flags: STORE,
        args: &[Arg::key("destination"), NUMKEYS, KEY],
    },
    run: Run::Write(|txn, args| {
        settle(combine_store(txn, args, Form::new(Operation::Diff, "zdiffstore")))
    }),
};

fn combine_store(txn: &mut Txn<'_>, args: Args<'_>, form: Form) -> Answer<'static> {
    let limits = txn.limits();
    let query = Query::read(txn, &args[2..], Form { stores: true, ..form })?;
    let pairs = query.run(form.operation);
    let result = (!pairs.is_empty()).then(|| (pairs.len(), Zset::from_sorted(&pairs, &limits)));
    Ok(store(txn, args[1], result))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of the scores of a member that is in several sets.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Aggregate::Sum => number_or_zero(left + right),
            Aggregate::Min if right < left => right,
            Aggregate::Max if right > left => right,
            Aggregate::Min | Aggregate::Max => left,
        }
    }
}

/// Infinities of both signs make zero, and so does an infinity weighted with zero.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A command of the family.
#[derive(Clone, Copy)]
struct Form {
    operation: Operation,
    name: &'static str,
    stores: bool,
    counts: bool,
}

impl Form {
    fn new(operation: Operation, name: &'static str) -> Form {
        Form { operation, name, stores: false, counts: false }
    }
}

/// What is combined, and how.
struct Query<'v> {
    inputs: Vec<Input<'v>>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: usize,
}

impl<'v> Query<'v> {
    /// Reads arguments from the number of keys on. Keys are looked up before options are read, as
    /// errors show.
    fn read(view: &'v View<'_>, args: &[&[u8]], form: Form) -> Result<Query<'v>, Reply<'static>> {
        let count = integer(args[0])?;
        if count < 1 {
            let name = form.name;
            let text = format!("ERR at least 1 input key is needed for '{name}' command");
            return Err(Reply::Error(text.into()));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let (keys, options) = args[1..].split_at_checked(count).ok_or(SYNTAX)?;
        let inputs = keys.iter().map(|key| Input::find(view, key)).collect::<Result<_, _>>()?;
        let mut query = Query { inputs, aggregate: Aggregate::Sum, with_scores: false, limit: 0 };
        query.read_options(options, form)?;
        if form.operation != Operation::Diff {
            query.inputs.sort_by_key(Input::len);
        }
        Ok(query)
    }

    fn read_options(&mut self, mut rest: &[&[u8]], form: Form) -> Result<(), Reply<'static>> {
        let weighs = form.operation != Operation::Diff && !form.counts;
        while let [option, tail @ ..] = rest {
            rest = tail;
            if weighs && is(option, "WEIGHTS") {
                let (weights, tail) = rest.split_at_checked(self.inputs.len()).ok_or(SYNTAX)?;
                rest = tail;
                for (input, weight) in self.inputs.iter_mut().zip(weights) {
                    input.weight = parse_double(weight)
                        .ok_or(Reply::error("ERR weight value is not a float"))?;
                }
            } else if !form.stores && !form.counts && is(option, "WITHSCORES") {
                self.with_scores = true;
            } else if let [value, tail @ ..] = rest {
                rest = tail;
                if weighs && is(option, "AGGREGATE") {
                    self.aggregate = read_aggregate(value)?;
                } else if form.counts && is(option, "LIMIT") {
                    let limit = integer(value).ok().and_then(|limit| usize::try_from(limit).ok());
                    self.limit = limit.ok_or(Reply::error("ERR LIMIT can't be negative"))?;
                } else {
                    return Err(SYNTAX);
                }
            } else {
                return Err(SYNTAX);
            }
        }
        Ok(())
    }

    /// The result, in order.
    fn run(&self, operation: Operation) -> Vec<(StringValue<'v>, f64)> {
        let mut pairs = match operation {
            Operation::Union => self.union(),
            Operation::Inter => self.intersection().collect(),
            Operation::Diff => self.difference(),
        };
        pairs.sort_unstable_by(|(left, left_score), (right, right_score)| {
            let by_score = left_score.partial_cmp(right_score).expect("NaN was made zero");
            by_score.then_with(|| compare(*left, *right))
        });
        pairs
    }

    fn union(&self) -> Vec<(StringValue<'v>, f64)> {
        let mut pairs: Vec<(StringValue<'v>, f64)> = Vec::new();
        let mut places: HashMap<StringValue<'v>, usize> = HashMap::new();
        for input in &self.inputs {
            for (member, score) in input.pairs() {
                let score = number_or_zero(input.weight * score);
                let place = *places.entry(canonical(member)).or_insert(pairs.len());
                match pairs.get_mut(place) {
                    Some((_, sum)) => *sum = self.aggregate.of(*sum, score),
                    None => pairs.push((member, score)),
                }
            }
        }
        pairs
    }

    fn intersection(&self) -> impl Iterator<Item = (StringValue<'v>, f64)> + use<'_, 'v> {
        let (smallest, others) = self.inputs.split_first().expect("at least one key");
        smallest.pairs().filter_map(move |(member, score)| {
            let mut sum = number_or_zero(smallest.weight * score);
            for other in others {
                sum = self.aggregate.of(sum, other.weight * other.score(member)?);
            }
            Some((member, sum))
        })
    }

    fn difference(&self) -> Vec<(StringValue<'v>, f64)> {
        let (first, others) = self.inputs.split_first().expect("at least one key");
        let is_alone = |member| others.iter().all(|other| other.score(member).is_none());
        first.pairs().filter(|(member, _)| is_alone(*member)).collect()
    }
}

fn read_aggregate(argument: &[u8]) -> Result<Aggregate, Reply<'static>> {
    if is(argument, "SUM") {
        Ok(Aggregate::Sum)
    } else if is(argument, "MIN") {
        Ok(Aggregate::Min)
    } else if is(argument, "MAX") {
        Ok(Aggregate::Max)
    } else {
        Err(SYNTAX)
    }
}

/// A key's members with their scores.
struct Input<'v> {
    members: Members<'v>,
    weight: f64,
}

enum Members<'v> {
    None,
    Zset(&'v Zset),
    Set(&'v Set),
}

impl<'v> Input<'v> {
    fn find(view: &'v View<'_>, key: &[u8]) -> Result<Input<'v>, WrongType> {
        let members = match view.find(key).map(|found| found.object()) {
            None => Members::None,
            Some(Some(Object::Zset(zset))) => Members::Zset(zset),
            Some(Some(Object::Set(set))) => Members::Set(set),
            Some(_) => return Err(WrongType),
        };
        Ok(Input { members, weight: 1.0 })
    }

    fn len(&self) -> usize {
        match self.members {
            Members::None => 0,
            Members::Zset(zset) => zset.len(),
            Members::Set(set) => set.len(),
        }
    }

    fn pairs(&self) -> Box<dyn Iterator<Item = (StringValue<'v>, f64)> + 'v> {
        match self.members {
            Members::None => Box::new(std::iter::empty()),
            Members::Zset(zset) => Box::new(zset.iter()),
            Members::Set(set) => Box::new(set.iter().map(|member| (member, 1.0))),
        }
    }

    fn score(&self, member: StringValue<'_>) -> Option<f64> {
        match self.members {
            Members::None => None,
            Members::Zset(zset) => zset.score(member.as_bytes(&mut itoa::Buffer::new())),
            Members::Set(set) => set.contains(member).then_some(1.0),
        }
    }
}

/// The one form of a member that may be stored as an integer here and as text there.
fn canonical(member: StringValue<'_>) -> StringValue<'_> {
    match member {
        StringValue::Int(_) => member,
        StringValue::Bytes(bytes) => StringValue::encode(bytes),
    }
}

/// By bytes.
fn compare(left: StringValue<'_>, right: StringValue<'_>) -> Ordering {
    let (left_digits, right_digits) = (&mut itoa::Buffer::new(), &mut itoa::Buffer::new());
    left.as_bytes(left_digits).cmp(right.as_bytes(right_digits))
}
