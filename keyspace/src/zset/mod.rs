//! Commands on sorted sets.

mod add;
mod bounds;
mod combine;
mod data;
mod large;
mod look;
mod pop;
mod random;
mod range;
mod ranks;
mod remove;
mod scan;
mod small;

pub(crate) use add::{Options as AddOptions, add_all};
pub(crate) use bounds::ScoreRange;
pub(crate) use data::Zset;
pub(crate) use range::store;

use crate::command::Command;

/// The family's rows; each stands beside its handler.
pub(crate) static COMMANDS: &[Command] = &[
    add::ZADD,
    add::ZINCRBY,
    look::ZSCORE,
    look::ZMSCORE,
    look::ZCARD,
    look::ZCOUNT,
    look::ZLEXCOUNT,
    look::ZRANK,
    look::ZREVRANK,
    range::ZRANGE,
    range::ZREVRANGE,
    range::ZRANGEBYSCORE,
    range::ZREVRANGEBYSCORE,
    range::ZRANGEBYLEX,
    range::ZREVRANGEBYLEX,
    range::ZRANGESTORE,
    remove::ZREM,
    remove::ZREMRANGEBYRANK,
    remove::ZREMRANGEBYSCORE,
    remove::ZREMRANGEBYLEX,
    pop::ZPOPMIN,
    pop::ZPOPMAX,
    pop::ZMPOP,
    pop::BZPOPMIN,
    pop::BZPOPMAX,
    pop::BZMPOP,
    random::ZRANDMEMBER,
    scan::ZSCAN,
    combine::ZUNION,
    combine::ZINTER,
    combine::ZDIFF,
    combine::ZINTERCARD,
    combine::ZUNIONSTORE,
    combine::ZINTERSTORE,
    combine::ZDIFFSTORE,
];
