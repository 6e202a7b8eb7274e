//! The command table: one row per command beside its handler, and everything derived from it.

use std::ops::Range;
use std::sync::LazyLock;

use resp::Reply;

use crate::access::{Txn, View};
use crate::{
    bitmap, expiry, generic, geo, hash, hyperloglog, internal, list, number, set, stream, string,
    zset,
};

/// A request's arguments, the command's name first.
pub type Args<'a> = &'a [&'a [u8]];

/// Redis' command groups (`COMMAND DOCS` "group").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Commands on keys of any type.
    Generic,
    /// Strings.
    String,
    /// Bitmaps, which are strings.
    Bitmap,
    /// HyperLogLogs, which are strings.
    HyperLogLog,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Hashes.
    Hash,
    /// Sorted sets.
    SortedSet,
    /// Geographic positions, which are sorted sets.
    Geo,
    /// Streams.
    Stream,
    /// Connection commands.
    Connection,
    /// Server commands.
    Server,
    /// Cluster commands.
    Cluster,
    /// MULTI and friends.
    Transactions,
    /// Publishing and subscribing.
    PubSub,
    /// Functions and scripts.
    Scripting,
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
    /// The first argument (where to store), and others that are counted.
    FirstAndCounted {
        /// Index of the count.
        at: usize,
    },
    /// The first argument, and the one behind the last of these keywords (`GEORADIUS ... STORE k`).
    FirstAndBehind {
        /// The keywords.
        keywords: &'static [&'static str],
        /// Index of the first argument that may be one.
        from: usize,
    },
    /// The first half of what follows a keyword (`XREAD ... STREAMS k1 k2 id1 id2`).
    After {
        /// The keyword.
        keyword: &'static str,
        /// Index of the first argument that may be it.
        from: usize,
    },
    /// The first argument, and perhaps another: a function works out its index (`SORT ... STORE k`).
    FirstAndComputed(fn(Args<'_>) -> Option<usize>),
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
    /// Ours: touches its keys, or everything, also in another database, whose number is among its
    /// arguments (MOVE, COPY, SWAPDB).
    pub const OTHER_DB: Flags = Flags(1 << 18);

    /// Ours: reads keys that its arguments describe by patterns with `*`, if there are any (SORT).
    pub const PATTERN_KEYS: Flags = Flags(1 << 19);

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
    /// The keyword is repeated with it (`GET a GET b`).
    pub multiple_token: bool,
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
    /// May wait until there is something to answer (`BLPOP`).
    Block(&'static Block),
    /// Only holds subcommands (`OBJECT`).
    Container(&'static [Command]),
}

/// A command that may wait. The keyspace never does: it attempts, and whoever asked may attempt
/// again when a key was touched.
#[derive(Debug)]
pub struct Block {
    /// The attempt: a read or a write that answers [`Reply::Null`] or [`Reply::NullArray`], and has
    /// changed nothing, when the client is to wait. Inside MULTI that is the answer.
    pub run: Run,
    /// For how many milliseconds these arguments ask to wait, 0 for ever; `None`: not at all, or
    /// they are malformed, which the attempt says.
    pub timeout_ms: fn(Args<'_>) -> Option<u64>,
    /// What to attempt later in place of these arguments, if they mean something else by then
    /// (`XREAD ... $`); looked at by the attempt that has to wait.
    pub later: fn(&View<'_>, Args<'_>) -> Option<Vec<Vec<u8>>>,
    /// Whether a key of another type is waited out too, as pops do; otherwise a later attempt
    /// that meets one answers so.
    pub waits_out_types: bool,
}

impl Run {
    /// What runs now: the attempt of a command that may wait, else the handler itself.
    pub fn attempt(self) -> Run {
        match self {
            Run::Block(block) => block.run,
            run => run,
        }
    }

    /// Whether it may change the keyspace.
    pub fn writes(self) -> bool {
        matches!(self.attempt(), Run::Write(_))
    }
}

/// The families' rows, in the order that COMMAND lists them; ours that no client may call last.
static FAMILIES: &[&[Command]] = &[
    string::COMMANDS,
    bitmap::COMMANDS,
    hyperloglog::COMMANDS,
    list::COMMANDS,
    set::COMMANDS,
    hash::COMMANDS,
    zset::COMMANDS,
    geo::COMMANDS,
    stream::COMMANDS,
    generic::COMMANDS,
    expiry::COMMANDS,
    internal::COMMANDS,
];

/// Places of the index, a power of two: with a few hundred commands three look-ups of four end at
/// the first place.
const INDEX_PLACES: usize = 1024;

/// The rows by their names' hashes; a row whose place is taken stands in the next free one.
static INDEX: LazyLock<Box<[Option<&'static Command>]>> = LazyLock::new(|| {
    let mut index: Box<[Option<&'static Command>]> = vec![None; INDEX_PLACES].into();
    assert!(all().count() < INDEX_PLACES / 2, "the index must stay sparse");
    for command in all() {
        let name = command.spec.name.as_bytes();
        let place = places(name).find(|place| index[*place].is_none());
        index[place.expect("half of the places are free")] = Some(command);
    }
    index
});

/// The row for a request, case ignored; for a container the subcommand's row when the second
/// argument names one, else the container itself. `None`: no such command.
pub fn lookup(args: Args<'_>) -> Option<&'static Command> {
    let name = *args.first()?;
    let mut places = places(name);
    let command = loop {
        let command = INDEX[places.next()?]?;
        if command.spec.name.as_bytes().eq_ignore_ascii_case(name) {
            break command;
        }
    };
    let (Run::Container(subcommands), Some(wanted)) = (command.run, args.get(1)) else {
        return Some(command);
    };
    let is_wanted = |row: &&Command| row.spec.name.as_bytes().eq_ignore_ascii_case(wanted);
    Some(subcommands.iter().find(is_wanted).unwrap_or(command))
}

/// Every data command, families in order.
pub fn all() -> impl Iterator<Item = &'static Command> {
    FAMILIES.iter().copied().flatten()
}

/// Where a name may stand in the index, in the order of trying, whatever its case.
fn places(name: &[u8]) -> impl Iterator<Item = usize> + use<> {
    // The bit that lower-case letters have and capitals have not; in other characters it does no
    // harm. A name past any command's length need not be read to its end.
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(byte | 0x20)).wrapping_mul(0x9E37_79B1);
    let first = name.iter().take(NAME_BYTES_MAX).fold(0, mix) >> 16;
    (0..INDEX_PLACES).map(move |step| (first as usize + step) % INDEX_PLACES)
}

/// No command's name is longer.
const NAME_BYTES_MAX: usize = 32;

impl Spec {
    /// The indexes of the keys in `args`; `Err` with a text when the arguments are malformed (a bad
    /// count): such a call locks nothing and its handler, which knows Redis' text for it, runs only
    /// to say what is wrong. `args` has passed the arity check.
    pub fn key_indexes(
        &self,
        args: Args<'_>,
        found: &mut dyn FnMut(usize),
    ) -> Result<(), &'static str> {
        match self.keys {
            Keys::None => {}
            Keys::Range { first, last, step } => {
                let behind = match usize::try_from(last) {
                    Ok(last) => args.len().min(last + 1),
                    Err(_) => (args.len() + 1).saturating_sub(last.unsigned_abs() as usize),
                };
                (first..behind).step_by(step).for_each(found);
            }
            Keys::Counted { at } => counted(args, at)?.for_each(found),
            Keys::FirstAndCounted { at } => {
                let others = counted(args, at)?;
                found(1);
                others.for_each(found);
            }
            Keys::FirstAndBehind { keywords, from } => {
                found(1);
                let is_keyword = |arg: &[u8]| {
                    keywords.iter().any(|keyword| arg.eq_ignore_ascii_case(keyword.as_bytes()))
                };
                let (mut last, mut index) = (None, from);
                while index + 1 < args.len() {
                    // What stands behind a keyword is none itself.
                    if is_keyword(args[index]) {
                        last = Some(index + 1);
                        index += 1;
                    }
                    index += 1;
                }
                last.into_iter().for_each(found);
            }
            Keys::After { keyword, from } => {
                let is_keyword = |arg: &&[u8]| arg.eq_ignore_ascii_case(keyword.as_bytes());
                let at = args.iter().skip(from).position(is_keyword).ok_or(SYNTAX)? + from;
                let rest = args.len() - at - 1;
                if rest == 0 || !rest.is_multiple_of(2) {
                    return Err(SYNTAX);
                }
                (at + 1..at + 1 + rest / 2).for_each(found);
            }
            Keys::FirstAndComputed(compute) => {
                found(1);
                compute(args).into_iter().for_each(found);
            }
            Keys::Computed(compute) => compute(args).into_iter().for_each(found),
        }
        Ok(())
    }

    /// Whether `count` arguments, the name included, fit the arity.
    pub fn accepts(&self, count: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { count == wanted } else { count >= wanted }
    }
}

/// The indexes of as many keys as the argument at `at` says, behind it.
fn counted(args: Args<'_>, at: usize) -> Result<Range<usize>, &'static str> {
    let count = args.get(at).and_then(|count| number::parse_i64(count));
    let count = count.ok_or("ERR value is not an integer or out of range")?;
    let rest = args.len() - at - 1;
    match usize::try_from(count) {
        Ok(count @ 1..) if count <= rest => Ok(at + 1..at + 1 + count),
        Ok(1..) => Err("ERR Number of keys can't be greater than number of args"),
        _ => Err("ERR numkeys should be greater than 0"),
    }
}

const SYNTAX: &str = "ERR syntax error";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rows() -> Vec<(Option<&'static Command>, &'static Command)> {
        let mut rows = Vec::new();
        for command in all() {
            rows.push((None, command));
            if let Run::Container(subcommands) = command.run {
                rows.extend(subcommands.iter().map(|row| (Some(command), row)));
            }
        }
        rows
    }

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for (parent, row) in rows() {
            let path: Vec<String> =
                parent.iter().chain([&row]).map(|row| row.spec.name.to_uppercase()).collect();
            let args: Vec<&[u8]> = path.iter().map(|name| name.as_bytes()).collect();
            assert!(std::ptr::eq(lookup(&args).unwrap(), row), "{path:?}");
        }
    }

    #[test]
    fn what_is_no_command_is_not_found() {
        assert!(lookup(&[]).is_none());
        assert!(lookup(&[b""]).is_none());
        assert!(lookup(&[b"gett"]).is_none());
        assert!(lookup(&[b"get\0"]).is_none());
        assert!(lookup(&[&[b'g'; 100]]).is_none());
    }

    #[test]
    fn a_container_stands_for_subcommands_it_does_not_have() {
        let object = lookup(&[b"object"]).unwrap();
        assert!(matches!(object.run, Run::Container(_)));
        assert!(std::ptr::eq(lookup(&[b"OBJECT", b"nope"]).unwrap(), object));
    }

    #[test]
    fn names_are_short_lower_case_and_unique() {
        let mut seen = BTreeSet::new();
        for (parent, row) in rows() {
            let name = row.spec.name;
            assert!(seen.insert((parent.map(|parent| parent.spec.name), name)), "{name} twice");
            assert!(!name.is_empty() && name.len() <= NAME_BYTES_MAX, "{name}");
            let lower = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.');
            assert!(name.bytes().all(lower), "{name}");
        }
    }

    #[test]
    fn rows_agree_with_themselves() {
        for (parent, row) in rows() {
            let Spec { name, flags, keys, arity, args, .. } = row.spec;
            let write = row.run.writes();
            let read = matches!(row.run.attempt(), Run::Read(_));
            let blocks = matches!(row.run, Run::Block(_));
            assert_eq!(flags.has(Flags::BLOCKING), blocks, "{name}: the flag and the handler");
            assert_eq!(flags.has(Flags::WRITE), write, "{name}: the flag and the handler");
            let keyless = flags.has(Flags::KEYLESS_DATA);
            let has_keys = !matches!(keys, Keys::None);
            let looks = read && (keyless || has_keys);
            assert_eq!(flags.has(Flags::READONLY), looks, "{name}: the flag and the handler");
            assert!(!flags.has(Flags::DENYOOM) || write, "{name}: only writes take memory");
            assert!(arity != 0, "{name}: the name itself counts");
            let words = if parent.is_some() { 2 } else { 1 };
            let fixed = |arg: &Arg| !arg.optional;
            let least =
                words + args.iter().filter(|arg| fixed(arg)).map(least_words).sum::<usize>();
            let most_is_least = !args.iter().any(|arg| arg.optional || arg.multiple);
            if !matches!(row.run, Run::Container(_)) {
                assert_eq!(arity.unsigned_abs() as usize, least, "{name}: arity and arguments");
                assert!(arity < 0 || most_is_least, "{name}: a fixed arity, but arguments vary");
            }
            assert!(!(keyless && has_keys), "{name}: names keys, so it is not keyless");
            assert!(!write || keyless || has_keys, "{name}: works on no data");
            if let Keys::Range { first, last, step } = keys {
                assert!(first >= words && step > 0, "{name}");
                assert!(last < 0 || last as usize >= first, "{name}");
                assert!(arity.unsigned_abs() as usize > first, "{name}: its first key may miss");
            }
        }
    }

    fn least_words(arg: &Arg) -> usize {
        let token = usize::from(arg.token.is_some());
        match arg.kind {
            ArgKind::PureToken => 1,
            ArgKind::OneOf(choices) => token + choices.iter().map(least_words).min().unwrap_or(0),
            ArgKind::Block(parts) => {
                token + parts.iter().filter(|arg| !arg.optional).map(least_words).sum::<usize>()
            }
            _ => token + 1,
        }
    }

    fn indexes(keys: Keys, args: &[&str]) -> Result<Vec<usize>, &'static str> {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        let spec = Spec { keys, ..lookup(&[b"get"]).unwrap().spec };
        let mut found = Vec::new();
        spec.key_indexes(&args, &mut |index| found.push(index)).map(|()| found)
    }

    #[test]
    fn keys_are_found_where_rows_say() {
        let range = |first, last, step| Keys::Range { first, last, step };
        assert_eq!(indexes(range(1, 1, 1), &["get", "k"]), Ok(vec![1]));
        assert_eq!(indexes(range(1, -1, 1), &["del", "a", "b", "c"]), Ok(vec![1, 2, 3]));
        assert_eq!(indexes(range(1, -1, 2), &["mset", "a", "1", "b", "2"]), Ok(vec![1, 3]));
        assert_eq!(indexes(range(1, -2, 1), &["blpop", "a", "b", "0"]), Ok(vec![1, 2]));
        assert_eq!(indexes(range(1, -1, 1), &["del"]), Ok(vec![]));
        assert_eq!(indexes(range(2, 2, 1), &["object"]), Ok(vec![]));
        assert_eq!(indexes(Keys::None, &["scan", "0"]), Ok(vec![]));
        let computed = Keys::Computed(|args| vec![args.len() - 1]);
        assert_eq!(indexes(computed, &["x", "y", "z"]), Ok(vec![2]));
    }

    #[test]
    fn counted_keys_are_checked_against_the_arguments() {
        let counted = |args: &[&str]| indexes(Keys::Counted { at: 1 }, args);
        assert_eq!(counted(&["sintercard", "2", "a", "b", "limit", "1"]), Ok(vec![2, 3]));
        for count in ["3", "0", "-1", "x", "9223372036854775807", "-9223372036854775808"] {
            assert!(counted(&["sintercard", count, "a", "b"]).is_err(), "{count}");
        }
        assert!(counted(&["sintercard"]).is_err());
    }

    #[test]
    fn keys_after_a_keyword_are_half_of_what_follows() {
        let after = |args: &[&str]| indexes(Keys::After { keyword: "STREAMS", from: 1 }, args);
        assert_eq!(after(&["xread", "count", "1", "streams", "a", "b", "0", "0"]), Ok(vec![4, 5]));
        assert!(after(&["xread", "streams", "a", "b", "0"]).is_err());
        assert!(after(&["xread", "streams"]).is_err());
        assert!(after(&["xread", "count"]).is_err());
        // A group may have the keyword's name.
        let behind = Keys::After { keyword: "STREAMS", from: 4 };
        let args = ["xreadgroup", "group", "streams", "c", "streams", "a", ">"];
        assert_eq!(indexes(behind, &args), Ok(vec![5]));
    }
}
