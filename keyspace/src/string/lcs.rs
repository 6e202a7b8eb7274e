//! LCS: the longest common subsequence of two strings, and where it lies in them.
//!
//! Of several longest ones the answer is the one Redis finds: walked from the strings' ends, a step
//! back in the first string only if that keeps strictly more. One bit per cell remembers that
//! choice, beside a single row of lengths; Redis keeps 32 bits per cell.

use resp::Reply;

use crate::access::View;
use crate::argument::{Answer, SYNTAX, integer, is, settle};
use crate::command::{Arg, ArgKind, Args, Command, Flags, Group, Keys, Run, Spec};

pub(super) const LCS: Command = Command {
    spec: Spec {
        name: "lcs",
        group: Group::String,
        since: "7.0.0",
        complexity: "O(N*M) for strings of N and M bytes",
        summary: "Finds the longest common subsequence of two strings.",
        arity: -3,
        keys: Keys::FIRST_TWO,
        flags: Flags::READONLY,
        args: &[
            Arg::key("key1"),
            Arg::key("key2"),
            Arg::keyword("len", "LEN").optional(),
            Arg::keyword("idx", "IDX").optional(),
            Arg::new("min-match-len", ArgKind::Integer).after("MINMATCHLEN").optional(),
            Arg::keyword("withmatchlen", "WITHMATCHLEN").optional(),
        ],
    },
    run: Run::Read(|view, args| settle(lcs(view, args))),
};

/// Redis' limit: its table of 4-byte cells may take `proto-max-bulk-len`, 512 MiB. It also bounds
/// how long one call keeps its thread: a fraction of a second.
const CELLS_MAX: u64 = 512 * 1024 * 1024 / 4;

fn lcs<'v>(view: &'v View<'_>, args: Args<'_>) -> Answer<'v> {
    const WRONG_TYPE: Reply<'static> =
        Reply::error("ERR The specified keys must contain string values");
    let first = view.string(args[1]).map_err(|_| WRONG_TYPE)?;
    let second = view.string(args[2]).map_err(|_| WRONG_TYPE)?;
    let options = Options::read(&args[3..])?;
    let first = first.map(|value| value.to_bytes()).unwrap_or_default();
    let second = second.map(|value| value.to_bytes()).unwrap_or_default();
    if (first.len() as u64 + 1).saturating_mul(second.len() as u64 + 1) > CELLS_MAX {
        return Err(Reply::error(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    let table = Table::fill(&first, &second, options.form != Form::Length);
    Ok(match options.form {
        Form::Length => Reply::Integer(i64::from(table.length)),
        Form::Text => {
            let runs = table.runs(&first, &second);
            let text: Vec<&[u8]> =
                runs.iter().rev().map(|run| &first[run.first..run.first + run.length]).collect();
            Reply::Bulk(text.concat().into())
        }
        Form::Places => options.places(table.length, &table.runs(&first, &second)),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Length,
    Places,
}

struct Options {
    form: Form,
    match_bytes_min: i64,
    with_match_length: bool,
}

impl Options {
    fn read(mut rest: &[&[u8]]) -> Result<Options, Reply<'static>> {
        let (mut length, mut places) = (false, false);
        let mut options =
            Options { form: Form::Text, match_bytes_min: 0, with_match_length: false };
        while let [option, tail @ ..] = rest {
            rest = tail;
            if is(option, "LEN") {
                length = true;
            } else if is(option, "IDX") {
                places = true;
            } else if is(option, "WITHMATCHLEN") {
                options.with_match_length = true;
            } else if is(option, "MINMATCHLEN")
                && let [amount, tail @ ..] = rest
            {
                options.match_bytes_min = integer(amount)?;
                rest = tail;
            } else {
                return Err(SYNTAX);
            }
        }
        options.form = match (length, places) {
            (true, true) => {
                return Err(Reply::error(
                    "ERR If you want both the length and indexes, please just use IDX.",
                ));
            }
            (true, false) => Form::Length,
            (false, true) => Form::Places,
            (false, false) => Form::Text,
        };
        Ok(options)
    }

    fn places(&self, length: u32, runs: &[Common]) -> Reply<'static> {
        let span = |start: usize, length: usize| {
            let end = start + length - 1;
            Reply::Array(vec![Reply::Integer(start as i64), Reply::Integer(end as i64)])
        };
        let matches = runs.iter().filter(|run| run.length as i64 >= self.match_bytes_min);
        let matches = matches.map(|run| {
            let mut places = vec![span(run.first, run.length), span(run.second, run.length)];
            if self.with_match_length {
                places.push(Reply::Integer(run.length as i64));
            }
            Reply::Array(places)
        });
        let word = |word: &'static str| Reply::Bulk(word.as_bytes().into());
        Reply::Map(vec![
            (word("matches"), Reply::Array(matches.collect())),
            (word("len"), Reply::Integer(i64::from(length))),
        ])
    }
}

/// A stretch of both strings that is part of the subsequence.
struct Common {
    first: usize,
    second: usize,
    length: usize,
}

/// What is left of the dynamic programming: the length, and the way back if asked for.
struct Table {
    length: u32,
    /// Bit `i * second.len() + j`: from there, the way back goes up in the first string.
    up: Vec<u64>,
}

impl Table {
    fn fill(first: &[u8], second: &[u8], with_way: bool) -> Table {
        let cells = if with_way { first.len() * second.len() } else { 0 };
        let mut up = vec![0u64; cells.div_ceil(64)];
        // lengths[j]: of the prefixes up to this row of the first string and j of the second.
        let mut lengths = vec![0u32; second.len() + 1];
        for (i, byte) in first.iter().enumerate() {
            let mut diagonal = 0;
            for (j, other) in second.iter().enumerate() {
                let (above, left) = (lengths[j + 1], lengths[j]);
                if byte == other {
                    lengths[j + 1] = diagonal + 1;
                } else {
                    if with_way && above > left {
                        let cell = i * second.len() + j;
                        up[cell / 64] |= 1 << (cell % 64);
                    }
                    lengths[j + 1] = above.max(left);
                }
                diagonal = above;
            }
        }
        Table { length: lengths[second.len()], up }
    }

    /// The stretches, the last one first.
    fn runs(&self, first: &[u8], second: &[u8]) -> Vec<Common> {
        let mut runs: Vec<Common> = Vec::new();
        let (mut i, mut j) = (first.len(), second.len());
        while i > 0 && j > 0 {
            if first[i - 1] == second[j - 1] {
                i -= 1;
                j -= 1;
                match runs.last_mut() {
                    Some(run) if run.first == i + 1 && run.second == j + 1 => {
                        *run = Common { first: i, second: j, length: run.length + 1 };
                    }
                    _ => runs.push(Common { first: i, second: j, length: 1 }),
                }
                continue;
            }
            let cell = (i - 1) * second.len() + j - 1;
            if self.up[cell / 64] >> (cell % 64) & 1 == 1 { i -= 1 } else { j -= 1 }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word.
    fn model(first: &[u8], second: &[u8]) -> u32 {
        match (first, second) {
            ([x, first_rest @ ..], [y, second_rest @ ..]) => {
                if x == y {
                    1 + model(first_rest, second_rest)
                } else {
                    model(first_rest, second).max(model(first, second_rest))
                }
            }
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn as_long_as_any_and_in_both(first in "[a-c]{0,9}", second in "[a-c]{0,9}") {
            let (first, second) = (first.as_bytes(), second.as_bytes());
            let table = Table::fill(first, second, true);
            prop_assert_eq!(table.length, model(first, second));
            prop_assert_eq!(table.length, Table::fill(first, second, false).length);
            let runs = table.runs(first, second);
            prop_assert_eq!(runs.iter().map(|run| run.length).sum::<usize>(), table.length as usize);
            let (mut first_end, mut second_end) = (first.len(), second.len());
            for run in runs {
                prop_assert!(run.first + run.length <= first_end);
                prop_assert!(run.second + run.length <= second_end);
                prop_assert_eq!(
                    &first[run.first..run.first + run.length],
                    &second[run.second..run.second + run.length]
                );
                (first_end, second_end) = (run.first, run.second);
            }
        }
    }
}
