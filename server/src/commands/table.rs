//! Finding a command's row: one table over the data commands and the server's own.
//!
//! Invariants: a name occurs once, checked when the table is built; a lookup allocates nothing and
//! never looks at more than [`NAME_BYTES_MAX`] bytes of what a client sent as a name.
//!
//! Also the three refusals that need the table: unknown command, unknown subcommand, wrong arity.
//!
//! Leaves out rows flagged [`Flags::INTERNAL`]: for clients they do not exist.

use std::borrow::Cow;
use std::sync::LazyLock;

use keyspace::command::Flags;
use keyspace::{Args, Spec};
use resp::Reply;

use super::{Row, command, families};

/// The longest name of a command, with room to spare: a longer one is unknown without being read.
const NAME_BYTES_MAX: usize = 32;

/// Bytes of a client's words that an error repeats, as in Redis.
const ECHO_BYTES_MAX: usize = 128;

/// Buckets per command: three of four stay empty, so a lookup rarely probes twice.
const BUCKETS_PER_ENTRY: usize = 4;

/// A command and its subcommands.
struct Entry {
    row: Row,
    subcommands: Vec<Row>,
}

/// Open addressing with linear probing; a bucket holds an entry's index plus one, 0 is empty.
struct Table {
    entries: Vec<Entry>,
    buckets: Vec<u16>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::new(top_level().filter(|row| !row.spec().flags.has(Flags::INTERNAL))));

/// The row for a request, case ignored; for a container the subcommand's row when the second
/// argument names one, else the container itself. `None`: no such command.
pub fn lookup(args: Args<'_>) -> Option<Row> {
    let entry = TABLE.find(args.first()?)?;
    let Some(name) = args.get(1) else {
        return Some(command::alone(entry.row.spec().name).map_or(entry.row, Row::Server));
    };
    Some(subcommand(&entry.subcommands, name).unwrap_or(entry.row))
}

/// The row with a full name, such as `get` or `client|list`; case ignored.
pub(super) fn by_full_name(name: &[u8]) -> Option<Row> {
    let mut parts = name.splitn(2, |byte| *byte == b'|');
    let entry = TABLE.find(parts.next()?)?;
    match parts.next() {
        None => Some(entry.row),
        Some(name) => subcommand(&entry.subcommands, name),
    }
}

/// Every command that clients may send, containers in the place of their subcommands.
pub(super) fn all() -> impl Iterator<Item = Row> {
    TABLE.entries.iter().map(|entry| entry.row)
}

/// A command's name as COMMAND and errors print it: a subcommand's with its container's before.
pub(super) fn full_name(spec: &Spec) -> Cow<'static, str> {
    for entry in &TABLE.entries {
        let container = entry.row.spec();
        if same(container, spec) {
            return Cow::Borrowed(container.name);
        }
        if entry.subcommands.iter().any(|row| same(row.spec(), spec)) {
            return Cow::Owned(format!("{}|{}", container.name, spec.name));
        }
    }
    Cow::Owned(spec.name.to_owned())
}

/// `ERR unknown command ...`, with the beginning of its arguments.
pub fn unknown_command(args: Args<'_>) -> Reply<'static> {
    let mut rest = Vec::new();
    for arg in args.iter().skip(1) {
        if rest.len() >= ECHO_BYTES_MAX {
            break;
        }
        let room = ECHO_BYTES_MAX - rest.len();
        for part in [b"'", echo(arg, room), b"' "] {
            rest.extend_from_slice(part);
        }
    }
    let rest = String::from_utf8_lossy(&rest);
    let name = args.first().map_or(&b""[..], |name| echo(name, ECHO_BYTES_MAX));
    let name = String::from_utf8_lossy(name);
    Reply::Error(format!("ERR unknown command '{name}', with args beginning with: {rest}").into())
}

/// `ERR unknown subcommand ...`, for a container whose subcommand does not exist.
pub fn unknown_subcommand(args: Args<'_>) -> Reply<'static> {
    let name = args.get(1).map_or(&b""[..], |name| echo(name, ECHO_BYTES_MAX));
    let name = String::from_utf8_lossy(name);
    let container = lookup(&args[..1]).map_or("", |row| row.spec().name).to_ascii_uppercase();
    Reply::Error(format!("ERR unknown subcommand '{name}'. Try {container} HELP.").into())
}

/// `ERR wrong number of arguments ...` for the row that [`lookup`] found for `args`.
pub fn wrong_arity(row: Row, args: Args<'_>) -> Reply<'static> {
    let spec = row.spec();
    match args.first().and_then(|name| TABLE.find(name)) {
        Some(entry) if !same(entry.row.spec(), spec) => {
            let container = entry.row.spec().name;
            super::errors::wrong_arguments(&format!("{container}|{}", spec.name))
        }
        _ => super::errors::wrong_arguments(spec.name),
    }
}

impl Table {
    fn new(rows: impl Iterator<Item = Row>) -> Table {
        let entries: Vec<Entry> =
            rows.map(|row| Entry { row, subcommands: row.subcommands() }).collect();
        let buckets = (entries.len() * BUCKETS_PER_ENTRY).next_power_of_two();
        let mut table = Table { entries: Vec::new(), buckets: vec![0; buckets] };
        for entry in entries {
            table.insert(entry);
        }
        table
    }

    fn insert(&mut self, entry: Entry) {
        let name = entry.row.spec().name;
        assert!(name.len() <= NAME_BYTES_MAX, "the name {name} is too long for lookups");
        assert!(self.find(name.as_bytes()).is_none(), "two commands are named {name}");
        let mut bucket = self.home(name.as_bytes());
        while self.buckets[bucket] != 0 {
            bucket = (bucket + 1) % self.buckets.len();
        }
        self.entries.push(entry);
        self.buckets[bucket] =
            u16::try_from(self.entries.len()).expect("there are a few hundred commands");
    }

    fn find(&self, name: &[u8]) -> Option<&Entry> {
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        let mut bucket = self.home(name);
        loop {
            let entry = self.entries.get(usize::from(self.buckets[bucket]).checked_sub(1)?)?;
            if entry.row.spec().name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(entry);
            }
            bucket = (bucket + 1) % self.buckets.len();
        }
    }

    /// The first bucket of a name: FNV-1a over its bytes with the case bit set, so that cases
    /// agree without a lower-cased copy.
    fn home(&self, name: &[u8]) -> usize {
        let hash = name.iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte | 0x20)).wrapping_mul(16_777_619)
        });
        hash as usize & (self.buckets.len() - 1)
    }
}

fn top_level() -> impl Iterator<Item = Row> {
    keyspace::command::all().map(Row::Data).chain(families().map(Row::Server))
}

fn subcommand(rows: &[Row], name: &[u8]) -> Option<Row> {
    rows.iter().find(|row| row.spec().name.as_bytes().eq_ignore_ascii_case(name)).copied()
}

/// Whether two specs are the same row. By content, because a constant may have several addresses.
fn same(a: &Spec, b: &Spec) -> bool {
    a.name == b.name && a.summary == b.summary
}

/// What an error repeats of a client's word: like C's `%.*s`, at most `room` bytes and nothing
/// after a NUL.
fn echo(word: &[u8], room: usize) -> &[u8] {
    let word = &word[..word.len().min(room)];
    word.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::error_text;
    use super::*;

    fn found(line: &str) -> Option<String> {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        lookup(&args).map(|row| full_name(row.spec()).into_owned())
    }

    fn text(reply: Reply<'static>) -> String {
        error_text::<()>(Err(reply))
    }

    #[test]
    fn names_are_found_in_any_case_and_containers_give_their_subcommands() {
        assert_eq!(found("PiNg").as_deref(), Some("ping"));
        assert_eq!(found("client SETNAME x").as_deref(), Some("client|setname"));
        assert_eq!(found("CLIENT nosuch").as_deref(), Some("client"));
        assert_eq!(found("client").as_deref(), Some("client"));
        assert_eq!(found("nosuch"), None);
        assert_eq!(found("client|list"), None);
        assert_eq!(found(""), None);
        assert_eq!(found(&"x".repeat(1000)), None);
        assert!(!lookup(&[b"command"]).unwrap().is_container());
        assert!(lookup(&[b"command", b"nosuch"]).unwrap().is_container());
    }

    #[test]
    fn every_row_is_found_by_its_own_name() {
        for row in all().flat_map(|row| std::iter::once(row).chain(row.subcommands())) {
            let name = full_name(row.spec());
            let by_name = by_full_name(name.as_bytes()).unwrap();
            assert!(std::ptr::eq(by_name.spec(), row.spec()), "{name}");
        }
    }

    #[test]
    fn rows_differ_in_what_full_name_compares() {
        // Subcommands of one container may share a summary, but then not a name.
        let mut seen = BTreeSet::new();
        for row in all().flat_map(|row| std::iter::once(row).chain(row.subcommands())) {
            let spec = row.spec();
            assert!(seen.insert((spec.name, spec.summary)), "{} is ambiguous", spec.name);
        }
    }

    #[test]
    fn unknown_commands_are_answered_as_by_redis() {
        let long = "y".repeat(200);
        let cases: [(&[&[u8]], String); 5] = [
            (&[b"foo"], "ERR unknown command 'foo', with args beginning with: ".into()),
            (
                &[b"foo", b"a", b"b"],
                "ERR unknown command 'foo', with args beginning with: 'a' 'b' ".into(),
            ),
            (
                &[b"foo", b"a\0b"],
                "ERR unknown command 'foo', with args beginning with: 'a' ".into(),
            ),
            (
                &[long.as_bytes(), b"z"],
                format!(
                    "ERR unknown command '{}', with args beginning with: 'z' ",
                    "y".repeat(128)
                ),
            ),
            (
                &[b"foo", b"a", long.as_bytes(), b"never"],
                format!(
                    "ERR unknown command 'foo', with args beginning with: 'a' '{}' ",
                    "y".repeat(124)
                ),
            ),
        ];
        for (args, expected) in cases {
            assert_eq!(text(unknown_command(args)), expected);
        }
    }

    #[test]
    fn unknown_subcommands_and_wrong_arity_name_the_container() {
        assert_eq!(
            text(unknown_subcommand(&[b"client", b"MAINT_NOTIFICATIONS", b"ON"])),
            "ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP."
        );
        let wrong = |args: Args<'_>| text(wrong_arity(lookup(args).unwrap(), args));
        assert_eq!(wrong(&[b"ECHO"]), "ERR wrong number of arguments for 'echo' command");
        assert_eq!(wrong(&[b"Client"]), "ERR wrong number of arguments for 'client' command");
        assert_eq!(
            wrong(&[b"Client", b"SetName"]),
            "ERR wrong number of arguments for 'client|setname' command"
        );
    }
}
