//! The sizes at which collections change their encodings, by Redis' names.
//!
//! They are part of the replicated state: an encoding decides the order of elements, and with it
//! what a random draw meets, so every replica must change it at the same command. A node that is
//! configured otherwise asks its leader to write `ringfort.limits` into the log.

use std::sync::atomic::{AtomicI64, Ordering};

use resp::Reply;

use crate::access::Txn;
use crate::argument::integer;
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The most fields of a listpack hash.
    HashEntries,
    /// The most bytes of a field or value in a listpack hash.
    HashValue,
    /// The size of a list's node: elements if positive, else -1 to -5 for 4 KiB to 64 KiB.
    ListSize,
    /// Accepted as Redis does; nodes are never compressed here.
    ListCompress,
    /// The most members of an intset.
    IntsetEntries,
    /// The most members of a listpack set.
    SetEntries,
    /// The most bytes of a member of a listpack set.
    SetValue,
    /// The most members of a listpack sorted set.
    ZsetEntries,
    /// The most bytes of a member of a listpack sorted set.
    ZsetValue,
    /// The most bytes of a stream's node.
    StreamBytes,
    /// The most entries of a stream's node.
    StreamEntries,
    /// The most bytes of a sparse HyperLogLog.
    HllSparse,
}

/// A limit's names and range.
#[derive(Clone, Copy, Debug)]
pub struct LimitRow {
    /// Which it is.
    pub limit: Limit,
    /// The setting's name.
    pub name: &'static str,
    /// The name it had before Redis 7, if another.
    pub alias: Option<&'static str>,
    /// Redis' default.
    pub default: i64,
    /// The smallest value.
    pub min: i64,
    /// The largest value.
    pub max: i64,
    /// One sentence for the docs.
    pub about: &'static str,
}

const COUNT: usize = 12;

/// What nobody needs more of; keeps sums far from overflow.
const MANY: i64 = 1 << 40;

/// Every limit, in the order of [`Limit`].
pub static LIMITS: [LimitRow; COUNT] = [
    LimitRow {
        limit: Limit::HashEntries,
        name: "hash-max-listpack-entries",
        alias: Some("hash-max-ziplist-entries"),
        default: 128,
        min: 0,
        max: MANY,
        about: "Fields of a hash above which it is a hashtable.",
    },
    LimitRow {
        limit: Limit::HashValue,
        name: "hash-max-listpack-value",
        alias: Some("hash-max-ziplist-value"),
        default: 64,
        min: 0,
        max: MANY,
        about: "Bytes of a field or value above which its hash is a hashtable.",
    },
    LimitRow {
        limit: Limit::ListSize,
        name: "list-max-listpack-size",
        alias: Some("list-max-ziplist-size"),
        default: -2,
        min: i32::MIN as i64,
        max: i32::MAX as i64,
        about: "Elements of a list's node if positive; -1 to -5 are 4, 8, 16, 32 and 64 KiB.",
    },
    LimitRow {
        limit: Limit::ListCompress,
        name: "list-compress-depth",
        alias: None,
        default: 0,
        min: 0,
        max: i32::MAX as i64,
        about: "Accepted for Redis' sake; nodes are never compressed.",
    },
    LimitRow {
        limit: Limit::IntsetEntries,
        name: "set-max-intset-entries",
        alias: None,
        default: 512,
        min: 0,
        max: MANY,
        about: "Members of a set of integers above which it is no intset.",
    },
    LimitRow {
        limit: Limit::SetEntries,
        name: "set-max-listpack-entries",
        alias: None,
        default: 128,
        min: 0,
        max: MANY,
        about: "Members of a set above which it is a hashtable.",
    },
    LimitRow {
        limit: Limit::SetValue,
        name: "set-max-listpack-value",
        alias: None,
        default: 64,
        min: 0,
        max: MANY,
        about: "Bytes of a member above which its set is a hashtable.",
    },
    LimitRow {
        limit: Limit::ZsetEntries,
        name: "zset-max-listpack-entries",
        alias: Some("zset-max-ziplist-entries"),
        default: 128,
        min: 0,
        max: MANY,
        about: "Members of a sorted set above which it is a skiplist.",
    },
    LimitRow {
        limit: Limit::ZsetValue,
        name: "zset-max-listpack-value",
        alias: Some("zset-max-ziplist-value"),
        default: 64,
        min: 0,
        max: MANY,
        about: "Bytes of a member above which its sorted set is a skiplist.",
    },
    LimitRow {
        limit: Limit::StreamBytes,
        name: "stream-node-max-bytes",
        alias: None,
        default: 4096,
        min: 0,
        max: MANY,
        about: "Bytes of a stream's node; 0 is no limit.",
    },
    LimitRow {
        limit: Limit::StreamEntries,
        name: "stream-node-max-entries",
        alias: None,
        default: 100,
        min: 0,
        max: MANY,
        about: "Entries of a stream's node; 0 is no limit.",
    },
    LimitRow {
        limit: Limit::HllSparse,
        name: "hll-sparse-max-bytes",
        alias: None,
        default: 3000,
        min: 0,
        max: MANY,
        about: "Bytes of a sparse HyperLogLog above which it is dense.",
    },
];

/// The values of all limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits([i64; COUNT]);

impl Default for Limits {
    fn default() -> Limits {
        Limits(std::array::from_fn(|index| LIMITS[index].default))
    }
}

impl Limits {
    /// A limit's value.
    pub fn get(&self, limit: Limit) -> i64 {
        self.0[limit as usize]
    }

    /// A limit that is never negative.
    pub(crate) fn size(&self, limit: Limit) -> usize {
        usize::try_from(self.get(limit)).unwrap_or(0)
    }

    /// The same with one limit changed, if its range allows the value.
    pub fn with(mut self, limit: Limit, value: i64) -> Option<Limits> {
        let row = &LIMITS[limit as usize];
        (row.min..=row.max).contains(&value).then(|| {
            self.0[limit as usize] = value;
            self
        })
    }

    /// All values, in the order of [`LIMITS`].
    pub(crate) fn values(&self) -> &[i64; COUNT] {
        &self.0
    }

    /// Reads values in the order of [`LIMITS`]; `None` if one is out of its range.
    pub(crate) fn from_values(values: &[i64]) -> Option<Limits> {
        if values.len() != COUNT {
            return None;
        }
        let mut limits = Limits::default();
        for (row, value) in LIMITS.iter().zip(values) {
            limits = limits.with(row.limit, *value)?;
        }
        Some(limits)
    }
}

/// The limits in force; written by the one writer.
pub(crate) struct SharedLimits([AtomicI64; COUNT]);

impl SharedLimits {
    pub(crate) fn new() -> SharedLimits {
        SharedLimits(Limits::default().0.map(AtomicI64::new))
    }

    pub(crate) fn load(&self) -> Limits {
        Limits(std::array::from_fn(|index| self.0[index].load(Ordering::Relaxed)))
    }

    pub(crate) fn store(&self, limits: Limits) {
        for (place, value) in self.0.iter().zip(limits.0) {
            place.store(value, Ordering::Relaxed);
        }
    }
}

/// Sets limits: pairs of a setting's name and its value. What exists keeps its encoding until it
/// is written next, as in Redis.
pub(crate) const SET_LIMITS: Command = Command {
    spec: Spec {
        name: "ringfort.limits",
        group: Group::Generic,
        since: "7.0.0",
        complexity: "O(N) for N limits",
        summary: "Sets the sizes at which collections change their encodings.",
        arity: -3,
        keys: Keys::None,
        flags: Flags::WRITE.and(Flags::INTERNAL).and(Flags::KEYLESS_DATA),
        args: &[Arg::new(
            "limit",
            ArgKind::Block(&[
                Arg::new("name", ArgKind::String),
                Arg::new("value", ArgKind::Integer),
            ]),
        )
        .multiple()],
    },
    run: Run::Write(set_limits),
};

fn set_limits(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    let mut limits = txn.limits();
    let (pairs, rest) = args[1..].as_chunks::<2>();
    for [name, value] in pairs {
        let row = LIMITS.iter().find(|row| row.name.as_bytes() == *name);
        let changed =
            row.zip(integer(value).ok()).and_then(|(row, value)| limits.with(row.limit, value));
        match changed {
            Some(changed) => limits = changed,
            None => return Reply::error("ERR unknown limit, or value out of its range"),
        }
    }
    if !rest.is_empty() {
        return Reply::error("ERR a limit without a value");
    }
    txn.set_limits(limits);
    Reply::OK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_limits() {
        for (index, row) in LIMITS.iter().enumerate() {
            assert_eq!(row.limit as usize, index, "{}", row.name);
            assert!((row.min..=row.max).contains(&row.default), "{}", row.name);
        }
    }
}
