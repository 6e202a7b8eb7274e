//! A row in the shapes of COMMAND INFO, COMMAND DOCS and COMMAND GETKEYSANDFLAGS.
//!
//! Everything is derived from the rows, but for two things that rows do not say: which ACL category
//! a few commands have against their group ([`categories`]), and what a command does to a key
//! beside reading or writing it ([`key_flags`]).

use std::borrow::Cow;

use keyspace::command::{Arg, ArgKind, Flags, Group, Keys};
use keyspace::{Args, Spec};
use resp::Reply;

use super::{Row, table};

/// COMMAND INFO's entry.
pub(super) fn info(row: Row) -> Reply<'static> {
    let spec = row.spec();
    let name = table::full_name(spec);
    let subcommands = row.subcommands();
    let (first, last, step) = legacy_keys(spec.keys);
    Reply::Array(vec![
        bulk(name.clone()),
        Reply::Integer(spec.arity.into()),
        statuses(flags(spec.flags).into_iter().chain(redis_flags(&name))),
        Reply::Integer(first),
        Reply::Integer(last),
        Reply::Integer(step),
        statuses(categories(row).into_iter()),
        Reply::Set(Vec::new()),
        Reply::Set(key_specs(spec, &name)),
        // Redis answers an empty set, but an array when there are some.
        if subcommands.is_empty() {
            Reply::Set(Vec::new())
        } else {
            Reply::Array(subcommands.into_iter().map(info).collect())
        },
    ])
}

/// COMMAND DOCS' key and value.
pub(super) fn docs(row: Row) -> (Reply<'static>, Reply<'static>) {
    let spec = row.spec();
    let mut pairs = vec![
        (text("summary"), text(spec.summary)),
        (text("since"), text(spec.since)),
        (text("group"), text(group(spec.group))),
    ];
    if !spec.complexity.is_empty() {
        pairs.push((text("complexity"), text(spec.complexity)));
    }
    if !spec.args.is_empty() {
        pairs.push((text("arguments"), arguments(spec.args)));
    }
    let subcommands = row.subcommands();
    if !subcommands.is_empty() {
        let subcommands = subcommands.into_iter().map(docs).collect();
        pairs.push((text("subcommands"), Reply::Map(subcommands)));
    }
    (bulk(table::full_name(spec)), Reply::Map(pairs))
}

/// COMMAND GETKEYSANDFLAGS' entry for the key at `index`, the `ordinal`-th of its command.
pub(super) fn key_and_flags(
    spec: &Spec,
    args: Args<'_>,
    index: usize,
    ordinal: usize,
) -> Reply<'static> {
    let name = table::full_name(spec);
    let mut flags = key_flags(spec, &name, ordinal);
    // SET reads its key only when it is to return the old value.
    if &*name == "set" && !args[3..].iter().any(|arg| arg.eq_ignore_ascii_case(b"GET")) {
        flags = &["OW", "update"];
    }
    let shown = flags.iter().copied().filter(|flag| *flag != "variable_flags");
    Reply::Array(vec![Reply::Bulk(args[index].to_vec().into()), statuses(shown)])
}

/// A group's name.
pub(super) fn group(group: Group) -> &'static str {
    match group {
        Group::Generic => "generic",
        Group::String => "string",
        Group::Bitmap => "bitmap",
        Group::HyperLogLog => "hyperloglog",
        Group::List => "list",
        Group::Set => "set",
        Group::Hash => "hash",
        Group::SortedSet => "sorted-set",
        Group::Geo => "geo",
        Group::Stream => "stream",
        Group::Connection => "connection",
        Group::Server => "server",
        Group::Cluster => "cluster",
        Group::Transactions => "transactions",
        Group::PubSub => "pubsub",
        Group::Scripting => "scripting",
    }
}

/// Flags in Redis' order; ours alone are not shown.
pub(super) fn flags(flags: Flags) -> Vec<&'static str> {
    const NAMES: [(Flags, &str); 15] = [
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENYOOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::PUBSUB, "pubsub"),
        (Flags::NOSCRIPT, "noscript"),
        (Flags::BLOCKING, "blocking"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::SKIP_MONITOR, "skip_monitor"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::MOVABLE_KEYS, "movablekeys"),
    ];
    NAMES.iter().filter(|(flag, _)| flags.has(*flag)).map(|(_, name)| *name).collect()
}

/// Flags about states that this server is never in (a script that keeps it busy, a replica that
/// serves old data while it loads new), as clients find them in Redis' table.
fn redis_flags(name: &str) -> impl Iterator<Item = &'static str> {
    let busy = matches!(
        name,
        "auth"
            | "discard"
            | "hello"
            | "multi"
            | "quit"
            | "reset"
            | "shutdown"
            | "unwatch"
            | "watch"
    );
    let loading = matches!(
        name,
        "bgsave"
            | "cluster|addslots"
            | "cluster|addslotsrange"
            | "cluster|bumpepoch"
            | "cluster|delslots"
            | "cluster|delslotsrange"
            | "cluster|failover"
            | "cluster|flushslots"
            | "cluster|forget"
            | "cluster|meet"
            | "cluster|replicate"
            | "cluster|saveconfig"
            | "cluster|set-config-epoch"
            | "cluster|setslot"
            | "module|load"
            | "module|loadex"
            | "module|unload"
            | "psync"
            | "replicaof"
            | "save"
            | "slaveof"
            | "sync"
    );
    [("no_async_loading", loading), ("allow_busy", busy)]
        .into_iter()
        .filter_map(|(flag, set)| set.then_some(flag))
}

/// ACL categories in Redis' order.
pub(super) fn categories(row: Row) -> Vec<&'static str> {
    let spec = row.spec();
    if !row.subcommands().is_empty() && table::full_name(spec) != "command" {
        return vec!["@slow"];
    }
    let name = table::full_name(spec);
    let flags = spec.flags;
    // Redis counts these as connection commands although their groups are others.
    let about_connection =
        matches!(&*name, "wait" | "readonly" | "readwrite" | "asking" | "command")
            || name.starts_with("command|");
    let connection = about_connection || spec.group == Group::Connection;
    // And these as dangerous, although anyone may send them before data is loaded.
    let admin = flags.has(Flags::ADMIN) || matches!(&*name, "role" | "lastsave");
    // SORT belongs to what it sorts.
    let sorts = matches!(&*name, "sort" | "sort_ro");
    let keyspace = (spec.group == Group::Generic && !connection && !sorts)
        || (spec.group == Group::Server && flags.has(Flags::KEYLESS_DATA));
    let dangerous = admin || flags.has(Flags::DANGEROUS);
    let fast = flags.has(Flags::FAST);
    let all = [
        ("@keyspace", keyspace),
        ("@read", flags.has(Flags::READONLY)),
        ("@write", flags.has(Flags::WRITE)),
        ("@set", spec.group == Group::Set || sorts),
        ("@sortedset", spec.group == Group::SortedSet || sorts),
        ("@list", spec.group == Group::List || sorts),
        ("@hash", spec.group == Group::Hash),
        ("@string", spec.group == Group::String),
        ("@bitmap", spec.group == Group::Bitmap),
        ("@hyperloglog", spec.group == Group::HyperLogLog),
        ("@geo", spec.group == Group::Geo),
        ("@stream", spec.group == Group::Stream),
        ("@pubsub", flags.has(Flags::PUBSUB)),
        ("@admin", admin),
        ("@fast", fast),
        ("@slow", !fast),
        ("@blocking", flags.has(Flags::BLOCKING)),
        ("@dangerous", dangerous),
        ("@connection", connection),
        ("@transaction", spec.group == Group::Transactions),
    ];
    all.iter().filter(|(_, has)| *has).map(|(category, _)| *category).collect()
}

/// First key, last key and step, as before key specs; zeros when keys are no plain range.
fn legacy_keys(keys: Keys) -> (i64, i64, i64) {
    match keys {
        Keys::Range { first, last, step } => (number(first), last.into(), number(step)),
        Keys::FirstAndCounted { .. } | Keys::FirstAndBehind { .. } | Keys::FirstAndComputed(_) => {
            (1, 1, 1)
        }
        Keys::None | Keys::Counted { .. } | Keys::After { .. } | Keys::Computed(_) => (0, 0, 0),
    }
}

/// Where the keys are: how to find the first, and from there all.
fn key_specs(spec: &Spec, name: &str) -> Vec<Reply<'static>> {
    let one = |ordinal, begin, find| {
        Reply::Map(vec![
            (text("flags"), statuses(key_flags(spec, name, ordinal).iter().copied())),
            (text("begin_search"), begin),
            (text("find_keys"), find),
        ])
    };
    let index = |index: usize| typed("index", vec![("index", Reply::Integer(number(index)))]);
    let range = |last: i64, step: usize, limit: i64| {
        typed(
            "range",
            vec![
                ("lastkey", Reply::Integer(last)),
                ("keystep", Reply::Integer(number(step))),
                ("limit", Reply::Integer(limit)),
            ],
        )
    };
    let counted = || {
        typed(
            "keynum",
            vec![
                ("keynumidx", Reply::Integer(0)),
                ("firstkey", Reply::Integer(1)),
                ("keystep", Reply::Integer(1)),
            ],
        )
    };
    let behind = |keyword: &'static str, from: usize| {
        typed(
            "keyword",
            vec![("keyword", text(keyword)), ("startfrom", Reply::Integer(number(from)))],
        )
    };
    let unknown = || typed("unknown", Vec::new());
    // A pattern's keys cannot be told from the arguments.
    let patterns = spec.flags.has(Flags::PATTERN_KEYS).then(|| one(1, unknown(), unknown()));
    let specs = match spec.keys {
        Keys::None => Vec::new(),
        // COPY and SUNIONSTORE treat their first key differently: a spec for it, one for the rest.
        Keys::Range { first: 1, last, step: 1 }
            if last != 1 && key_flags(spec, name, 0) != key_flags(spec, name, 1) =>
        {
            let rest = if last < 0 { last.into() } else { i64::from(last) - 2 };
            vec![one(0, index(1), range(0, 1, 0)), one(1, index(2), range(rest, 1, 0))]
        }
        Keys::Range { first, last, step } => {
            // Relative to the first key, unless counted from the end.
            let last = i64::from(last);
            let last = if last < 0 { last } else { last - number(first) };
            vec![one(0, index(first), range(last, step, 0))]
        }
        Keys::Counted { at } => vec![one(0, index(at), counted())],
        Keys::FirstAndCounted { at } => {
            vec![one(0, index(1), range(0, 1, 0)), one(1, index(at), counted())]
        }
        Keys::FirstAndBehind { keywords, from } => {
            let others =
                keywords.iter().map(|keyword| one(1, behind(keyword, from), range(0, 1, 0)));
            std::iter::once(one(0, index(1), range(0, 1, 0))).chain(others).collect()
        }
        // The limit says that keys end after half of what follows.
        Keys::After { keyword, from } => vec![one(0, behind(keyword, from), range(-1, 1, 2))],
        Keys::FirstAndComputed(_) => {
            let stored = one(2, unknown(), unknown());
            let first = one(0, index(1), range(0, 1, 0));
            return std::iter::once(first).chain(patterns).chain([stored]).collect();
        }
        Keys::Computed(_) => vec![one(0, unknown(), unknown())],
    };
    specs.into_iter().chain(patterns).collect()
}

/// What a command does to its `ordinal`-th key, in Redis' words: how it uses the key's entry (RO,
/// RW, OW overwrites, RM removes) and the value's content.
fn key_flags(spec: &Spec, name: &str, ordinal: usize) -> &'static [&'static str] {
    match (name, ordinal) {
        ("set", _) => &["RW", "access", "update", "variable_flags"],
        ("mset" | "psetex" | "setex", _) => &["OW", "update"],
        ("msetnx" | "setnx", _) => &["OW", "insert"],
        ("append", _) => &["RW", "insert"],
        ("getdel", _) => &["RW", "access", "delete"],
        ("del" | "unlink", _) => &["RM", "delete"],
        ("setrange" | "expire" | "expireat" | "pexpire" | "pexpireat" | "persist", _) => {
            &["RW", "update"]
        }
        ("sadd" | "hsetnx", _) | ("smove", 1) => &["RW", "insert"],
        ("hset" | "hmset", _) | ("sinterstore", 0) => &["RW", "update"],
        ("srem" | "hdel", _) => &["RW", "delete"],
        ("spop", _) | ("smove", 0) => &["RW", "access", "delete"],
        ("sunionstore" | "sdiffstore", 0) => &["OW", "update"],
        ("sinterstore" | "sunionstore" | "sdiffstore", _) => &["RO", "access"],
        ("zadd" | "geoadd", _) => &["RW", "update"],
        ("zrem" | "zremrangebyrank" | "zremrangebyscore" | "zremrangebylex", _) => {
            &["RW", "delete"]
        }
        ("zpopmin" | "zpopmax" | "zmpop" | "bzpopmin" | "bzpopmax" | "bzmpop", _) => {
            &["RW", "access", "delete"]
        }
        ("zunionstore" | "zinterstore" | "zdiffstore" | "zrangestore" | "geosearchstore", 0)
        | ("georadius" | "georadiusbymember", 1) => &["OW", "update"],
        ("zunionstore" | "zinterstore" | "zdiffstore" | "zrangestore" | "geosearchstore", _)
        | ("georadius" | "georadiusbymember", _) => &["RO", "access"],
        ("lpush" | "lpushx" | "rpush" | "rpushx" | "linsert", _) => &["RW", "insert"],
        ("lset", _) => &["RW", "update"],
        ("lrem" | "ltrim", _) => &["RW", "delete"],
        ("lmove" | "rpoplpush" | "blmove" | "brpoplpush", 1) => &["RW", "insert"],
        ("lmove" | "rpoplpush" | "blmove" | "brpoplpush", _)
        | ("lpop" | "rpop" | "lmpop" | "blpop" | "brpop" | "blmpop", _) => {
            &["RW", "access", "delete"]
        }
        ("sort", 2) => &["OW", "update"],
        ("sort", _) => &["RO", "access"],
        ("copy", 0) => &["RO", "access"],
        ("rename" | "renamenx", 0) => &["RW", "access", "delete"],
        ("copy" | "rename", _) => &["OW", "update"],
        ("renamenx", _) => &["OW", "insert"],
        ("xadd" | "xack" | "xclaim" | "xsetid" | "xgroup|setid", _) => &["RW", "update"],
        ("xgroup|create" | "xgroup|createconsumer", _) => &["RW", "insert"],
        ("xdel" | "xtrim" | "xautoclaim" | "xgroup|destroy" | "xgroup|delconsumer", _) => {
            &["RW", "delete"]
        }
        // It reads a stream, whatever it does to the group.
        ("xreadgroup", _) => &["RO", "access"],
        ("exists" | "touch" | "type" | "strlen" | "watch" | "zcard" | "llen", _) => &["RO"],
        ("xlen", _) => &["RO"],
        ("scard" | "sismember" | "hlen" | "hexists" | "hstrlen", _) => &["RO"],
        _ if name.starts_with("object|") => &["RO"],
        _ if spec.flags.has(Flags::WRITE) => &["RW", "access", "update"],
        _ => &["RO", "access"],
    }
}

fn arguments(args: &'static [Arg]) -> Reply<'static> {
    Reply::Array(args.iter().map(argument).collect())
}

fn argument(arg: &'static Arg) -> Reply<'static> {
    let mut pairs = vec![(text("name"), text(arg.name)), (text("type"), text(kind(arg.kind)))];
    if matches!(arg.kind, ArgKind::Key) {
        pairs.push((text("key_spec_index"), Reply::Integer(0)));
    }
    if let Some(token) = arg.token {
        pairs.push((text("token"), text(token)));
    }
    if arg.optional || arg.multiple {
        let flags = [
            ("optional", arg.optional),
            ("multiple", arg.multiple),
            ("multiple_token", arg.multiple_token),
        ];
        let set = flags.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
        pairs.push((text("flags"), statuses(set)));
    }
    if let ArgKind::OneOf(inner) | ArgKind::Block(inner) = arg.kind {
        pairs.push((text("arguments"), arguments(inner)));
    }
    Reply::Map(pairs)
}

fn kind(kind: ArgKind) -> &'static str {
    match kind {
        ArgKind::Key => "key",
        ArgKind::String => "string",
        ArgKind::Integer => "integer",
        ArgKind::Double => "double",
        ArgKind::Pattern => "pattern",
        ArgKind::UnixTime => "unix-time",
        ArgKind::PureToken => "pure-token",
        ArgKind::OneOf(_) => "oneof",
        ArgKind::Block(_) => "block",
    }
}

fn typed(kind: &'static str, fields: Vec<(&'static str, Reply<'static>)>) -> Reply<'static> {
    let fields = fields.into_iter().map(|(name, value)| (text(name), value)).collect();
    Reply::Map(vec![(text("type"), text(kind)), (text("spec"), Reply::Map(fields))])
}

fn statuses<'a>(words: impl Iterator<Item = &'static str>) -> Reply<'a> {
    Reply::Set(words.map(|word| Reply::Status(Cow::Borrowed(word))).collect())
}

fn text(text: &'static str) -> Reply<'static> {
    Reply::Bulk(text.as_bytes().into())
}

fn bulk(text: Cow<'static, str>) -> Reply<'static> {
    match text {
        Cow::Borrowed(text) => Reply::Bulk(text.as_bytes().into()),
        Cow::Owned(text) => Reply::Bulk(text.into_bytes().into()),
    }
}

fn number(small: usize) -> i64 {
    i64::try_from(small).expect("positions in a row are small")
}

#[cfg(test)]
mod tests {
    use resp::Protocol;

    use super::super::testing::encoded;
    use super::*;

    fn row(name: &str) -> Row {
        table::by_full_name(name.as_bytes()).unwrap()
    }

    /// A reply in the notation of redis-cli's arrays, on one line: maps and sets as RESP3 has them.
    fn shown(reply: &Reply<'_>) -> String {
        let list = |items: &[Reply<'_>]| items.iter().map(shown).collect::<Vec<_>>().join(" ");
        match reply {
            Reply::Status(text) => text.to_string(),
            Reply::Bulk(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            Reply::Integer(number) => number.to_string(),
            Reply::Array(items) => format!("[{}]", list(items)),
            Reply::Set(items) => format!("~[{}]", list(items)),
            Reply::Map(pairs) => {
                let pair = |(key, value)| format!("{}: {}", shown(key), shown(value));
                let pairs: Vec<_> = pairs.iter().map(|(key, value)| pair((key, value))).collect();
                format!("{{{}}}", pairs.join(", "))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn info_of_get_is_redis() {
        // Captured from redis-server 7.0.15 after HELLO 3 and HELLO 2.
        let resp3 = "*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@read\r\n\
                     +@string\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n\
                     $12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n\
                     $5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n\
                     %3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n";
        let info = info(row("get"));
        assert_eq!(encoded(&info, Protocol::Resp3), resp3);
        let resp2 = encoded(&info, Protocol::Resp2);
        assert!(!resp2.contains(['~', '%']), "{resp2}");
        assert!(resp2.ends_with("$5\r\nlimit\r\n:0\r\n*0\r\n"), "{resp2}");
    }

    #[test]
    fn info_of_other_shapes() {
        insta::assert_snapshot!(shown(&info(row("client|list"))), @r#"["client|list" -2 ~[admin noscript loading stale] 0 0 0 ~[@admin @slow @dangerous @connection] ~[] ~[] ~[]]"#);
        insta::assert_snapshot!(shown(&info(row("mset"))), @r#"["mset" -3 ~[write denyoom] 1 -1 2 ~[@write @string @slow] ~[] ~[{"flags": ~[OW update], "begin_search": {"type": "index", "spec": {"index": 1}}, "find_keys": {"type": "range", "spec": {"lastkey": -1, "keystep": 2, "limit": 0}}}] ~[]]"#);
        insta::assert_snapshot!(shown(&info(row("rename"))), @r#"["rename" 3 ~[write] 1 2 1 ~[@keyspace @write @slow] ~[] ~[{"flags": ~[RW access delete], "begin_search": {"type": "index", "spec": {"index": 1}}, "find_keys": {"type": "range", "spec": {"lastkey": 0, "keystep": 1, "limit": 0}}} {"flags": ~[OW update], "begin_search": {"type": "index", "spec": {"index": 2}}, "find_keys": {"type": "range", "spec": {"lastkey": 0, "keystep": 1, "limit": 0}}}] ~[]]"#);
        insta::assert_snapshot!(shown(&info(row("readonly"))), @r#"["readonly" 1 ~[loading stale fast] 0 0 0 ~[@fast @connection] ~[] ~[] ~[]]"#);
    }

    #[test]
    fn docs_follow_the_row() {
        let (name, docs) = docs(row("client|reply"));
        insta::assert_snapshot!(shown(&name), @r#""client|reply""#);
        insta::assert_snapshot!(shown(&docs), @r#"{"summary": "Chooses whether this connection gets replies.", "since": "3.2.0", "group": "connection", "complexity": "O(1)", "arguments": [{"name": "action", "type": "oneof", "arguments": [{"name": "on", "type": "pure-token", "token": "ON"} {"name": "off", "type": "pure-token", "token": "OFF"} {"name": "skip", "type": "pure-token", "token": "SKIP"}]}]}"#);
    }

    #[test]
    fn categories_are_redis() {
        let cases = [
            ("get", "@read @string @fast"),
            ("set", "@write @string @slow"),
            ("del", "@keyspace @write @slow"),
            ("keys", "@keyspace @read @slow @dangerous"),
            ("dbsize", "@keyspace @read @fast"),
            ("flushall", "@keyspace @write @slow @dangerous"),
            ("object|encoding", "@keyspace @read @slow"),
            ("object", "@slow"),
            ("client", "@slow"),
            ("client|kill", "@admin @slow @dangerous @connection"),
            ("command", "@slow @connection"),
            ("command|docs", "@slow @connection"),
            ("config|set", "@admin @slow @dangerous"),
            ("exec", "@slow @transaction"),
            ("watch", "@fast @transaction"),
            ("role", "@admin @fast @dangerous"),
            ("time", "@fast"),
            ("wait", "@slow @connection"),
            ("info", "@slow @dangerous"),
            ("readonly", "@fast @connection"),
            ("cluster|myid", "@slow"),
            ("cluster|meet", "@admin @slow @dangerous"),
        ];
        for (name, expected) in cases {
            assert_eq!(categories(row(name)).join(" "), expected, "{name}");
        }
    }
}
