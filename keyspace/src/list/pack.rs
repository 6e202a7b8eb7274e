//! What lists do to a listpack: a small list whole, or a node of a large one.

use super::element::{End, Taken, Wanted};
use crate::listpack::{Listpack, Position};

/// Adds an element at an end.
pub(super) fn push(pack: &mut Listpack, end: End, value: &[u8]) {
    match end {
        End::Left => pack.push_front(value),
        End::Right => pack.push_back(value),
    }
}

/// Takes the element at an end out.
pub(super) fn pop(pack: &mut Listpack, end: End) -> Option<Taken> {
    let pos = match end {
        End::Left => pack.first(),
        End::Right => pack.last(),
    }?;
    let taken = pack.at(pos).into();
    pack.remove(pos);
    Some(taken)
}

/// Adds an element with `index` others before it; as the last if there are no more.
pub(super) fn insert(pack: &mut Listpack, index: usize, value: &[u8]) {
    match pack.seek(index) {
        Some(pos) => {
            pack.insert_before(pos, value);
        }
        None => pack.push_back(value),
    }
}

/// Puts an element in the place of another; whether there was one.
pub(super) fn replace(pack: &mut Listpack, index: usize, value: &[u8]) -> bool {
    let pos = pack.seek(index);
    if let Some(pos) = pos {
        pack.replace(pos, value);
    }
    pos.is_some()
}

/// Takes elements out that are equal to one, at most so many, beginning at an end; how many.
pub(super) fn remove_equal(
    pack: &mut Listpack,
    wanted: Wanted<'_>,
    count_max: usize,
    from: End,
) -> usize {
    let matches = pack.iter().filter(|value| wanted.is(*value)).count();
    let removed = matches.min(count_max);
    // Of the matches in order, which go.
    let doomed = match from {
        End::Left => 0..removed,
        End::Right => matches - removed..matches,
    };
    match removed {
        0 => {}
        1 => {
            let pos = nth_equal(pack, wanted, doomed.start).expect("counted above");
            pack.remove(pos);
        }
        _ => {
            // One pass, where taking them out one by one would move the rest each time.
            let mut kept = Listpack::new();
            let mut seen = 0;
            for value in pack.iter() {
                let equal = wanted.is(value);
                if !(equal && doomed.contains(&seen)) {
                    kept.push_back(value);
                }
                seen += usize::from(equal);
            }
            *pack = kept;
        }
    }
    removed
}

fn nth_equal(pack: &Listpack, wanted: Wanted<'_>, mut skip: usize) -> Option<Position> {
    let mut pos = pack.first()?;
    loop {
        if wanted.is(pack.at(pos)) {
            if skip == 0 {
                return Some(pos);
            }
            skip -= 1;
        }
        pos = pack.next(pos)?;
    }
}
