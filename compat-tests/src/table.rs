//! The server's command table as it describes itself: `COMMAND DOCS` and `COMMAND INFO`.

use crate::client::Client;
use crate::resp::Value;

/// One command or subcommand.
#[derive(Clone, Debug)]
pub struct Row {
    /// Lower case; a subcommand's whole name (`object|encoding`).
    pub name: String,
    /// Redis' group.
    pub group: String,
    /// What `COMMAND DOCS` says.
    pub summary: String,
    /// The Redis version that brought it.
    pub since: String,
    /// What it costs.
    pub complexity: String,
    /// Its arguments.
    pub args: Vec<Arg>,
    /// Its subcommands.
    pub subcommands: Vec<Row>,
}

/// One argument.
#[derive(Clone, Debug)]
pub struct Arg {
    /// Its name.
    pub name: String,
    /// `key`, `string`, `integer`, `oneof`, ...
    pub kind: String,
    /// The keyword before it.
    pub token: Option<String>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// What `oneof` and `block` hold.
    pub args: Vec<Arg>,
}

/// Every command of the server, sorted by name.
pub fn read(client: &mut Client) -> Vec<Row> {
    let docs = client.call(&["COMMAND", "DOCS"]);
    let mut rows: Vec<Row> =
        docs.pairs().iter().map(|(name, words)| row(&name.text(), words)).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

impl Row {
    /// The words that a client types to call it.
    pub fn words(&self) -> Vec<String> {
        self.name.split('|').map(str::to_owned).collect()
    }

    /// The row itself if it can be called, else its subcommands.
    pub fn callable(&self) -> Vec<&Row> {
        if self.subcommands.is_empty() { vec![self] } else { self.subcommands.iter().collect() }
    }
}

fn row(name: &str, words: &Value) -> Row {
    let text = |field| words.field(field).map(|value| value.text()).unwrap_or_default();
    let subcommands = words.field("subcommands").map(|value| value.pairs()).unwrap_or_default();
    Row {
        name: name.to_owned(),
        group: text("group"),
        summary: text("summary"),
        since: text("since"),
        complexity: text("complexity"),
        args: args(words.field("arguments")),
        subcommands: subcommands.iter().map(|(name, words)| row(&name.text(), words)).collect(),
    }
}

fn args(value: Option<Value>) -> Vec<Arg> {
    let Some(value) = value else { return Vec::new() };
    value.items().iter().map(arg).collect()
}

fn arg(words: &Value) -> Arg {
    let flags: Vec<String> = words
        .field("flags")
        .map(|flags| flags.items().iter().map(Value::text).collect())
        .unwrap_or_default();
    let has = |flag: &str| flags.iter().any(|name| name == flag);
    Arg {
        name: words.field("name").map(|name| name.text()).unwrap_or_default(),
        kind: words.field("type").map(|kind| kind.text()).unwrap_or_default(),
        token: words.field("token").map(|token| token.text()),
        optional: has("optional"),
        multiple: has("multiple"),
        args: args(words.field("arguments")),
    }
}

/// The table as a page of the documentation.
pub fn page(rows: &[Row]) -> String {
    let mut groups: Vec<&str> = rows.iter().map(|row| row.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut page = String::from(
        "# Commands\n\nWritten by `cargo xtask fix` from what the server says of itself \
         (`COMMAND DOCS`).\nWhere a command behaves unlike Redis 7.0, the comparison's list of \
         differences has the\nreason: `compat-tests/tests/it/comparison/differences.txt`.\n",
    );
    for group in groups {
        page.push_str(&format!(
            "\n## {group}\n\n| command | since | cost | what it does |\n|---|---|---|---|\n"
        ));
        for row in rows.iter().filter(|row| row.group == group).flat_map(Row::callable) {
            page.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                usage(row),
                row.since,
                cell(&row.complexity),
                cell(&row.summary)
            ));
        }
    }
    page
}

fn usage(row: &Row) -> String {
    let mut words = vec![row.name.replace('|', " ").to_uppercase()];
    words.extend(row.args.iter().map(shape));
    cell(&words.join(" "))
}

fn shape(arg: &Arg) -> String {
    let inner = |separator: &str| arg.args.iter().map(shape).collect::<Vec<_>>().join(separator);
    let value = match arg.kind.as_str() {
        "pure-token" => String::new(),
        "oneof" => format!("<{}>", inner(" | ")),
        "block" => inner(" "),
        _ => arg.name.clone(),
    };
    let mut text = match &arg.token {
        Some(token) if value.is_empty() => token.clone(),
        Some(token) => format!("{token} {value}"),
        None => value,
    };
    if arg.multiple {
        text = format!("{text} [{text} ...]");
    }
    if arg.optional { format!("[{text}]") } else { text }
}

/// A pipe would end a table's cell, also inside backquotes.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
