//! LMOVE and RPOPLPUSH; BLMOVE and BRPOPLPUSH, which wait for an element.

use resp::Reply;

use super::element::{End, Taken};
use super::pop::{last_timeout_ms, take_one};
use super::{List, TIMEOUT, end, node_limit};
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, Args, Block, Command, Flags, Group, Keys, Run, Spec};
use crate::timeout::timeout_ms;
use crate::txn::Edit;

const SOURCE: Arg = Arg::key("source");
const DESTINATION: Arg = Arg::key("destination");
const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM);
const WAITING_FLAGS: Flags = FLAGS.and(Flags::NOSCRIPT).and(Flags::BLOCKING);

pub(super) const LMOVE: Command = Command {
    spec: Spec {
        name: "lmove",
        group: Group::List,
        since: "6.2.0",
        complexity: "O(1)",
        summary: "Moves an element from an end of a list to an end of another.",
        arity: 5,
        keys: Keys::FIRST_TWO,
        flags: FLAGS,
        args: &[SOURCE, DESTINATION, end("wherefrom"), end("whereto")],
    },
    run: Run::Write(|txn, args| settle(lmove(txn, args))),
};

fn lmove(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (from, to) = (End::named(args[3])?, End::named(args[4])?);
    transfer(txn, (args[1], from), (args[2], to))
}

pub(super) const RPOPLPUSH: Command = Command {
    spec: Spec {
        name: "rpoplpush",
        group: Group::List,
        since: "1.2.0",
        complexity: "O(1)",
        summary: "Moves a list's last element before the first of another: an old form of LMOVE.",
        arity: 3,
        keys: Keys::FIRST_TWO,
        flags: FLAGS,
        args: &[SOURCE, DESTINATION],
    },
    run: Run::Write(|txn, args| settle(transfer(txn, (args[1], End::Right), (args[2], End::Left)))),
};

pub(super) const BLMOVE: Command = Command {
    spec: Spec {
        name: "blmove",
        group: Group::List,
        since: "6.2.0",
        complexity: "O(1)",
        summary: "Moves an element from a list to another, or waits for one.",
        arity: 6,
        keys: Keys::FIRST_TWO,
        flags: WAITING_FLAGS,
        args: &[SOURCE, DESTINATION, end("wherefrom"), end("whereto"), TIMEOUT],
    },
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(blmove(txn, args))),
        timeout_ms: last_timeout_ms,
        later: |_, _| None,
        waits_out_types: true,
    }),
};

fn blmove(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (from, to) = (End::named(args[3])?, End::named(args[4])?);
    timeout_ms(args[5], txn.now_ms())?;
    transfer(txn, (args[1], from), (args[2], to))
}

pub(super) const BRPOPLPUSH: Command = Command {
    spec: Spec {
        name: "brpoplpush",
        group: Group::List,
        since: "2.2.0",
        complexity: "O(1)",
        summary: "Moves a list's last element before the first of another, or waits for one.",
        arity: 4,
        keys: Keys::FIRST_TWO,
        flags: WAITING_FLAGS,
        args: &[SOURCE, DESTINATION, TIMEOUT],
    },
    run: Run::Block(&Block {
        run: Run::Write(|txn, args| settle(brpoplpush(txn, args))),
        timeout_ms: last_timeout_ms,
        later: |_, _| None,
        waits_out_types: true,
    }),
};

fn brpoplpush(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    timeout_ms(args[3], txn.now_ms())?;
    transfer(txn, (args[1], End::Right), (args[2], End::Left))
}

fn transfer(
    txn: &mut Txn<'_>,
    (source, from): (&[u8], End),
    (destination, to): (&[u8], End),
) -> Answer<'static> {
    if txn.data::<List>(source)?.is_none() {
        return Ok(Reply::Null);
    }
    txn.data::<List>(destination)?;
    let limit = node_limit(txn);
    let push = |list: &mut List, taken: &Taken| {
        let bytes = taken.to_bytes();
        list.make_room(&[&bytes], limit);
        list.push(to, &bytes, limit);
    };
    let taken = if source == destination {
        // In one change, lest the list be empty in between and its TTL lost.
        let turned = txn.edit(source, |list: &mut Edit<'_, List>| {
            let taken = list.pop(from)?;
            push(list, &taken);
            list.shrink(limit);
            Some(taken)
        });
        turned?.flatten()
    } else {
        let taken = take_one(txn, source, from, limit)?;
        if let Some(taken) = &taken {
            txn.edit_or_create(destination, |list| push(list, taken))?;
        }
        taken
    };
    Ok(taken.map_or(Reply::Null, Taken::reply))
}
