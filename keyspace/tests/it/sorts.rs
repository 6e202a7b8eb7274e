//! SORT against the standard library.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::prelude::*;
use resp::Reply;

use crate::reply::strings;
use crate::world::World;

/// What there is to sort, and how.
#[derive(Clone, Debug)]
struct Case {
    /// Different from each other, so that a list, a set and a sorted set hold the same.
    elements: Vec<u16>,
    /// Under the names of some elements.
    weights: BTreeMap<u16, i8>,
    by: bool,
    alpha: bool,
    descending: bool,
    limit: Option<(u8, u8)>,
}

fn case() -> impl Strategy<Value = Case> {
    let elements = prop::collection::btree_set(0..200_u16, 0..60);
    let shuffled = elements.prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle();
    let weights = prop::collection::btree_map(0..200_u16, -5..5_i8, 0..150);
    let options = (any::<bool>(), any::<bool>(), any::<bool>());
    let limit = prop::option::of((0..70_u8, 0..70_u8));
    (shuffled, weights, options, limit).prop_map(
        |(elements, weights, (by, alpha, descending), limit)| Case {
            elements,
            weights,
            by,
            alpha,
            descending,
            limit,
        },
    )
}

impl Case {
    fn words(&self, key: &str) -> String {
        let mut words = format!("sort {key}");
        for (wanted, word) in
            [(self.by, " by w*"), (self.alpha, " alpha"), (self.descending, " desc")]
        {
            words.push_str(if wanted { word } else { "" });
        }
        if let Some((offset, count)) = self.limit {
            words.push_str(&format!(" limit {offset} {count}"));
        }
        words
    }

    fn order(&self, left: u16, right: u16) -> Ordering {
        let weight = |element| match self.by {
            true => self.weights.get(&element).copied().map(i32::from),
            false => Some(i32::from(element)),
        };
        let (left_weight, right_weight) = (weight(left), weight(right));
        let texts = left.to_string().cmp(&right.to_string());
        let order = match self.alpha {
            true => left_weight.map(|w| w.to_string()).cmp(&right_weight.map(|w| w.to_string())),
            false => left_weight.unwrap_or(0).cmp(&right_weight.unwrap_or(0)).then(texts),
        };
        if self.descending { order.reverse() } else { order }
    }

    /// What is expected of a collection that lies in this order.
    fn sorted(&self, mut elements: Vec<u16>) -> Vec<Vec<u8>> {
        elements.sort_by(|left, right| self.order(*left, *right));
        let (offset, count) = self.limit.unwrap_or((0, u8::MAX));
        let part = elements.into_iter().skip(offset.into()).take(count.into());
        part.map(|element| element.to_string().into_bytes()).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sorted_as_a_vector_is(case in case()) {
        let mut world = World::new(1);
        for element in &case.elements {
            world.words(&format!("rpush list {element}"));
            world.words(&format!("sadd set {element}"));
            world.words(&format!("zadd zset 0 {element}"));
        }
        for (element, weight) in &case.weights {
            world.words(&format!("set w{element} {weight}"));
        }
        for key in ["list", "set", "zset"] {
            // The order of what is equal is that of the collection.
            let lies = strings(&world.words(&format!("sort {key} by nosort")));
            let lies = lies.iter().map(|e| String::from_utf8_lossy(e).parse().unwrap()).collect();
            let expected = case.sorted(lies);
            let words = case.words(key);
            prop_assert_eq!(&strings(&world.words(&words)), &expected, "{}", words);
            let read_only = words.replace("sort", "sort_ro");
            prop_assert_eq!(&strings(&world.words(&read_only)), &expected);
            let stored = world.words(&format!("{words} store stored"));
            prop_assert_eq!(stored, Reply::Integer(expected.len() as i64));
            prop_assert_eq!(&strings(&world.words("lrange stored 0 -1")), &expected);
        }
    }
}
