//! The command table: one row per command beside its handler, and everything derived from it.

use resp::Reply;

use crate::access::{Txn, View};
use crate::{expiry, generic, string};

/// A request's arguments, the command's name first.
pub type Args<'a> = &'a [&'a [u8]];

/// Redis' command groups (`COMMAND DOCS` "group").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Commands on keys of any type.
    Generic,
    /// Strings.
    String,
    /// Connection commands.
    Connection,
    /// Server commands.
    Server,
    /// Cluster commands.
    Cluster,
    /// MULTI and friends.
    Transactions,
}

/// Where a command's keys are among its arguments.
#[derive(Clone, Copy, Debug)]
pub enum Keys {
    /// No keys.
    None,
    /// Every `step`-th argument from `first` to `last`; a negative `last` counts from the end.
    Range {
        /// Index of the first key, in arguments.
        first: usize,
        /// Index of the last key, in arguments; negative from the end.
        last: i32,
        /// Distance between keys, in arguments.
        step: usize,
    },
    /// A count at argument `at`, then that many keys.
    Counted {
        /// Index of the count.
        at: usize,
    },
    /// The first half of what follows a keyword (`XREAD ... STREAMS k1 k2 id1 id2`).
    After(&'static str),
    /// Worked out by a function: the keys' indexes in the arguments.
    Computed(fn(Args<'_>) -> Vec<usize>),
}

/// Command flags, as `COMMAND INFO` prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// No flags.
    pub const NONE: Flags = Flags(0);
    /// May change data.
    pub const WRITE: Flags = Flags(1);
    /// Only reads data.
    pub const READONLY: Flags = Flags(1 << 1);
    /// Refused when memory is full.
    pub const DENYOOM: Flags = Flags(1 << 2);
    /// For administrators.
    pub const ADMIN: Flags = Flags(1 << 3);
    /// Pub/sub.
    pub const PUBSUB: Flags = Flags(1 << 4);
    /// Not from scripts.
    pub const NOSCRIPT: Flags = Flags(1 << 5);
    /// May block the client.
    pub const BLOCKING: Flags = Flags(1 << 6);
    /// Allowed while loading.
    pub const LOADING: Flags = Flags(1 << 7);
    /// Allowed on a stale replica.
    pub const STALE: Flags = Flags(1 << 8);
    /// O(1) or O(log n).
    pub const FAST: Flags = Flags(1 << 9);
    /// Allowed before AUTH.
    pub const NO_AUTH: Flags = Flags(1 << 10);
    /// Not inside MULTI.
    pub const NO_MULTI: Flags = Flags(1 << 11);
    /// Keys are not a plain range.
    pub const MOVABLE_KEYS: Flags = Flags(1 << 12);
    /// Not shown by MONITOR.
    pub const SKIP_MONITOR: Flags = Flags(1 << 13);
    /// Not shown by SLOWLOG.
    pub const SKIP_SLOWLOG: Flags = Flags(1 << 14);
    /// ACL category @dangerous.
    pub const DANGEROUS: Flags = Flags(1 << 15);
    /// Ours: never accepted from clients; written by the leader itself (expiry).
    pub const INTERNAL: Flags = Flags(1 << 16);
    /// Ours: reads or writes many slots without naming keys (DBSIZE, FLUSHALL, KEYS, SCAN).
    pub const KEYLESS_DATA: Flags = Flags(1 << 17);
    /// Ours: touches its keys also in another database, whose number is among its arguments
    /// (MOVE, COPY).
    pub const OTHER_DB: Flags = Flags(1 << 18);

    /// Both sets.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` is set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One argument, as `COMMAND DOCS` describes it; also what the comparison's generator reads.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// The argument's name.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// The keyword before it, if any (`EX` in `EX seconds`).
    pub token: Option<&'static str>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
}

/// The kinds of [`Arg`].
#[derive(Clone, Copy, Debug)]
pub enum ArgKind {
    /// A key.
    Key,
    /// Any bytes.
    String,
    /// A 64-bit integer.
    Integer,
    /// A double.
    Double,
    /// A glob.
    Pattern,
    /// A Unix time.
    UnixTime,
    /// Only the token itself.
    PureToken,
    /// Exactly one of these.
    OneOf(&'static [Arg]),
    /// All of these, in order.
    Block(&'static [Arg]),
}

/// The words about a command; shared by the data commands and the server's own.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Lower case; a subcommand's is only its own part (`encoding`).
    pub name: &'static str,
    /// Its group.
    pub group: Group,
    /// The Redis version that brought it.
    pub since: &'static str,
    /// Its cost, as `COMMAND DOCS` says it.
    pub complexity: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Number of arguments with the name; negative: at least that many.
    pub arity: i32,
    /// Where its keys are.
    pub keys: Keys,
    /// Its flags.
    pub flags: Flags,
    /// Its arguments.
    pub args: &'static [Arg],
}

/// A data command: its words and its handler.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The words.
    pub spec: Spec,
    /// The handler.
    pub run: Run,
}

/// A handler; read or write cannot disagree with what it does.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Looks only.
    Read(for<'v> fn(&'v View<'_>, Args<'_>) -> Reply<'v>),
    /// May change the keyspace.
    Write(fn(&mut Txn<'_>, Args<'_>) -> Reply<'static>),
    /// Only holds subcommands (`OBJECT`).
    Container(&'static [Command]),
}

/// The families' rows, in the order that COMMAND lists them.
static FAMILIES: &[&[Command]] = &[string::COMMANDS, generic::COMMANDS, expiry::COMMANDS];

/// The row for a request, case ignored; for a container the subcommand's row when the second
/// argument names one, else the container itself. `None`: no such command.
pub fn lookup(args: Args<'_>) -> Option<&'static Command> {
    let _ = args;
    todo!("lookup")
}

/// Every data command, families in order.
pub fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().flatten()
}

impl Spec {
    /// The indexes of the keys in `args`; `Err` with Redis' text when the arguments are malformed
    /// (a bad count). `args` has passed the arity check.
    pub fn key_indexes(
        &self,
        args: Args<'_>,
        found: &mut dyn FnMut(usize),
    ) -> Result<(), &'static str> {
        let _ = (args, found);
        todo!("key_indexes")
    }

    /// Whether `count` arguments, the name included, fit the arity.
    pub fn accepts(&self, count: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { count == wanted } else { count >= wanted }
    }
}
