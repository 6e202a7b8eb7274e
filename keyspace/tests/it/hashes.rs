//! Hashes against a model, while limits change the encodings under them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use resp::Reply;

use crate::reply::{bytes, scanned, sorted, strings};
use crate::world::World;

type Fields = BTreeMap<Vec<u8>, Vec<u8>>;
type Model = BTreeMap<String, Fields>;

const KEYS: [&str; 3] = ["a", "b", "c"];
const PROBES: [&str; 5] = ["f1", "7", "07", "", "none"];

#[derive(Clone, Debug)]
enum Step {
    Limits(usize, usize),
    Set(&'static str, &'static str, Vec<(String, String)>),
    SetNew(&'static str, String, String),
    Delete(&'static str, Vec<String>),
    Count(&'static str, String, i64),
    Copy(&'static str, &'static str),
    Look(&'static str, i64),
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&KEYS[..])
}

fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "f[0-9]",
        3 => (0..20_i64).prop_map(|number| number.to_string()),
        1 => prop::sample::select(vec!["", "07", "-0", "-5000000000", "9223372036854775807",
            "9223372036854775808", "3.5", "a rather long string, for one"]).prop_map(str::to_owned),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let verb = prop::sample::select(vec!["hset", "hmset"]);
    let pairs = prop::collection::vec((string(), string()), 1..5);
    let fields = prop::collection::vec(string(), 1..6);
    prop_oneof![
        1 => (0..9_usize, 0..12_usize).prop_map(|(entries, value)| Step::Limits(entries, value)),
        6 => (verb, key(), pairs).prop_map(|(verb, key, pairs)| Step::Set(verb, key, pairs)),
        2 => (key(), string(), string()).prop_map(|(key, field, value)| Step::SetNew(key, field, value)),
        3 => (key(), fields).prop_map(|(key, fields)| Step::Delete(key, fields)),
        2 => (key(), string(), prop_oneof![-20..20_i64, any::<i64>()])
            .prop_map(|(key, field, by)| Step::Count(key, field, by)),
        1 => (key(), key()).prop_map(|(from, to)| Step::Copy(from, to)),
        3 => (key(), -9..9_i64).prop_map(|(key, count)| Step::Look(key, count)),
    ]
}

fn run(world: &mut World, words: &[&str]) -> Reply<'static> {
    let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    world.run(&args)
}

fn fields(model: &Model, key: &str) -> Fields {
    model.get(key).cloned().unwrap_or_default()
}

fn integer(number: usize) -> Reply<'static> {
    Reply::Integer(number as i64)
}

/// Pairs that came one behind the other.
fn paired(strings: Vec<Vec<u8>>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (pairs, []) = strings.as_chunks::<2>() else { panic!("{strings:?} are no pairs") };
    pairs.iter().cloned().map(|[field, value]| (field, value)).collect()
}

fn take(world: &mut World, model: &mut Model, step: &Step) {
    match step {
        Step::Limits(entries, value) => {
            let line = format!(
                "ringfort.limits hash-max-listpack-entries {entries} hash-max-listpack-value {value}"
            );
            assert_eq!(world.words(&line), Reply::OK);
        }
        Step::Set(verb, key, pairs) => {
            let hash = model.entry((*key).to_owned()).or_default();
            let before = hash.len();
            let mut words = vec![*verb, *key];
            for (field, value) in pairs {
                hash.insert(field.as_bytes().to_vec(), value.as_bytes().to_vec());
                words.extend([field.as_str(), value.as_str()]);
            }
            let created = integer(hash.len() - before);
            let expected = if *verb == "hset" { created } else { Reply::OK };
            assert_eq!(run(world, &words), expected);
        }
        Step::SetNew(key, field, value) => {
            let hash = model.entry((*key).to_owned()).or_default();
            let is_new = !hash.contains_key(field.as_bytes());
            hash.entry(field.as_bytes().to_vec()).or_insert(value.as_bytes().to_vec());
            assert_eq!(run(world, &["hsetnx", key, field, value]), integer(is_new.into()));
        }
        Step::Delete(key, fields) => {
            let hash = model.entry((*key).to_owned()).or_default();
            let deleted = fields.iter().filter(|field| hash.remove(field.as_bytes()).is_some());
            let deleted = integer(deleted.count());
            let mut words = vec!["hdel", *key];
            words.extend(fields.iter().map(String::as_str));
            assert_eq!(run(world, &words), deleted);
        }
        Step::Count(key, field, by) => count(world, model, key, field, *by),
        Step::Copy(from, to) => {
            let copied = from != to && model.contains_key(*from);
            if copied {
                model.insert((*to).to_owned(), fields(model, from));
            }
            let reply = run(world, &["copy", from, to, "replace"]);
            assert!(from == to || reply == integer(copied.into()));
        }
        Step::Look(key, count) => look(world, model, key, *count),
    }
    model.retain(|_, hash| !hash.is_empty());
}

fn count(world: &mut World, model: &mut Model, key: &str, field: &str, by: i64) {
    let hash = model.entry(key.to_owned()).or_default();
    let before = hash.get(field.as_bytes()).map(|value| String::from_utf8_lossy(value));
    let number = before.map_or(Some(0), |text| {
        text.parse().ok().filter(|number: &i64| number.to_string() == text)
    });
    let reply = run(world, &["hincrby", key, field, &by.to_string()]);
    match number.map(|number| number.checked_add(by)) {
        None => assert_eq!(reply, Reply::error("ERR hash value is not an integer")),
        Some(None) => {
            assert_eq!(reply, Reply::error("ERR increment or decrement would overflow"));
        }
        Some(Some(sum)) => {
            hash.insert(field.as_bytes().to_vec(), sum.to_string().into_bytes());
            assert_eq!(reply, Reply::Integer(sum));
        }
    }
}

fn look(world: &mut World, model: &Model, key: &str, count: i64) {
    let hash = fields(model, key);
    let words = ["hrandfield", key, &count.to_string()];
    let drawn = strings(&run(world, &words));
    assert!(drawn.iter().all(|field| hash.contains_key(field)));
    let pairs = paired(strings(&run(world, &[words[0], key, words[2], "withvalues"])));
    assert!(pairs.iter().all(|(field, value)| hash.get(field) == Some(value)));
    assert_eq!(pairs.len(), drawn.len());
    if count >= 0 {
        let distinct: BTreeSet<_> = drawn.iter().collect();
        assert_eq!((distinct.len(), drawn.len()), (drawn.len(), hash.len().min(count as usize)));
    } else if !hash.is_empty() {
        assert_eq!(drawn.len() as i64, -count);
    }
}

fn check(world: &mut World, model: &Model) {
    for key in KEYS {
        let hash = fields(model, key);
        let all = Fields::from_iter(paired(strings(&run(world, &["hgetall", key]))));
        assert_eq!(all, hash);
        assert_eq!(run(world, &["exists", key]), integer(usize::from(!hash.is_empty())));
        assert_eq!(run(world, &["hlen", key]), integer(hash.len()));
        assert_eq!(sorted(&run(world, &["hkeys", key])), Vec::from_iter(hash.keys().cloned()));
        let mut values = Vec::from_iter(hash.values().cloned());
        values.sort();
        assert_eq!(sorted(&run(world, &["hvals", key])), values);
        let (cursor, found) = scanned(&run(world, &["hscan", key, "0", "count", "100"]));
        assert_eq!((cursor, Fields::from_iter(paired(found))), (0, hash.clone()));
        for probe in PROBES {
            let value = hash.get(probe.as_bytes());
            let reply = run(world, &["hget", key, probe]);
            assert_eq!((reply != Reply::Null).then(|| bytes(&reply)).as_ref(), value);
            let len = integer(value.map_or(0, Vec::len));
            assert_eq!(run(world, &["hstrlen", key, probe]), len);
            let exists = integer(value.is_some().into());
            assert_eq!(run(world, &["hexists", key, probe]), exists);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn hashes_follow_the_model_whatever_their_encoding(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (mut world, mut model) = (World::new(1), Model::new());
        for step in &steps {
            take(&mut world, &mut model, step);
        }
        check(&mut world, &model);
        // A checkpoint keeps the order of fields too.
        let mut copy = world.restored();
        check(&mut copy, &model);
        for key in KEYS {
            prop_assert_eq!(run(&mut world, &["hgetall", key]), run(&mut copy, &["hgetall", key]));
        }
        prop_assert_eq!(world.digests(), copy.digests());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn hscan_returns_what_stays_while_the_hash_changes(
        stay in 1..300_usize,
        waves in prop::collection::vec((any::<bool>(), 1..300_u32), 1..8),
        count in 1..40_usize,
    ) {
        let mut world = World::new(1);
        for field in 0..stay {
            run(&mut world, &["hset", "h", &format!("stay:{field}"), &field.to_string()]);
        }
        let mut seen = BTreeSet::new();
        let (mut cursor, mut wave) = (0, 0);
        loop {
            let scan = ["hscan", "h", &cursor.to_string(), "count", &count.to_string()];
            let (next, found) = scanned(&run(&mut world, &scan));
            let stayed = |(field, value): &(Vec<u8>, Vec<u8>)| {
                field.starts_with(b"stay") && field.ends_with(value)
            };
            seen.extend(paired(found).into_iter().filter(stayed));
            cursor = next;
            if cursor == 0 {
                break;
            }
            let (grow, size) = waves[wave % waves.len()];
            wave += 1;
            for other in 0..size {
                let field = format!("other:{other}");
                if grow {
                    run(&mut world, &["hset", "h", &field, "x"]);
                } else {
                    run(&mut world, &["hdel", "h", &field]);
                }
            }
        }
        prop_assert_eq!(seen.len(), stay);
    }
}
