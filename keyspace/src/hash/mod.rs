//! The hash family: fields with values.

mod count;
mod data;
mod look;
mod random;
mod set;

use crate::command::Command;
pub(crate) use data::Hash;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    set::HDEL,
    look::HEXISTS,
    look::HGET,
    look::HGETALL,
    count::HINCRBY,
    count::HINCRBYFLOAT,
    look::HKEYS,
    look::HLEN,
    look::HMGET,
    set::HMSET,
    random::HRANDFIELD,
    look::HSCAN,
    set::HSET,
    set::HSETNX,
    look::HSTRLEN,
    look::HVALS,
];
