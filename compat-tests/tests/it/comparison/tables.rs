//! What the servers say of themselves: COMMAND INFO, DOCS and GETKEYS, CONFIG GET, INFO.

use std::collections::BTreeSet;

use compat_tests::cluster::info_field;
use compat_tests::resp::Value;
use compat_tests::table::{self, Row};

use super::Servers;

/// Flags that say how Redis runs a command, not what a client may expect of it.
const FLAGS_OF_REDIS: [&str; 4] = ["skip_monitor", "skip_slowlog", "may_replicate", "noscript"];

/// Rows that are as in Redis 7.2: what PFMERGE, GEOHASH and GEOPOS are about may be left out, which
/// 7.0 allows and does not document, and ranks come with scores.
const ARGUMENTS_OF_REDIS_7_2: [&str; 5] = ["pfmerge", "geohash", "geopos", "zrank", "zrevrank"];
const ARITY_OF_REDIS_7_2: [&str; 2] = ["zrank", "zrevrank"];
/// It has nothing to delete, and so writes nothing.
const WRITES_NOTHING: &str = "function|flush";

#[test]
fn commands_have_the_arity_keys_and_flags_of_redis() {
    let servers = Servers::start();
    let [mut ours, mut redis] = servers.connect(2);
    let rows = table::read(&mut ours);
    let mut wrong = Vec::new();
    let mut compared = 0;
    for row in rows.iter().flat_map(Row::callable) {
        let theirs = redis.call(&["COMMAND", "INFO", &row.name]).items()[0].clone();
        if theirs == Value::Null {
            continue;
        }
        compared += 1;
        let info = ours.call(&["COMMAND", "INFO", &row.name]).items()[0].clone();
        if info == Value::Null {
            wrong.push(format!("{}: COMMAND INFO does not know it", row.name));
            continue;
        }
        let (info, theirs) = (info.items(), theirs.items());
        for (index, what) in [(0, "name"), (1, "arity"), (3, "first key"), (4, "last"), (5, "step")]
        {
            let newer = what == "arity" && ARITY_OF_REDIS_7_2.contains(&row.name.as_str());
            if info[index] != theirs[index] && !newer {
                let (ours, redis) = (&info[index], &theirs[index]);
                wrong.push(format!("{}: {what} is {ours}, Redis has {redis}", row.name));
            }
        }
        let (flags, redis_flags) = (flags(&info[2]), flags(&theirs[2]));
        if flags != redis_flags && row.name != WRITES_NOTHING {
            wrong.push(format!("{}: flags are {flags:?}, Redis has {redis_flags:?}", row.name));
        }
    }
    println!("{compared} commands compared");
    assert!(compared > 80, "only {compared} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn flags(value: &Value) -> BTreeSet<String> {
    let names = value.items().iter().map(Value::text);
    names.filter(|name| !FLAGS_OF_REDIS.contains(&name.as_str())).collect()
}

#[test]
fn command_docs_have_the_group_version_and_arguments_of_redis() {
    let servers = Servers::start();
    let [mut ours, mut redis] = servers.connect(2);
    let theirs = table::read(&mut redis);
    let theirs: Vec<&Row> = theirs.iter().flat_map(Row::callable).collect();
    let mut wrong = Vec::new();
    for row in table::read(&mut ours).iter().flat_map(Row::callable) {
        let Some(other) = theirs.iter().find(|other| other.name == row.name) else { continue };
        if (&row.group, &row.since) != (&other.group, &other.since) {
            let (group, since) = (&other.group, &other.since);
            wrong.push(format!("{}: Redis has group {group} since {since}", row.name));
        }
        let (shape, other) = (shape(&row.args), shape(&other.args));
        if shape != other && !ARGUMENTS_OF_REDIS_7_2.contains(&row.name.as_str()) {
            wrong.push(format!("{}: arguments {shape}\n    Redis has {other}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Kinds, tokens and nesting; the arguments' names are each project's own words.
fn shape(args: &[table::Arg]) -> String {
    let one = |arg: &table::Arg| {
        let token = arg.token.as_deref().unwrap_or_default();
        let marks = [(arg.optional, "?"), (arg.multiple, "+")];
        let marks: String = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
        let inner = if arg.args.is_empty() { String::new() } else { shape(&arg.args) };
        format!("{token}:{}{inner}{marks}", arg.kind)
    };
    format!("({})", args.iter().map(one).collect::<Vec<_>>().join(" "))
}

#[test]
fn info_has_the_fields_that_clients_read() {
    let servers = Servers::start();
    let fields = [
        ("server", ["redis_version", "arch_bits", "process_id", "tcp_port", "run_id"].as_slice()),
        ("clients", &["connected_clients", "blocked_clients", "maxclients"]),
        ("memory", &["used_memory", "maxmemory", "used_memory_human"]),
        ("persistence", &["loading"]),
        ("stats", &["total_commands_processed", "total_connections_received", "expired_keys"]),
        ("replication", &["role", "connected_slaves", "master_repl_offset"]),
        ("cluster", &["cluster_enabled"]),
    ];
    for (section, names) in fields {
        for name in names {
            let ours = info_field(servers.ours.port, section, name);
            let redis = info_field(servers.redis.port, section, name);
            let (Some(ours), Some(redis)) = (&ours, &redis) else {
                panic!("INFO {section} {name}: ours {ours:?}, Redis {redis:?}");
            };
            let exact = ["cluster_enabled", "loading", "role", "arch_bits", "maxclients"];
            assert!(!exact.contains(name) || ours == redis, "{name}: ours {ours}, Redis {redis}");
        }
    }
}
