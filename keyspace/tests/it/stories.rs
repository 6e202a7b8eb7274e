//! Runs the stories: every file below `tests/stories`, each against a keyspace of its own.
//!
//! A line `> set k "v\n"` is a request as redis-cli splits it, and its output is the reply as
//! redis-cli prints it. Lines without `>` are directives:
//! - `advance 1500` moves the clock on by so many milliseconds;
//! - `db 3` goes over to another database;
//! - `sweep` runs the leader's expiry cycle and prints the keys it deletes;
//! - `touched` prints the keys that the last request touched.
//!
//! `UPDATE_GOLDENFILES=1 cargo test` writes the outputs; read the difference before keeping it.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use resp::Reply;

use crate::world::World;

#[test]
fn stories() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut files = Vec::new();
    find(&root, &mut files);
    assert!(!files.is_empty(), "there are stories");
    let mut told_otherwise = Vec::new();
    for file in &files {
        let mut runner = Runner(World::new(16));
        let run = || goldenscript::run(&mut runner, file);
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => told_otherwise.push(format!("{}: {error}", file.display())),
            // The difference itself has been printed by the panic.
            Err(_) => told_otherwise.push(file.display().to_string()),
        }
    }
    assert!(
        told_otherwise.is_empty(),
        "stories that end otherwise:\n{}",
        told_otherwise.join("\n")
    );
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let listed = std::fs::read_dir(folder).expect("the folder is part of the sources");
    let mut entries: Vec<PathBuf> =
        listed.map(|entry| entry.expect("an entry of the folder").path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            find(&entry, files);
        } else {
            files.push(entry);
        }
    }
}

struct Runner(World);

impl goldenscript::Runner for Runner {
    type Command = goldenscript::Command;

    fn run(
        &mut self,
        command: &goldenscript::Command,
        _: &goldenscript::Context,
    ) -> Result<String, Box<dyn Error>> {
        let mut args = command.consume_args();
        let output = match command.name.as_str() {
            "advance" => {
                self.0.now_ms += args.next_pos().ok_or("advance by how much?")?.parse::<u64>()?;
                String::new()
            }
            "db" => {
                self.0.db = args.next_pos().ok_or("which database?")?.parse()?;
                String::new()
            }
            "sweep" => keys(&self.0.sweep(usize::MAX)),
            "touched" => keys(&self.0.touched.0),
            line => {
                let words = split(line).ok_or("unbalanced quotes")?;
                let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                let mut output = String::new();
                print(&self.0.run(&args), 0, &mut output);
                output
            }
        };
        args.reject_next()?;
        Ok(output)
    }
}

fn keys(keys: &[(u8, Vec<u8>)]) -> String {
    if keys.is_empty() {
        return "(none)".to_owned();
    }
    let lines = keys.iter().map(|(db, key)| format!("{db}: {}", quoted(key)));
    lines.collect::<Vec<String>>().join("\n")
}

/// A line's words, as redis-cli reads them.
pub(crate) fn split(line: &str) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.as_bytes();
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Some(words);
        }
        let mut word = Vec::new();
        rest = match rest[0] {
            b'"' => double_quoted(&rest[1..], &mut word)?,
            b'\'' => single_quoted(&rest[1..], &mut word)?,
            _ => {
                let end = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
                word.extend_from_slice(&rest[..end]);
                &rest[end..]
            }
        };
        words.push(word);
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, length) = match rest {
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', b'x', high, low, ..] => {
                let digits = [*high, *low];
                (u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?, 4)
            }
            [b'\\', b'n', ..] => (b'\n', 2),
            [b'\\', b'r', ..] => (b'\r', 2),
            [b'\\', b't', ..] => (b'\t', 2),
            [b'\\', byte, ..] => (*byte, 2),
            [byte, ..] => (*byte, 1),
            [] => return None,
        };
        word.push(byte);
        rest = &rest[length..];
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, length) = match rest {
            [b'\'', tail @ ..] => return Some(tail),
            [b'\\', b'\'', ..] => (b'\'', 2),
            [byte, ..] => (*byte, 1),
            [] => return None,
        };
        word.push(byte);
        rest = &rest[length..];
    }
}

/// A reply as redis-cli prints it; the lines of an array's elements are indented by `indent`.
fn print(reply: &Reply<'static>, indent: usize, out: &mut String) {
    let text = match reply {
        Reply::Status(text) => text.to_string(),
        Reply::Error(text) => format!("(error) {text}"),
        Reply::Integer(number) => format!("(integer) {number}"),
        Reply::Bulk(bytes) => quoted(bytes),
        Reply::BulkInteger(number) => format!("\"{number}\""),
        Reply::Null | Reply::NullArray => "(nil)".to_owned(),
        Reply::Double(number) => format!("(double) {number}"),
        Reply::Boolean(value) => format!("({value})"),
        Reply::Decimal(digits) => format!("(double) {digits}"),
        Reply::BigNumber(digits) => digits.to_string(),
        Reply::Verbatim(_, text) => text.to_string(),
        Reply::Array(elements) | Reply::Set(elements) | Reply::Push(elements) => {
            return print_elements(elements, indent, out);
        }
        Reply::PairedMap(pairs) => {
            let pair = |(first, second): &(Reply<'static>, Reply<'static>)| {
                Reply::Array(vec![first.clone(), second.clone()])
            };
            let elements: Vec<Reply<'static>> = pairs.iter().map(pair).collect();
            return print_elements(&elements, indent, out);
        }
        Reply::Map(pairs) | Reply::FlatPairs(pairs) => {
            let elements: Vec<Reply<'static>> =
                pairs.iter().flat_map(|(key, value)| [key.clone(), value.clone()]).collect();
            return print_elements(&elements, indent, out);
        }
    };
    out.push_str(&text);
    out.push('\n');
}

fn print_elements(elements: &[Reply<'static>], indent: usize, out: &mut String) {
    if elements.is_empty() {
        out.push_str("(empty array)\n");
    }
    for (index, element) in elements.iter().enumerate() {
        let number = format!("{}) ", index + 1);
        if index > 0 {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&number);
        print(element, indent + number.len(), out);
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'"))
}
