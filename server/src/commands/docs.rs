//! `docs/commands.md`, made from the tables. Only the test that keeps the page fresh needs it.

use keyspace::Spec;
use keyspace::command::{Arg, ArgKind, Group};

use super::{Row, describe, table};

const INTRODUCTION: &str = "\
# Commands

What Ringfort understands, made from the tables in `keyspace/src` and `server/src/commands`. Names, \
arguments and replies are those of Redis 7. Keys of one command must be in one slot, unless the \
node is standalone.
";

/// The groups with their titles, in the page's order.
const GROUPS: &[(Group, &str)] = &[
    (Group::String, "Strings"),
    (Group::List, "Lists"),
    (Group::Set, "Sets"),
    (Group::Hash, "Hashes"),
    (Group::SortedSet, "Sorted sets"),
    (Group::Stream, "Streams"),
    (Group::Bitmap, "Bitmaps"),
    (Group::HyperLogLog, "HyperLogLogs"),
    (Group::Geo, "Geographic positions"),
    (Group::Generic, "Keys of any type"),
    (Group::Transactions, "Transactions"),
    (Group::PubSub, "Pub/Sub"),
    (Group::Scripting, "Functions"),
    (Group::Connection, "Connection"),
    (Group::Server, "Server"),
    (Group::Cluster, "Cluster"),
];

/// The page.
fn commands_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    let (refused, served): (Vec<Row>, Vec<Row>) = leaves().partition(|row| is_refused(row.spec()));
    for (group, title) in GROUPS {
        let lines: String =
            served.iter().filter(|row| row.spec().group == *group).map(|row| line(*row)).collect();
        if lines.is_empty() {
            continue;
        }
        page.push_str(&format!("\n## {title}\n\n"));
        page.push_str("| Command | What it does | Since | Cost | ACL |\n|---|---|---|---|---|\n");
        page.push_str(&lines);
    }
    let titled = |row: &Row| GROUPS.iter().any(|(group, _)| row.spec().group == *group);
    assert!(served.iter().all(titled), "a group has no title");
    page.push_str("\n## Refused\n\nRedis has these; Ringfort answers with the reason.\n\n");
    page.push_str("| Command | Why |\n|---|---|\n");
    for row in refused {
        let spec = row.spec();
        page.push_str(&format!("| `{}` | {} |\n", name(spec), spec.summary));
    }
    page
}

/// Every command that runs, sorted by name: subcommands in the place of their containers.
fn leaves() -> impl Iterator<Item = Row> {
    let mut rows: Vec<Row> = table::all()
        .flat_map(|row| match row.subcommands() {
            none if none.is_empty() => vec![row],
            subcommands => subcommands,
        })
        .chain(table::lookup(&[b"command"]))
        .collect();
    rows.sort_by_key(|row| name(row.spec()));
    rows.into_iter()
}

fn is_refused(spec: &Spec) -> bool {
    spec.summary.starts_with("Is refused:")
}

fn line(row: Row) -> String {
    let spec = row.spec();
    let mut usage = name(spec);
    for arg in spec.args {
        usage.push(' ');
        usage.push_str(&syntax(arg));
    }
    // A bar would end the table's cell.
    let usage = usage.replace('|', "\\|");
    let categories = describe::categories(row).join(" ");
    format!(
        "| `{usage}` | {} | {} | {} | {categories} |\n",
        spec.summary, spec.since, spec.complexity
    )
}

/// As users write it: `CLIENT LIST`.
fn name(spec: &Spec) -> String {
    table::full_name(spec).replace('|', " ").to_ascii_uppercase()
}

fn syntax(arg: &Arg) -> String {
    let bare = arg.optional && arg.token.is_none() && !arg.multiple;
    let value = match arg.kind {
        ArgKind::PureToken => String::new(),
        ArgKind::OneOf(choices) => {
            let choices = choices.iter().map(syntax).collect::<Vec<_>>().join(" | ");
            // Square brackets around the whole are as good.
            if bare { choices } else { format!("<{choices}>") }
        }
        ArgKind::Block(parts) => parts.iter().map(syntax).collect::<Vec<_>>().join(" "),
        _ => arg.name.to_owned(),
    };
    let mut text = match arg.token {
        Some(token) if value.is_empty() => token.to_owned(),
        Some(token) => format!("{token} {value}"),
        None => value.clone(),
    };
    if arg.multiple {
        text = match arg.kind {
            ArgKind::OneOf(_) => format!("{text} ..."),
            _ if arg.multiple_token => format!("{text} [{text} ...]"),
            // Lists follow their keyword once; blocks repeat whole.
            _ => format!("{text} [{value} ...]"),
        };
    }
    if arg.optional { format!("[{text}]") } else { text }
}

#[cfg(test)]
mod tests {
    use super::commands_markdown;

    /// `RINGFORT_BLESS=1 cargo test -p ringfort commands_page` writes the page anew.
    #[test]
    fn commands_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands.md");
        if std::env::var_os("RINGFORT_BLESS").is_some() {
            std::fs::write(path, commands_markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        // Git may have changed the ends of lines on Windows.
        assert_eq!(
            page.replace("\r\n", "\n"),
            commands_markdown(),
            "docs/commands.md is stale: RINGFORT_BLESS=1 writes it"
        );
    }
}
