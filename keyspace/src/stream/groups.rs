//! XGROUP: creating, moving and deleting groups and consumers.

use std::borrow::Cow;

use resp::Reply;

use super::group::{Group as ConsumerGroup, Progress};
use super::id::{self, Id};
use super::log::Log;
use super::{Stream, bad_subcommand, no_group};
use crate::access::Txn;
use crate::argument::{Answer, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const XGROUP: Command = Command {
    spec: Spec {
        name: "xgroup",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "Depends on the subcommand",
        summary: "Holds commands on consumer groups.",
        arity: -2,
        keys: Keys::None,
        flags: Flags::NONE,
        args: &[],
    },
    run: Run::Container(&[CREATE, CREATECONSUMER, DELCONSUMER, DESTROY, HELP, SETID]),
};

const GROUP: Arg = Arg::new("groupname", ArgKind::String);
const CONSUMER: Arg = Arg::new("consumername", ArgKind::String);
const ID: Arg =
    Arg::new("id", ArgKind::OneOf(&[Arg::new("id", ArgKind::String), Arg::keyword("new_id", "$")]));
const ENTRIES_READ: Arg =
    Arg::new("entries_read", ArgKind::Integer).after("ENTRIESREAD").optional();

const CREATE: Command = Command {
    spec: Spec {
        name: "create",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        summary: "Creates a consumer group.",
        arity: -5,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[
            Arg::key("key"),
            GROUP,
            ID,
            Arg::keyword("mkstream", "MKSTREAM").optional(),
            ENTRIES_READ,
        ],
    },
    run: Run::Write(|txn, args| settle(create(txn, args))),
};

fn create(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let (key, name) = (args[2], args[3]);
    let (mut makes_stream, mut entries_read) = (false, None);
    let mut rest = &args[5..];
    while let [option, tail @ ..] = rest {
        rest = tail;
        if is(option, "MKSTREAM") {
            makes_stream = true;
        } else {
            entries_read = read_entries_read(args, option, &mut rest)?;
        }
    }
    let exists = txn.data::<Stream>(key)?.is_some();
    if !exists && !makes_stream {
        return Err(KEY_REQUIRED);
    }
    // Redis reads more than so many words as another command.
    if args.len() > 8 {
        return Err(bad_subcommand(args));
    }
    let id = Start::read(args[4])?;
    let created = txn.edit_or_create::<Stream, _>(key, |stream| {
        if exists {
            // Only a stream that was not there is news to others.
            stream.unchanged();
        }
        let progress = Progress { last_id: id.of(&stream.log), entries_read };
        stream.groups.insert(name, ConsumerGroup::new(progress))
    })?;
    match created {
        true => Ok(Reply::OK),
        false => Err(Reply::error("BUSYGROUP Consumer Group name already exists")),
    }
}

const KEY_REQUIRED: Reply<'static> = Reply::error(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
     the MKSTREAM option to create an empty stream automatically.",
);

/// Reads ENTRIESREAD's number, if that is the option; -1: not known.
fn read_entries_read(
    args: Args<'_>,
    option: &[u8],
    rest: &mut &[&[u8]],
) -> Result<Option<u64>, Reply<'static>> {
    match *rest {
        [value, tail @ ..] if is(option, "ENTRIESREAD") => {
            *rest = tail;
            match integer(value)? {
                -1 => Ok(None),
                count => u64::try_from(count)
                    .map(Some)
                    .map_err(|_| Reply::error("ERR value for ENTRIESREAD must be positive or -1")),
            }
        }
        _ => Err(bad_subcommand(args)),
    }
}

/// Where a group starts to read.
enum Start {
    /// Behind the last id there is (`$`).
    Last,
    Id(Id),
}

impl Start {
    fn read(argument: &[u8]) -> Result<Start, Reply<'static>> {
        match argument {
            b"$" => Ok(Start::Last),
            id => id::parse(id).map(Start::Id),
        }
    }

    fn of(&self, log: &Log) -> Id {
        match self {
            Start::Last => log.last_id(),
            Start::Id(id) => *id,
        }
    }
}

const SETID: Command = Command {
    spec: Spec {
        name: "setid",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        summary: "Sets the id behind which a group reads on.",
        arity: -5,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::WRITE,
        args: &[Arg::key("key"), GROUP, ID, ENTRIES_READ],
    },
    run: Run::Write(|txn, args| settle(setid(txn, args))),
};

fn setid(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let mut entries_read = None;
    let mut rest = &args[5..];
    while let [option, tail @ ..] = rest {
        rest = tail;
        entries_read = read_entries_read(args, option, &mut rest)?;
    }
    require_group(txn, args)?;
    if args.len() > 7 {
        return Err(bad_subcommand(args));
    }
    let id = match args[4] {
        b"-" | b"+" => Start::Id(id::parse_or_end_of_all(args[4])?),
        id => Start::read(id)?,
    };
    edit_group(txn, args, |group, log| {
        group.progress = Progress { last_id: id.of(log), entries_read };
        Reply::OK
    })
}

const DESTROY: Command = Command {
    spec: Spec {
        name: "destroy",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(N) for N pending entries",
        summary: "Deletes a consumer group.",
        arity: 4,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::WRITE,
        args: &[Arg::key("key"), GROUP],
    },
    run: Run::Write(|txn, args| settle(destroy(txn, args))),
};

fn destroy(txn: &mut Txn<'_>, args: Args<'_>) -> Answer<'static> {
    let removed = txn.edit::<Stream, _>(args[2], |stream| {
        let removed = stream.groups.remove(args[3]);
        if !removed {
            stream.unchanged();
        }
        // Else it counts as a change of the key, unlike in Redis, where only those hear of it who
        // wait for the group.
        removed
    })?;
    removed.map(|removed| Reply::Integer(i64::from(removed))).ok_or(KEY_REQUIRED)
}

const CREATECONSUMER: Command = Command {
    spec: Spec {
        name: "createconsumer",
        group: Group::Stream,
        since: "6.2.0",
        complexity: "O(1)",
        summary: "Creates a consumer of a group.",
        arity: 5,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::WRITE.and(Flags::DENYOOM),
        args: &[Arg::key("key"), GROUP, CONSUMER],
    },
    run: Run::Write(|txn, args| {
        let now_ms = txn.now_ms();
        settle(edit_group(txn, args, |group, _| {
            Reply::Integer(i64::from(group.create(args[4], now_ms).is_ok()))
        }))
    }),
};

const DELCONSUMER: Command = Command {
    spec: Spec {
        name: "delconsumer",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(N) for N entries that the consumer has pending",
        summary: "Deletes a consumer of a group, with all that it has pending.",
        arity: 5,
        keys: Keys::AFTER_SUBCOMMAND,
        flags: Flags::WRITE,
        args: &[Arg::key("key"), GROUP, CONSUMER],
    },
    run: Run::Write(|txn, args| {
        settle(edit_group(txn, args, |group, _| {
            Reply::Integer(group.remove(args[4]).unwrap_or(0) as i64)
        }))
    }),
};

/// Changes the group that the subcommand names, of which others who watch the key do not hear.
fn edit_group(
    txn: &mut Txn<'_>,
    args: Args<'_>,
    edit: impl FnOnce(&mut ConsumerGroup, &Log) -> Reply<'static>,
) -> Answer<'static> {
    require_group(txn, args)?;
    let reply = txn.edit::<Stream, _>(args[2], |stream| {
        stream.unchanged();
        stream.edit_group(args[3], edit)
    })?;
    Ok(reply.flatten().expect("it was there"))
}

fn require_group(txn: &Txn<'_>, args: Args<'_>) -> Result<(), Reply<'static>> {
    let stream = txn.data::<Stream>(args[2])?.ok_or(KEY_REQUIRED)?;
    match stream.groups.get(args[3]) {
        Some(_) => Ok(()),
        None => Err(no_group(args[2], args[3])),
    }
}

const HELP: Command = Command {
    spec: Spec {
        name: "help",
        group: Group::Stream,
        since: "5.0.0",
        complexity: "O(1)",
        summary: "Lists the subcommands of XGROUP.",
        arity: 2,
        keys: Keys::None,
        flags: Flags::LOADING.and(Flags::STALE),
        args: &[],
    },
    run: Run::Read(|_, _| {
        const LINES: [&str; 15] = [
            "XGROUP <subcommand> [<argument> ...]. The subcommands:",
            "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <count>]",
            "    Create a group that reads on behind an id, or behind the last with $.",
            "    MKSTREAM creates the stream too, if there is none.",
            "    ENTRIESREAD says how many entries ever added the group has read; -1 if unknown.",
            "CREATECONSUMER <key> <group> <consumer>",
            "    Create a consumer.",
            "DELCONSUMER <key> <group> <consumer>",
            "    Delete a consumer, with all that it has pending.",
            "DESTROY <key> <group>",
            "    Delete a group.",
            "SETID <key> <group> <id|$> [ENTRIESREAD <count>]",
            "    Let a group read on behind another id.",
            "HELP",
            "    This text.",
        ];
        Reply::Array(LINES.iter().map(|&line| Reply::Status(Cow::Borrowed(line))).collect())
    }),
};
