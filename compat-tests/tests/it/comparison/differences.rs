//! The list of intended differences.
//!
//! A paragraph of `differences.txt` is a reason after `#`, the command after `>` (or, after `bytes`,
//! the name of a case of bad input), and both replies as they are seen, escaped.

use std::cell::Cell;

/// The replies of both servers to one command, escaped.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) command: String,
    pub(super) ours: String,
    pub(super) redis: String,
    occurred: Cell<bool>,
}

/// The list.
pub(super) struct Differences(Vec<Difference>);

impl Differences {
    pub(super) fn read() -> Differences {
        let paragraphs = include_str!("differences.txt").split("\n\n");
        let filled = paragraphs.filter(|text| text.lines().any(|line| line.starts_with('>')));
        Differences(filled.map(paragraph).collect())
    }

    /// Whether the list has this difference; remembers that it occurred.
    pub(super) fn allow(&self, command: &str, ours: &[u8], redis: &[u8]) -> bool {
        let (ours, redis) = (ours.escape_ascii().to_string(), redis.escape_ascii().to_string());
        let same = |d: &&Difference| d.command == command && d.ours == ours && d.redis == redis;
        let found = self.0.iter().find(same);
        if let Some(difference) = found {
            difference.occurred.set(true);
        }
        found.is_some()
    }

    /// The same for a case of bad input, its replies escaped already.
    pub(super) fn same_or_listed(&self, case: &str, ours: &str, redis: &str) -> bool {
        let case = format!("bytes {case}");
        let same = |d: &&Difference| d.command == case && d.ours == ours && d.redis == redis;
        ours == redis || self.0.iter().any(|difference| same(&difference))
    }

    /// Panics if a listed difference of the stories did not occur.
    pub(super) fn expect_all_occurred(&self) {
        let commands = self.0.iter().filter(|difference| !difference.command.starts_with("bytes "));
        let stale = commands.filter(|difference| !difference.occurred.get());
        let stale: Vec<&str> = stale.map(|difference| difference.command.as_str()).collect();
        assert!(stale.is_empty(), "differences.txt lists what no longer differs: {stale:?}");
    }
}

fn paragraph(text: &str) -> Difference {
    let field = |mark: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(mark));
        line.unwrap_or_else(|| panic!("no line with `{mark}` in:\n{text}")).to_owned()
    };
    assert!(text.trim_start().starts_with("# "), "a difference needs a reason:\n{text}");
    Difference {
        command: field("> "),
        ours: field("ours:  "),
        redis: field("redis: "),
        occurred: Cell::new(false),
    }
}
