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
    /// The Redis version that brought it.
    pub since: String,
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
        since: text("since"),
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
