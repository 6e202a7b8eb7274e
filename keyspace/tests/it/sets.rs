//! Sets against a model, while limits change the encodings under them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use resp::Reply;

use crate::reply::{bytes, scanned, sorted, strings};
use crate::world::World;

type Model = BTreeMap<String, BTreeSet<Vec<u8>>>;

const KEYS: [&str; 4] = ["a", "b", "{a}1", "c"];

#[derive(Clone, Debug)]
enum Step {
    Limits(usize, usize, usize),
    Add(&'static str, Vec<String>),
    Remove(&'static str, Vec<String>),
    Move(&'static str, &'static str, String),
    Pop(&'static str, Option<usize>),
    Store(&'static str, &'static str, Vec<&'static str>),
    Look(&'static str, i64),
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KEYS[..])
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..20_i64).prop_map(|number| number.to_string()),
        4 => "[a-e]{1,2}",
        1 => prop::sample::select(vec!["", "01", "-0", "+1", "70000", "-5000000000", "9223372036854775807",
            "9223372036854775808", "a rather long member, for one"]).prop_map(str::to_owned),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let members = || prop::collection::vec(member(), 1..7);
    let store = prop::sample::select(vec!["sinterstore", "sunionstore", "sdiffstore"]);
    prop_oneof![
        1 => (0..12_usize, 0..12_usize, 0..12_usize).prop_map(|(i, e, v)| Step::Limits(i, e, v)),
        6 => (key(), members()).prop_map(|(key, members)| Step::Add(key, members)),
        3 => (key(), members()).prop_map(|(key, members)| Step::Remove(key, members)),
        2 => (key(), key(), member()).prop_map(|(from, to, member)| Step::Move(from, to, member)),
        2 => (key(), prop::option::of(0..9_usize)).prop_map(|(key, count)| Step::Pop(key, count)),
        2 => (store, key(), prop::collection::vec(key(), 1..4))
            .prop_map(|(verb, to, from)| Step::Store(verb, to, from)),
        3 => (key(), -9..9_i64).prop_map(|(key, count)| Step::Look(key, count)),
    ]
}

fn run(world: &mut World, words: &[&str]) -> Reply<'static> {
    let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    world.run(&args)
}

fn with(verb: &str, key: &str, rest: &[String]) -> Vec<String> {
    let mut words = vec![verb.to_owned(), key.to_owned()];
    words.extend_from_slice(rest);
    words
}

fn run_all(world: &mut World, words: &[String]) -> Reply<'static> {
    run(world, &words.iter().map(String::as_str).collect::<Vec<&str>>())
}

fn set(model: &Model, key: &str) -> BTreeSet<Vec<u8>> {
    model.get(key).cloned().unwrap_or_default()
}

/// What the command makes of the sets at `keys`.
fn combine(model: &Model, verb: &str, keys: &[&str]) -> BTreeSet<Vec<u8>> {
    let mut sets = keys.iter().map(|key| set(model, key));
    let first = sets.next().expect("at least one key");
    sets.fold(first, |result, next| match &verb[..2] {
        "si" => &result & &next,
        "su" => &result | &next,
        _ => &result - &next,
    })
}

fn integer(number: usize) -> Reply<'static> {
    Reply::Integer(number as i64)
}

fn take(world: &mut World, model: &mut Model, step: &Step) {
    match step {
        Step::Limits(ints, entries, value) => {
            let line = format!(
                "ringfort.limits set-max-intset-entries {ints} set-max-listpack-entries {entries} \
                 set-max-listpack-value {value}"
            );
            assert_eq!(world.words(&line), Reply::OK);
        }
        Step::Add(key, members) => {
            let set = model.entry((*key).to_owned()).or_default();
            let added = members.iter().filter(|member| set.insert(member.as_bytes().to_vec()));
            let added = integer(added.count());
            assert_eq!(run_all(world, &with("sadd", key, members)), added);
        }
        Step::Remove(key, members) => {
            let set = model.entry((*key).to_owned()).or_default();
            let removed = members.iter().filter(|member| set.remove(member.as_bytes()));
            let removed = integer(removed.count());
            assert_eq!(run_all(world, &with("srem", key, members)), removed);
        }
        Step::Move(from, to, member) => {
            let moved = model.get_mut(*from).is_some_and(|set| set.remove(member.as_bytes()));
            if moved {
                let set = model.entry((*to).to_owned()).or_default();
                set.insert(member.as_bytes().to_vec());
            }
            assert_eq!(run(world, &["smove", from, to, member]), integer(moved.into()));
        }
        Step::Pop(key, count) => pop(world, model, key, *count),
        Step::Store(verb, to, from) => {
            let result = combine(model, verb, from);
            let words: Vec<&str> = [*verb, *to].into_iter().chain(from.iter().copied()).collect();
            assert_eq!(run(world, &words), integer(result.len()));
            let reading: Vec<&str> =
                [&verb[..verb.len() - 5]].into_iter().chain(from.iter().copied()).collect();
            if !from.contains(to) {
                assert_eq!(sorted(&run(world, &reading)), Vec::from_iter(result.iter().cloned()));
            }
            model.insert((*to).to_owned(), result);
        }
        Step::Look(key, count) => look(world, model, key, *count),
    }
    model.retain(|_, set| !set.is_empty());
}

fn pop(world: &mut World, model: &mut Model, key: &str, count: Option<usize>) {
    let mut nothing = BTreeSet::new();
    let set = model.get_mut(key).unwrap_or(&mut nothing);
    let popped = match count {
        None => match run(world, &["spop", key]) {
            Reply::Null => Vec::new(),
            member => vec![bytes(&member)],
        },
        Some(count) => strings(&run(world, &["spop", key, &count.to_string()])),
    };
    assert_eq!(popped.len(), count.unwrap_or(1).min(set.len()));
    for member in popped {
        assert!(set.remove(&member), "{member:?} is no member, or came twice");
    }
}

fn look(world: &mut World, model: &Model, key: &str, count: i64) {
    let set = set(model, key);
    assert_eq!(run(world, &["scard", key]), integer(set.len()));
    let drawn = strings(&run(world, &["srandmember", key, &count.to_string()]));
    assert!(drawn.iter().all(|member| set.contains(member)));
    if count >= 0 {
        let distinct: BTreeSet<_> = drawn.iter().collect();
        assert_eq!((distinct.len(), drawn.len()), (drawn.len(), set.len().min(count as usize)));
    } else if !set.is_empty() {
        assert_eq!(drawn.len() as i64, -count);
    }
    for (one, other) in KEYS.iter().zip(KEYS.iter().skip(1)) {
        let common = combine(model, "sinter", &[key, one, other]).len();
        assert_eq!(run(world, &["sintercard", "3", key, one, other]), integer(common));
        let limited = run(world, &["sintercard", "3", key, one, other, "limit", "2"]);
        assert_eq!(limited, integer(common.min(2)));
    }
}

fn check(world: &mut World, model: &Model) {
    for key in KEYS {
        let set = set(model, key);
        let members: Vec<Vec<u8>> = set.iter().cloned().collect();
        assert_eq!(sorted(&run(world, &["smembers", key])), members);
        assert_eq!(run(world, &["exists", key]), integer(usize::from(!set.is_empty())));
        let (cursor, found) = scanned(&run(world, &["sscan", key, "0", "count", "100"]));
        assert_eq!((cursor, BTreeSet::from_iter(found)), (0, set.clone()));
        for probe in ["1", "01", "a", "", "70000"] {
            let is_member = usize::from(set.contains(probe.as_bytes()));
            assert_eq!(run(world, &["sismember", key, probe]), integer(is_member));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn sets_follow_the_model_whatever_their_encoding(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (mut world, mut model) = (World::new(1), Model::new());
        for step in &steps {
            take(&mut world, &mut model, step);
        }
        check(&mut world, &model);
        // A checkpoint keeps the order of members too.
        let mut copy = world.restored();
        check(&mut copy, &model);
        for key in KEYS {
            prop_assert_eq!(
                run(&mut world, &["smembers", key]),
                run(&mut copy, &["smembers", key])
            );
        }
        prop_assert_eq!(world.digests(), copy.digests());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sscan_returns_what_stays_while_the_set_changes(
        stay in 1..300_usize,
        integers: bool,
        waves in prop::collection::vec((any::<bool>(), 1..400_u32), 1..8),
        count in 1..40_usize,
    ) {
        let mut world = World::new(1);
        for member in 0..stay {
            let member = if integers { member.to_string() } else { format!("stay:{member}") };
            run(&mut world, &["sadd", "s", &member]);
        }
        let mut seen = BTreeSet::new();
        let (mut cursor, mut wave) = (0, 0);
        loop {
            let scan = ["sscan", "s", &cursor.to_string(), "count", &count.to_string()];
            let (next, found) = scanned(&run(&mut world, &scan));
            seen.extend(found.into_iter().filter(|member| !member.starts_with(b"other")));
            cursor = next;
            if cursor == 0 {
                break;
            }
            let (grow, size) = waves[wave % waves.len()];
            wave += 1;
            for other in 0..size {
                let verb = if grow { "sadd" } else { "srem" };
                run(&mut world, &[verb, "s", &format!("other:{other}")]);
            }
        }
        prop_assert_eq!(seen.len(), stay);
    }
}

#[test]
fn draws_are_fair_in_every_encoding() {
    let kinds = [("ints", 20, ""), ("small", 20, "m"), ("large", 200, "m")];
    for (key, size, prefix) in kinds {
        let mut world = World::new(1);
        let members: Vec<String> = (0..size).map(|number| format!("{prefix}{number}")).collect();
        run_all(&mut world, &with("sadd", key, &members));
        for count in [None, Some(1), Some(size / 2), Some(size - 1), Some(-1), Some(-size)] {
            let mut drawn: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            let mut total = 0;
            while total < 40_000 {
                let members = match count {
                    None => vec![bytes(&run(&mut world, &["srandmember", key]))],
                    Some(n) => strings(&run(&mut world, &["srandmember", key, &n.to_string()])),
                };
                total += members.len();
                members.into_iter().for_each(|member| *drawn.entry(member).or_default() += 1);
            }
            expect_even(&drawn, size as usize, total);
        }
    }
}

#[test]
fn pops_are_fair_in_every_encoding() {
    for (size, prefix) in [(12_i64, ""), (12, "m"), (150, "m")] {
        let mut world = World::new(1);
        let members: Vec<String> = (0..size).map(|number| format!("{prefix}{number}")).collect();
        for count in [None, Some(size / 6), Some(size - 2)] {
            let mut popped: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            let mut total = 0;
            while total < 20_000 {
                run_all(&mut world, &with("sadd", "s", &members));
                let members = match count {
                    None => vec![bytes(&run(&mut world, &["spop", "s"]))],
                    Some(n) => strings(&run(&mut world, &["spop", "s", &n.to_string()])),
                };
                total += members.len();
                members.into_iter().for_each(|member| *popped.entry(member).or_default() += 1);
            }
            expect_even(&popped, size as usize, total);
        }
    }
}

/// Pearson's test: the sum is near the degrees of freedom, and beyond five of its standard
/// deviations about once in a million times.
fn expect_even(drawn: &BTreeMap<Vec<u8>, u32>, size: usize, total: usize) {
    assert_eq!(drawn.len(), size);
    let expected = total as f64 / size as f64;
    let sum: f64 =
        drawn.values().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    let freedom = (size - 1) as f64;
    assert!(sum < freedom + 5.0 * (2.0 * freedom).sqrt(), "{sum} of {freedom}: {drawn:?}");
}
