//! Sorted sets against a model, while limits change the encodings under them, and what their
//! commands cost at a million members.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use resp::Reply;

use crate::reply::{bytes, scanned, strings};
use crate::world::World;

/// Each key's members in order.
type Model = BTreeMap<&'static str, Vec<(f64, String)>>;

const KEYS: [&str; 3] = ["a", "b", "{a}1"];

#[derive(Clone, Debug)]
enum Step {
    Limits(usize, usize),
    Add(&'static str, &'static str, Vec<(f64, String)>),
    /// So many members with scores of a clock.
    Fill(&'static str, usize),
    Increment(&'static str, f64, String),
    Remove(&'static str, Vec<String>),
    RemoveRanks(&'static str, i64, i64),
    RemoveScores(&'static str, f64, f64),
    Pop(&'static str, &'static str, usize),
    Store(&'static str, &'static str, Vec<(&'static str, i32)>, &'static str),
    StoreRange(&'static str, &'static str, f64, f64, i64, i64),
    Look(&'static str, String, f64, f64, i64, i64),
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KEYS[..])
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => (-9..20_i64).prop_map(|number| number.to_string()),
        4 => "[a-e]{1,2}",
        1 => prop::sample::select(vec!["", "01", "-0", "a rather long member, for one"])
            .prop_map(str::to_owned),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-9..9_i32).prop_map(|score| f64::from(score) / 2.0),
        2 => -1e3..1e3,
        1 => prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 1e300, 5e-324, 1e17]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let condition = prop::sample::select(vec!["", "nx", "xx", "gt", "lt"]);
    let pairs = prop::collection::vec((score(), member()), 1..7);
    let store = prop::sample::select(vec!["zinterstore", "zunionstore", "zdiffstore"]);
    let inputs = prop::collection::vec((key(), -2..3_i32), 1..4);
    let aggregate = prop::sample::select(vec!["sum", "min", "max"]);
    let (offset, count) = (|| -1..9_i64, || -1..9_i64);
    prop_oneof![
        1 => (0..12_usize, 0..12_usize).prop_map(|(entries, value)| Step::Limits(entries, value)),
        8 => (condition, key(), pairs).prop_map(|(how, key, pairs)| Step::Add(how, key, pairs)),
        1 => (key(), 1..900_usize).prop_map(|(key, count)| Step::Fill(key, count)),
        3 => (key(), score(), member()).prop_map(|(key, by, member)| Step::Increment(key, by, member)),
        3 => (key(), prop::collection::vec(member(), 1..7))
            .prop_map(|(key, members)| Step::Remove(key, members)),
        1 => (key(), -9..9_i64, -9..9_i64).prop_map(|(key, from, to)| Step::RemoveRanks(key, from, to)),
        1 => (key(), score(), score()).prop_map(|(key, min, max)| Step::RemoveScores(key, min, max)),
        2 => (prop::sample::select(vec!["zpopmin", "zpopmax"]), key(), 0..5_usize)
            .prop_map(|(verb, key, count)| Step::Pop(verb, key, count)),
        2 => (store, key(), inputs, aggregate)
            .prop_map(|(verb, to, from, how)| Step::Store(verb, to, from, how)),
        1 => (key(), key(), score(), score(), offset(), count())
            .prop_map(|(to, from, min, max, o, c)| Step::StoreRange(to, from, min, max, o, c)),
        6 => (key(), member(), score(), score(), offset(), count())
            .prop_map(|(key, member, min, max, o, c)| Step::Look(key, member, min, max, o, c)),
    ]
}

fn run(world: &mut World, words: &[&str]) -> Reply<'static> {
    let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    world.run(&args)
}

fn run_all(world: &mut World, words: &[String]) -> Reply<'static> {
    run(world, &words.iter().map(String::as_str).collect::<Vec<&str>>())
}

fn integer(number: usize) -> Reply<'static> {
    Reply::Integer(number as i64)
}

/// A double that is read back exactly.
fn text(score: f64) -> String {
    format!("{score:e}")
}

fn members(model: &Model, key: &str) -> Vec<(f64, String)> {
    model.get(key).cloned().unwrap_or_default()
}

fn sort(members: &mut [(f64, String)]) {
    members.sort_by(|left, right| left.partial_cmp(right).expect("no score is NaN"));
}

/// The model's ZADD: how many were added, and how many changed.
fn add(members: &mut Vec<(f64, String)>, how: &str, pairs: &[(f64, String)]) -> (usize, usize) {
    let (mut added, mut changed) = (0, 0);
    for (score, member) in pairs {
        match members.iter_mut().find(|(_, other)| other == member) {
            None if how != "xx" => {
                members.push((*score, member.clone()));
                added += 1;
            }
            Some((before, _)) => {
                let wanted = match how {
                    "nx" => false,
                    "gt" => score > before,
                    "lt" => score < before,
                    _ => true,
                };
                if wanted && score != before {
                    *before = *score;
                    changed += 1;
                }
            }
            None => {}
        }
    }
    sort(members);
    (added, changed)
}

fn take(world: &mut World, model: &mut Model, step: &Step) {
    match step {
        Step::Limits(entries, value) => {
            let line = format!(
                "ringfort.limits zset-max-listpack-entries {entries} \
                 zset-max-listpack-value {value}"
            );
            assert_eq!(world.words(&line), Reply::OK);
        }
        Step::Add(how, key, pairs) => {
            let (added, changed) = add(model.entry(key).or_default(), how, pairs);
            let mut words = vec!["zadd".to_owned(), (*key).to_owned()];
            words.extend([*how].iter().filter(|how| !how.is_empty()).map(|how| (*how).to_owned()));
            words.push("ch".to_owned());
            words.extend(pairs.iter().flat_map(|(score, name)| [text(*score), name.clone()]));
            assert_eq!(run_all(world, &words), integer(added + changed));
        }
        Step::Fill(key, count) => {
            let pair = |at: usize| (at as f64 / 3.0, format!("clock:{at}"));
            let pairs: Vec<(f64, String)> = (0..*count).map(pair).collect();
            let (added, _) = add(model.entry(key).or_default(), "", &pairs);
            let mut words = vec!["zadd".to_owned(), (*key).to_owned()];
            words.extend(pairs.iter().flat_map(|(score, name)| [text(*score), name.clone()]));
            assert_eq!(run_all(world, &words), integer(added));
        }
        Step::Increment(key, by, member) => increment(world, model, key, *by, member),
        Step::Remove(..) | Step::RemoveRanks(..) | Step::RemoveScores(..) | Step::Pop(..) => {
            take_out(world, model, step);
        }
        Step::Store(..) | Step::StoreRange(..) => store(world, model, step),
        Step::Look(key, member, min, max, offset, count) => {
            look(world, &members(model, key), key, member, (*min, *max));
            limits(world, &members(model, key), key, (*min, *max), (*offset, *count));
        }
    }
}

fn take_out(world: &mut World, model: &mut Model, step: &Step) {
    match step {
        Step::Remove(key, gone) => {
            let members = model.entry(key).or_default();
            let before = members.len();
            members.retain(|(_, member)| !gone.contains(member));
            let removed = before - members.len();
            let mut words = vec!["zrem".to_owned(), (*key).to_owned()];
            words.extend_from_slice(gone);
            assert_eq!(run_all(world, &words), integer(removed));
        }
        Step::RemoveRanks(key, from, to) => {
            let members = model.entry(key).or_default();
            let len = members.len() as i64;
            let absolute = |rank: i64| if rank < 0 { rank + len } else { rank };
            let mut rank = -1;
            members.retain(|_| {
                rank += 1;
                !(absolute(*from)..=absolute(*to)).contains(&rank)
            });
            let removed = len as usize - members.len();
            let words = ["zremrangebyrank", key, &from.to_string(), &to.to_string()];
            assert_eq!(run(world, &words), integer(removed));
        }
        Step::RemoveScores(key, min, max) => {
            let members = model.entry(key).or_default();
            let before = members.len();
            members.retain(|(score, _)| !(min < score && score <= max));
            let removed = before - members.len();
            let words = ["zremrangebyscore", key, &format!("({}", text(*min)), &text(*max)];
            assert_eq!(run(world, &words), integer(removed));
        }
        Step::Pop(verb, key, count) => {
            let members = model.entry(key).or_default();
            let count = (*count).min(members.len());
            let popped: Vec<_> = if *verb == "zpopmin" {
                members.drain(..count).collect()
            } else {
                members.drain(members.len() - count..).rev().collect()
            };
            let reply = run(world, &[verb, key, &count.to_string()]);
            assert_eq!(pairs(&reply), popped);
        }
        _ => unreachable!("other steps take nothing out"),
    }
}

fn store(world: &mut World, model: &mut Model, step: &Step) {
    match step {
        Step::Store(verb, to, from, how) => {
            let stored = combine(model, verb, from, how);
            let mut words = vec![(*verb).to_owned(), (*to).to_owned(), from.len().to_string()];
            words.extend(from.iter().map(|(key, _)| (*key).to_owned()));
            if *verb != "zdiffstore" {
                words.push("weights".to_owned());
                words.extend(from.iter().map(|(_, weight)| weight.to_string()));
                words.extend(["aggregate".to_owned(), (*how).to_owned()]);
            }
            assert_eq!(run_all(world, &words), integer(stored.len()));
            model.insert(to, stored);
        }
        Step::StoreRange(to, from, min, max, offset, count) => {
            let within = between(&members(model, from), *min, *max);
            let mut stored = limited(within.into_iter().rev().collect(), *offset, *count);
            stored.reverse();
            let words = [
                "zrangestore",
                to,
                from,
                &text(*max),
                &text(*min),
                "byscore",
                "rev",
                "limit",
                &offset.to_string(),
                &count.to_string(),
            ];
            assert_eq!(run(world, &words), integer(stored.len()));
            model.insert(to, stored);
        }
        _ => unreachable!("other steps store nothing"),
    }
}

fn increment(world: &mut World, model: &mut Model, key: &'static str, by: f64, member: &str) {
    let members = model.entry(key).or_default();
    let reply = run(world, &["zincrby", key, &text(by), member]);
    match members.iter_mut().find(|(_, other)| other == member) {
        Some((score, _)) if (*score + by).is_nan() => {
            assert!(matches!(reply, Reply::Error(text) if text.contains("NaN")));
        }
        Some((score, _)) => {
            *score += by;
            assert_eq!(reply, Reply::Double(*score));
        }
        None => {
            members.push((by, member.to_owned()));
            assert_eq!(reply, Reply::Double(by));
        }
    }
    sort(members);
}

fn combine(
    model: &Model,
    verb: &str,
    from: &[(&'static str, i32)],
    how: &str,
) -> Vec<(f64, String)> {
    let mut inputs: Vec<_> =
        from.iter().map(|(key, weight)| (members(model, key), f64::from(*weight))).collect();
    let zero = |score: f64| if score.is_nan() { 0.0 } else { score };
    let (first, others) = inputs.split_first().expect("at least one key");
    if verb == "zdiffstore" {
        let is_alone = |name: &String| {
            others.iter().all(|(other, _)| other.iter().all(|(_, member)| member != name))
        };
        return first.0.iter().filter(|(_, name)| is_alone(name)).cloned().collect();
    }
    // Redis adds from the smallest on, and doubles show it.
    inputs.sort_by_key(|(members, _)| members.len());
    let mut sums: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for (members, weight) in &inputs {
        for (score, name) in members {
            let sum = sums.entry(name.clone()).or_insert((f64::NAN, 0));
            // An intersection makes zero of what is no number only once it is added.
            let first = sum.1 == 0 || verb == "zunionstore";
            let score = if first { zero(score * weight) } else { score * weight };
            sum.0 = match how {
                _ if sum.1 == 0 => score,
                "sum" => zero(sum.0 + score),
                "min" => sum.0.min(score),
                _ => sum.0.max(score),
            };
            sum.1 += 1;
        }
    }
    let wanted = if verb == "zinterstore" { inputs.len() } else { 1 };
    let found = sums.into_iter().filter(|(_, (_, inputs))| *inputs >= wanted);
    let mut found: Vec<_> = found.map(|(name, (score, _))| (score, name)).collect();
    sort(&mut found);
    found
}

fn between(members: &[(f64, String)], min: f64, max: f64) -> Vec<(f64, String)> {
    members.iter().filter(|(score, _)| (min..=max).contains(score)).cloned().collect()
}

fn limited(members: Vec<(f64, String)>, offset: i64, count: i64) -> Vec<(f64, String)> {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    members.into_iter().skip(offset).take(usize::try_from(count).unwrap_or(usize::MAX)).collect()
}

/// Members with their scores, out of an answer.
fn pairs(reply: &Reply<'_>) -> Vec<(f64, String)> {
    let pair = |member: &Reply<'_>, score: &Reply<'_>| {
        let Reply::Double(score) = score else { panic!("{score:?} is no score") };
        (*score, String::from_utf8(bytes(member)).expect("members are text"))
    };
    match reply {
        Reply::FlatPairs(pairs) => {
            pairs.iter().map(|(member, score)| pair(member, score)).collect()
        }
        Reply::Array(none) if none.is_empty() => Vec::new(),
        other => panic!("{other:?} has no pairs"),
    }
}

fn look(
    world: &mut World,
    members: &[(f64, String)],
    key: &str,
    name: &str,
    (min, max): (f64, f64),
) {
    assert_eq!(run(world, &["zcard", key]), integer(members.len()));
    let rank = members.iter().position(|(_, member)| member == name);
    let score = rank.map_or(Reply::Null, |rank| Reply::Double(members[rank].0));
    assert_eq!(run(world, &["zscore", key, name]), score);
    assert_eq!(run(world, &["zrank", key, name]), rank.map_or(Reply::Null, integer));
    let behind = rank.map_or(Reply::Null, |rank| integer(members.len() - 1 - rank));
    assert_eq!(run(world, &["zrevrank", key, name]), behind);
    let count = members.iter().filter(|(score, _)| min < *score && *score < max).count();
    let words = ["zcount", key, &format!("({}", text(min)), &format!("({}", text(max))];
    assert_eq!(run(world, &words), integer(count));
    if members.iter().all(|(score, _)| *score == members[0].0) {
        let from: Vec<_> = members.iter().filter(|(_, member)| **member >= *name).collect();
        let range = run(world, &["zrangebylex", key, &format!("[{name}"), "+"]);
        assert!(strings(&range).iter().eq(from.iter().map(|(_, member)| member.as_bytes())));
        let range = run(world, &["zlexcount", key, "-", &format!("({name}")]);
        assert_eq!(range, integer(members.len() - from.len()));
    }
}

fn limits(
    world: &mut World,
    members: &[(f64, String)],
    key: &str,
    (min, max): (f64, f64),
    (offset, count): (i64, i64),
) {
    let within = between(members, min, max);
    let (min, max, o, c) = (text(min), text(max), offset.to_string(), count.to_string());
    let words = ["zrange", key, &min, &max, "byscore", "limit", &o, &c, "withscores"];
    assert_eq!(pairs(&run(world, &words)), limited(within.clone(), offset, count));
    let words = ["zrevrangebyscore", key, &max, &min, "limit", &o, &c, "withscores"];
    let reversed = within.into_iter().rev().collect();
    assert_eq!(pairs(&run(world, &words)), limited(reversed, offset, count));
    let reversed: Vec<_> = members.iter().rev().cloned().collect();
    let words = ["zrange", key, &offset.to_string(), "-2", "rev", "withscores"];
    let start = if offset < 0 { members.len().saturating_sub(1) } else { offset as usize };
    let stop = members.len().saturating_sub(1);
    let expected = reversed.get(start.min(stop)..stop).unwrap_or_default();
    assert_eq!(pairs(&run(world, &words)), expected);
}

fn check(world: &mut World, model: &Model) {
    for key in KEYS {
        let members = members(model, key);
        assert_eq!(pairs(&run(world, &["zrange", key, "0", "-1", "withscores"])), members);
        assert_eq!(run(world, &["exists", key]), integer(usize::from(!members.is_empty())));
        for (rank, (_, name)) in members.iter().enumerate() {
            assert_eq!(run(world, &["zrank", key, name]), integer(rank));
        }
        let (cursor, found) = scanned(&run(world, &["zscan", key, "0", "count", "10000"]));
        let found: BTreeSet<_> = found.into_iter().step_by(2).collect();
        let names = members.iter().map(|(_, name)| name.as_bytes().to_vec());
        assert_eq!((cursor, found), (0, names.collect()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn sorted_sets_follow_the_model_whatever_their_encoding(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (mut world, mut model) = (World::new(1), Model::new());
        for step in &steps {
            take(&mut world, &mut model, step);
        }
        check(&mut world, &model);
        // A checkpoint keeps the order of a walk, too.
        let mut copy = world.restored();
        check(&mut copy, &model);
        for key in KEYS {
            let walk = ["zscan", key, "0", "count", "7"];
            prop_assert_eq!(run(&mut world, &walk), run(&mut copy, &walk));
        }
        prop_assert_eq!(world.digests(), copy.digests());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn zscan_returns_what_stays_while_the_sorted_set_changes(
        stay in 1..300_usize,
        waves in prop::collection::vec((any::<bool>(), 1..300_u32), 1..8),
        count in 1..40_usize,
    ) {
        let mut world = World::new(1);
        for member in 0..stay {
            run(&mut world, &["zadd", "z", &(member % 7).to_string(), &format!("stay:{member}")]);
        }
        let mut seen = BTreeSet::new();
        let (mut cursor, mut wave) = (0, 0);
        loop {
            let scan = ["zscan", "z", &cursor.to_string(), "count", &count.to_string()];
            let (next, found) = scanned(&run(&mut world, &scan));
            seen.extend(found.into_iter().filter(|member| member.starts_with(b"stay")));
            cursor = next;
            if cursor == 0 {
                break;
            }
            let (grow, size) = waves[wave % waves.len()];
            wave += 1;
            for other in 0..size {
                let member = format!("other:{other}");
                if grow {
                    run(&mut world, &["zadd", "z", &(other % 5).to_string(), &member]);
                } else {
                    run(&mut world, &["zrem", "z", &member]);
                }
            }
        }
        prop_assert_eq!(seen.len(), stay);
    }
}

/// A sorted set of `len` members with scores in no order.
fn filled(len: usize) -> World {
    let mut world = World::new(1);
    let members: Vec<String> = (0..len).map(|at| format!("m{at}")).collect();
    let scores: Vec<String> = (0..len).map(|at| (at * 7919 % 1_000_003).to_string()).collect();
    for (scores, members) in scores.chunks(1000).zip(members.chunks(1000)) {
        let mut words: Vec<&[u8]> = vec![b"zadd", b"z"];
        words.extend(scores.iter().zip(members).flat_map(|(s, m)| [s.as_bytes(), m.as_bytes()]));
        world.run(&words);
    }
    assert_eq!(run(&mut world, &["zcard", "z"]), integer(len));
    world
}

/// A million members cost twice the steps of a thousand, and cache misses; a command that walks
/// would cost a thousand times as much.
#[test]
fn ranks_and_ranges_of_a_million_members_cost_little_more_than_of_a_thousand() {
    const RATIO_MAX: u32 = 30;
    let (mut small, mut large) = (filled(1000), filled(1_000_000));
    for (at_small, at_large) in [
        (&["zrank", "z", "m777"][..], &["zrank", "z", "m777777"][..]),
        (&["zrange", "z", "500", "509"], &["zrange", "z", "500000", "500009"]),
        (&["zrevrange", "z", "500", "509"], &["zrevrange", "z", "500000", "500009"]),
        (&["zcount", "z", "(9", "500000"], &["zcount", "z", "(9", "500000"]),
        (
            &["zrangebyscore", "z", "0", "inf", "limit", "500", "10"],
            &["zrangebyscore", "z", "0", "inf", "limit", "500000", "10"],
        ),
        (&["zincrby", "z", "1", "m777"], &["zincrby", "z", "1", "m777777"]),
        (&["zrandmember", "z", "10"], &["zrandmember", "z", "10"]),
    ] {
        let (small, large) = (small.cost(at_small), large.cost(at_large));
        assert!(large < small * RATIO_MAX, "{at_large:?}: {large:?} against {small:?}");
    }
}
