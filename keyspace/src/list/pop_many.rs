//! LMPOP and BLMPOP: elements of the first of several lists that has any.

use resp::Reply;

use super::element::End;
use super::pop::{named, take};
use super::{KEY, TIMEOUT, end, node_limit};
use crate::access::Txn;
use crate::argument::{Answer, SYNTAX, is, settle};
use crate::command::{Arg, ArgKind, Args, Block, Command, Flags, Group, Keys, Run, Spec};
use crate::number::parse_i64;
use crate::timeout::timeout_ms;

const NUMKEYS: Arg = Arg::new("numkeys", ArgKind::Integer);
const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").optional();

pub(super) const LMPOP: Command = Command {
    spec: Spec {
        name: "lmpop",
        group: Group::List,
        since: "7.0.0",
        complexity: "O(N+M) for N keys and M elements returned",
        summary: "Takes elements out of the first list that has any.",
        arity: -4,
        keys: Keys::Counted { at: 1 },
        flags: Flags::WRITE.and(Flags::MOVABLE_KEYS),
        args: &[NUMKEYS, KEY.multiple(), end("where"), COUNT],
    },
    run: Run::Write(|txn, args| settle(lmpop(txn, args))),
};

pub(super) const BLMPOP: Command = Command {
    spec: Spec {
        name: "blmpop",
        group: Group::List,
        since: "7.0.0",
        complexity: "O(N+M) for N keys and M elements returned",
        summary: "Takes elements out of the first list that has any, or waits for one.",
        arity: -5,
        keys: Keys::Counted { at: 2 },
        flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLE_KEYS),
        args: &[TIMEOUT, NUMKEYS, KEY.multiple(), end("where"), COUNT],
    },
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(blmpop(txn, args))),
        timeout_ms: |args| timeout_ms(args.get(1)?, 0).ok(),
        later: |_, _| None,
        waits_out_types: true,
    }),
};

fn lmpop(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    Pops::read(&args[1..])?.attempt(txn)
}

fn blmpop(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let pops = Pops::read(&args[2..])?;
    timeout_ms(args[1], txn.now_ms())?;
    pops.attempt(txn)
}

/// What follows the name, or the timeout.
struct Pops<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: usize,
}

impl<'a> Pops<'a> {
    fn read(args: &'a [&'a [u8]]) -> Result<Pops<'a>, Reply<'static>> {
        let numkeys =
            positive(args[0]).ok_or(Reply::error("ERR numkeys should be greater than 0"))?;
        let (keys, rest) = args[1..].split_at_checked(numkeys).ok_or(SYNTAX)?;
        let (end, options) = rest.split_first().ok_or(SYNTAX)?;
        let end = End::named(end)?;
        let count = match options {
            [] => 1,
            [option, count, rest @ ..] if is(option, "COUNT") => {
                let count = positive(count);
                let count = count.ok_or(Reply::error("ERR count should be greater than 0"))?;
                if !rest.is_empty() {
                    return Err(SYNTAX);
                }
                count
            }
            _ => return Err(SYNTAX),
        };
        Ok(Pops { keys, end, count })
    }

    fn attempt(&self, txn: &mut Txn<'_>) -> Answer<'static> {
        let limit = node_limit(txn);
        for key in self.keys {
            if let Some(replies) = take(txn, key, self.end, self.count, limit)? {
                return Ok(Reply::Array(vec![named(key), Reply::Array(replies)]));
            }
        }
        Ok(Reply::NullArray)
    }
}

fn positive(argument: &[u8]) -> Option<usize> {
    parse_i64(argument).and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0)
}
