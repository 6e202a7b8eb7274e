//! The first so many of some things in order, as Redis finds them: by a quicksort that leaves out
//! what the answer does not show.
//!
//! Which of equally distant members come first shows how they were sorted, so this is the quicksort
//! of Bentley and McIlroy ("Engineering a Sort Function", 1993), with the choices that they made.
//! Only where it would take quadratic time, for which a client would have to arrange its members,
//! the rest is sorted otherwise.

use std::cmp::Ordering;
use std::ops::Range;

/// Below this, insertion sort is faster; and from this on one look for a pivot is not enough.
const SHORT: usize = 7;
const LONG: usize = 40;

/// Rounds of partitioning for each doubling of the length, after which it is no quicksort any more.
/// Random input takes about two.
const ROUNDS_MAX: usize = 8;

/// Puts those that come first in front and in order; all if they are not more than `count`.
pub(super) fn sort_first<T>(things: &mut [T], count: usize, compare: impl Fn(&T, &T) -> Ordering) {
    if count >= things.len() {
        return things.sort_by(compare);
    }
    let rounds = ROUNDS_MAX * (things.len().ilog2() as usize + 1);
    let mut open = vec![(0..things.len(), rounds)];
    while let Some((range, rounds)) = open.pop() {
        let part = &mut things[range.clone()];
        if part.len() < SHORT {
            insertion_sort(part, &compare);
            continue;
        }
        let Some(rounds) = rounds.checked_sub(1) else {
            part.sort_by(&compare);
            continue;
        };
        let (less, greater) = partition(part, &compare);
        for side in [less, greater] {
            let side = range.start + side.start..range.start + side.end;
            if side.len() > 1 && side.start < count {
                open.push((side, rounds));
            }
        }
    }
}

fn insertion_sort<T>(part: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    for end in 1..part.len() {
        for index in (1..=end).rev() {
            if compare(&part[index - 1], &part[index]) != Ordering::Greater {
                break;
            }
            part.swap(index - 1, index);
        }
    }
}

/// Moves what equals the pivot to the middle, and says what is less and what is greater.
fn partition<T>(
    part: &mut [T],
    compare: impl Fn(&T, &T) -> Ordering,
) -> (Range<usize>, Range<usize>) {
    part.swap(0, pivot(part, &compare));
    // Equal, less, not yet seen, greater, equal: equal ones gather at both ends.
    let (mut equal_left, mut next_left) = (1, 1);
    let (mut equal_right, mut next_right) = (part.len(), part.len());
    loop {
        while next_left < next_right {
            match compare(&part[next_left], &part[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    part.swap(equal_left, next_left);
                    equal_left += 1;
                }
                Ordering::Less => {}
            }
            next_left += 1;
        }
        while next_left < next_right {
            match compare(&part[next_right - 1], &part[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    equal_right -= 1;
                    part.swap(next_right - 1, equal_right);
                }
                Ordering::Greater => {}
            }
            next_right -= 1;
        }
        if next_left >= next_right {
            break;
        }
        part.swap(next_left, next_right - 1);
        next_left += 1;
        next_right -= 1;
    }
    let (less, greater) = (next_left - equal_left, equal_right - next_right);
    let len = part.len();
    exchange(part, 0, next_left, equal_left.min(less));
    exchange(part, next_left, len, greater.min(len - equal_right));
    (0..less, len - greater..len)
}

/// Exchanges `count` things from `start` on with those before `end`.
fn exchange<T>(part: &mut [T], start: usize, end: usize, count: usize) {
    for index in 0..count {
        part.swap(start + index, end - count + index);
    }
}

/// The middle one; of more, the median of three; of many, the median of three such medians.
fn pivot<T>(part: &[T], compare: impl Fn(&T, &T) -> Ordering) -> usize {
    let (len, middle) = (part.len(), part.len() / 2);
    if len == SHORT {
        return middle;
    }
    let median = |a: usize, b: usize, c: usize| {
        let less = |left: usize, right: usize| compare(&part[left], &part[right]).is_lt();
        if less(a, b) {
            if less(b, c) {
                b
            } else if less(a, c) {
                c
            } else {
                a
            }
        } else if less(c, b) {
            b
        } else if less(a, c) {
            a
        } else {
            c
        }
    };
    let (mut first, mut second, mut third) = (0, middle, len - 1);
    if len > LONG {
        let step = len / 8;
        first = median(first, first + step, first + 2 * step);
        second = median(second - step, second, second + step);
        third = median(third - 2 * step, third - step, third);
    }
    median(first, second, third)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_are_first_and_none_is_lost(
            numbers in prop::collection::vec(0..60_u32, 0..300),
            count in 0..310_usize,
        ) {
            let mut sorted = numbers.clone();
            sorted.sort_unstable();
            let mut things = numbers;
            sort_first(&mut things, count, u32::cmp);
            let count = count.min(sorted.len());
            prop_assert_eq!(&things[..count], &sorted[..count]);
            things.sort_unstable();
            prop_assert_eq!(things, sorted);
        }
    }

    /// McIlroy's adversary ("A Killer Adversary for Quicksort", 1999) decides what is less only
    /// when it is asked, and always so that the pivot is worth little.
    #[test]
    fn an_adversary_does_not_make_it_quadratic() {
        use std::cell::{Cell, RefCell};
        const LEN: usize = 20_000;
        let values = RefCell::new(vec![usize::MAX; LEN]);
        let (solid, candidate, asked) = (Cell::new(0), Cell::new(0), Cell::new(0_usize));
        let compare = |left: &usize, right: &usize| {
            asked.set(asked.get() + 1);
            let mut values = values.borrow_mut();
            if values[*left] == usize::MAX && values[*right] == usize::MAX {
                let fixed = if *left == candidate.get() { *left } else { *right };
                values[fixed] = solid.get();
                solid.set(solid.get() + 1);
            }
            if values[*left] == usize::MAX {
                candidate.set(*left);
            } else if values[*right] == usize::MAX {
                candidate.set(*right);
            }
            values[*left].cmp(&values[*right])
        };
        let mut things: Vec<usize> = (0..LEN).collect();
        sort_first(&mut things, LEN - 1, compare);
        assert!(asked.get() < 200 * LEN, "{}", asked.get());
    }
}
