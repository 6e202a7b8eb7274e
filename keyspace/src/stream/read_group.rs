//! XREADGROUP: entries that no consumer of the group has been given yet, or those that one has
//! pending.

use std::borrow::Cow;

use resp::Reply;

use super::group::{Delivery, Group as ConsumerGroup};
use super::id::{self, Id};
use super::log::Log;
use super::read::{BLOCK, COUNT, Request, STREAMS, behind, some};
use super::{Stream, range};
use crate::access::Txn;
use crate::argument::{Answer, settle};
use crate::command::{Arg, ArgKind, Args, Block, Command, Flags, Group, Keys, Run, Spec};

pub(super) const XREADGROUP: Command = Command {
    spec: Spec {
        name: "xreadgroup",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(log(N)+M*log(P)) for each stream, for M entries of N, P pending",
        summary: "Gives a group's consumer entries of several streams, new ones or those that it \
                  has pending; may wait for new ones.",
        arity: -7,
        keys: Keys::After { keyword: "STREAMS", from: 4 },
        flags: Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLE_KEYS),
        args: &[
            Arg::new(
                "group_consumer",
                ArgKind::Block(&[
                    Arg::new("group", ArgKind::String),
                    Arg::new("consumer", ArgKind::String),
                ]),
            )
            .after("GROUP"),
            COUNT,
            BLOCK,
            Arg::keyword("noack", "NOACK").optional(),
            STREAMS,
        ],
    },
    run: Run::Block(&Block {
        // A consumer who has to wait has been seen all the same, as in Redis: that alone changes.
        run: Run::Write(|txn, args| settle(xreadgroup(txn, args))),
        timeout_ms: |args| Request::read(args, 0).ok()?.block_ms,
        later: |_, _| None,
        waits_out_types: false,
    }),
};

/// What a consumer asks of a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// What nobody was given yet (`>`).
    New,
    /// What it has pending behind this id.
    Pending(Id),
}

fn xreadgroup(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let request = Request::read(args, txn.now_ms())?;
    let [group, consumer] = request.reader.expect("checked for this command");
    let mut all_wanted = Vec::new();
    for (key, id) in request.streams() {
        let stream = txn.data::<Stream>(key)?;
        if stream.and_then(|stream| stream.groups.get(group)).is_none() {
            return Err(no_group(key, group));
        }
        all_wanted.push(match id {
            b">" => Wanted::New,
            b"$" => {
                return Err(Reply::error(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read \
                     the history of this consumer by specifying a proper ID, or use the > ID to \
                     get new messages. The $ ID would just return an empty result set.",
                ));
            }
            id => match id::parse(id)? {
                // Redis notes `>` so.
                Id::MAX => Wanted::New,
                id => Wanted::Pending(id),
            },
        });
    }
    let now_ms = txn.now_ms();
    let mut found = Vec::new();
    for ((key, _), wanted) in request.streams().zip(all_wanted) {
        let reading = Reading { consumer, count: request.count, now_ms, keeps: !request.noack };
        let read = txn.edit::<Stream, _>(key, |stream| {
            // To be read changes nothing that others watch or wait for.
            stream.unchanged();
            stream.edit_group(group, |group, log| match wanted {
                Wanted::New => reading.give_new(group, log),
                Wanted::Pending(id) => Some(reading.repeat(group, log, id)),
            })
        })?;
        if let Some(entries) = read.flatten().flatten() {
            found.push((Reply::Bulk(Cow::Owned(key.to_vec())), Reply::Array(entries)));
        }
    }
    Ok(some(found))
}

fn no_group(key: &[u8], group: &[u8]) -> Reply<'static> {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    Reply::Error(Cow::Owned(format!(
        "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP option"
    )))
}

/// Who reads, and how.
struct Reading<'a> {
    consumer: &'a [u8],
    count: usize,
    now_ms: u64,
    /// Whether what is given stays pending until it is acknowledged.
    keeps: bool,
}

impl Reading<'_> {
    /// Gives entries behind the group's last; `None` if there is none.
    fn give_new(&self, group: &mut ConsumerGroup, log: &Log) -> Option<Vec<Reply<'static>>> {
        let consumer = group.see(self.consumer, self.now_ms);
        let delivery = Delivery { at_ms: self.now_ms, count: 1 };
        let mut given = Vec::new();
        for entry in log.range(behind(group.progress.last_id)).take(self.count) {
            group.advance(entry.id, log);
            if self.keeps {
                group.assign(entry.id, consumer, delivery);
                group.note_active(consumer, self.now_ms);
            }
            given.push(range::reply(&entry).into_owned());
        }
        (!given.is_empty()).then_some(given)
    }

    /// Gives again what the consumer has pending behind an id, without what was deleted since.
    fn repeat(&self, group: &mut ConsumerGroup, log: &Log, last_id: Id) -> Vec<Reply<'static>> {
        let consumer = group.see(self.consumer, self.now_ms);
        let start = last_id.next().expect("the last id means new entries");
        let pending = group.pending_of(group.consumer(consumer), start);
        let ids: Vec<Id> = pending.map(|(id, _)| id).take(self.count).collect();
        let repeat = |id: Id| match log.get(id) {
            Some(entry) => {
                group.redeliver(id, self.now_ms);
                range::reply(&entry).into_owned()
            }
            None => Reply::Array(vec![id.reply(), Reply::NullArray]),
        };
        ids.into_iter().map(repeat).collect()
    }
}
