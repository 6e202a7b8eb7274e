//! What an argument is for, by the kind, token and name that the table gives it.

use compat_tests::table::{Arg, Row};

/// What a value has to be to be sensible in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Key,
    /// How many keys follow.
    KeyCount,
    /// A member, element or field: few of them, so that commands meet.
    Member,
    Value,
    /// An end of a range of members, scores or places.
    Bound,
    ScoreBound,
    LexBound,
    Score,
    /// What a counter grows by.
    Increment,
    Longitude,
    Latitude,
    Distance,
    Unit,
    BitOffset,
    Bit,
    BitEncoding,
    BitOperation,
    Index,
    Count,
    /// In seconds, how long to wait.
    Timeout,
    /// In milliseconds, how long to wait.
    Block,
    /// A time to live.
    Period,
    UnixTime,
    /// How long a message has been with its consumer.
    Idle,
    /// How old a key is, in seconds.
    Age,
    /// The id of a new entry.
    NewId,
    Id,
    /// An end of a range of ids.
    IdBound,
    /// What a stream is cut to: entries or an id.
    Threshold,
    Group,
    Consumer,
    Pattern,
    /// SORT's way to other keys.
    Lookup,
    Cursor,
    Db,
    Type,
    /// What DUMP gave.
    Dump,
    Text,
}

/// The role of an argument of a command.
pub(super) fn of(row: &Row, arg: &Arg) -> Role {
    let name = arg.name.replace('_', "-");
    let is = |names: &[&str]| names.contains(&name.as_str());
    let stream = row.group == "stream";
    match arg.kind.as_str() {
        "key" => Role::Key,
        "pattern" if row.name.starts_with("sort") => Role::Lookup,
        "pattern" => Role::Pattern,
        "unix-time" => Role::UnixTime,
        _ if arg.token.as_deref() == Some("BLOCK") => Role::Block,
        _ if stream && ["xadd", "xsetid"].contains(&&*row.name) && is(&["id", "last-id"]) => {
            Role::NewId
        }
        _ if stream && is(&["id", "last-id", "max-deleted-entry-id"]) => Role::Id,
        _ if stream && is(&["start", "end"]) => Role::IdBound,
        _ if is(&["min", "max", "start", "stop", "end"]) => bound(row),
        _ if is(&["member", "member1", "member2", "element", "pivot", "field"]) => Role::Member,
        _ if is(&["numkeys"]) => Role::KeyCount,
        _ if is(&["score", "weight"]) => Role::Score,
        _ if is(&["increment"]) && row.name.starts_with('z') => Role::Score,
        _ if is(&["increment", "decrement"]) => Role::Increment,
        _ if is(&["longitude"]) => Role::Longitude,
        _ if is(&["latitude"]) => Role::Latitude,
        _ if is(&["radius", "width", "height"]) => Role::Distance,
        _ if is(&["timeout"]) => Role::Timeout,
        _ if is(&["min-idle-time", "ms"]) => Role::Idle,
        _ if arg.token.as_deref() == Some("IDLETIME") => Role::Age,
        _ if is(&["seconds", "milliseconds", "ttl"]) => Role::Period,
        _ if is(&["threshold"]) => Role::Threshold,
        _ if is(&["group", "groupname"]) => Role::Group,
        _ if is(&["consumer", "consumername"]) => Role::Consumer,
        _ if is(&["cursor"]) => Role::Cursor,
        _ if is(&["db", "destination-db"]) => Role::Db,
        _ if is(&["type"]) => Role::Type,
        _ if is(&["serialized-value"]) => Role::Dump,
        _ if is(&["operation"]) => Role::BitOperation,
        _ if is(&["encoding"]) => Role::BitEncoding,
        _ if row.group == "bitmap" && is(&["offset"]) => Role::BitOffset,
        _ if row.group == "bitmap" && is(&["bit"]) => Role::Bit,
        _ if row.name == "setbit" && is(&["value"]) => Role::Bit,
        _ if row.group == "bitmap" && is(&["value"]) => Role::Increment,
        _ if is(&["value"]) => Role::Value,
        _ if is(&["unit"]) => Role::Unit,
        "integer" if is(&["index", "offset", "rank"]) => Role::Index,
        "integer" => Role::Count,
        _ => Role::Text,
    }
}

fn bound(row: &Row) -> Role {
    let lexical = row.name.ends_with("lex") || row.name == "zlexcount";
    let by_score = row.name.ends_with("byscore") || row.name == "zcount";
    match row.name.as_str() {
        _ if lexical => Role::LexBound,
        _ if by_score => Role::ScoreBound,
        "zrange" | "zrangestore" => Role::Bound,
        _ => Role::Index,
    }
}
