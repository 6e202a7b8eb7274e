//! CONFIG: the settings, as clients read and change them.
//!
//! Leaves out what the settings are and which values they take (`settings`).

use std::sync::atomic::Ordering;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use keyspace::command::{Arg, ArgKind, Flags};
use keyspace::limits::{LIMITS, Limit, Limits};
use keyspace::{Args, Spec};
use resp::Reply;

use super::server::BASE;
use super::{Scope, ServerCommand, ServerRun, errors};
use crate::limits;
use crate::settings::{Accepted, Settings, limits as names};

/// The container.
pub(super) const CONFIG: ServerCommand = ServerCommand {
    spec: Spec {
        name: "config",
        since: "2.0.0",
        complexity: "Depends on subcommand.",
        summary: "Holds the commands about settings.",
        arity: -2,
        flags: Flags::NONE,
        ..BASE
    },
    run: ServerRun::Container(SUBCOMMANDS),
};

const SUBCOMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "get",
            since: "2.0.0",
            complexity: "O(N) where N is the number of patterns",
            summary: "Returns the settings that match a pattern.",
            arity: -3,
            flags: ADMIN,
            args: &[Arg::new("patterns", ArgKind::Block(&[Arg::new("pattern", ArgKind::String)]))
                .multiple()],
            ..BASE
        },
        run: ServerRun::Session(get),
    },
    ServerCommand {
        spec: Spec {
            name: "help",
            since: "5.0.0",
            summary: "Lists the subcommands of CONFIG.",
            arity: 2,
            flags: Flags::LOADING.and(Flags::STALE),
            ..BASE
        },
        run: ServerRun::Session(help),
    },
    ServerCommand {
        spec: Spec {
            name: "resetstat",
            since: "2.0.0",
            summary: "Sets INFO's statistics to zero.",
            arity: 2,
            flags: ADMIN,
            ..BASE
        },
        run: ServerRun::Session(resetstat),
    },
    ServerCommand {
        spec: Spec {
            name: "rewrite",
            since: "2.8.0",
            summary: "Is refused: the configuration file belongs to its author.",
            arity: 2,
            flags: ADMIN,
            ..BASE
        },
        run: ServerRun::Session(rewrite),
    },
    ServerCommand {
        spec: Spec {
            name: "set",
            since: "2.0.0",
            complexity: "O(N) where N is the number of settings given",
            summary: "Changes settings, all or none.",
            arity: -4,
            flags: ADMIN,
            args: &[Arg::new(
                "parameter_value",
                ArgKind::Block(&[
                    Arg::new("parameter", ArgKind::String),
                    Arg::new("value", ArgKind::String),
                ]),
            )
            .multiple()],
            ..BASE
        },
        run: ServerRun::Deferred(set, Some(set_at_once)),
    },
];

const ADMIN: Flags = Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE);

/// Where Redis keeps its files. Whoever may change these can write files anywhere, so they exist
/// only to be refused.
const PROTECTED: [&str; 2] = ["dir", "dbfilename"];

fn get(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    found(&scope.node.config.settings, scope.node.keyspace.limits(), &args[2..])
}

/// The settings that match any of the patterns, each once. A name without wildcards comes back as
/// the client wrote it, in its case: that is what it will look for.
fn found(settings: &Settings, limits: Limits, patterns: Args<'_>) -> Reply<'static> {
    let mut found: Vec<(&'static str, Reply<'static>, String)> = Vec::new();
    for pattern in patterns {
        let wild = pattern.iter().any(|byte| b"[*?".contains(byte));
        let lower = pattern.to_ascii_lowercase();
        let sizes = LIMITS.iter().flat_map(|row| {
            let value = limits.get(row.limit).to_string();
            names::names(row).map(move |name| (name, value.clone()))
        });
        let sizes = sizes.filter(|(name, _)| keyspace::glob::matches(&lower, name.as_bytes()));
        for (name, value) in settings.get(pattern).into_iter().chain(sizes) {
            if !found.iter().any(|(known, _, _)| *known == name) {
                let shown = if wild { name.as_bytes() } else { pattern };
                found.push((name, Reply::Bulk(shown.to_vec().into()), value));
            }
        }
    }
    let pair = |(_, name, value): (_, _, String)| (name, Reply::Bulk(value.into_bytes().into()));
    Reply::Map(found.into_iter().map(pair).collect())
}

fn set(scope: &mut Scope<'_>, args: Args<'_>) -> LocalBoxFuture<'static, Reply<'static>> {
    let node = scope.node.clone();
    let client = scope.session.client.id;
    // Names only: a value may be a secret.
    let shown: Vec<_> =
        args[2..].iter().step_by(2).map(|name| errors::word(name).into_owned()).collect();
    let change = change(&node.config.settings, &args[2..]);
    async move {
        let Change { own, sizes } = match change {
            Ok(change) => change,
            Err(error) => return error,
        };
        if !sizes.is_empty() {
            let reply = limits::propose(&node, &sizes).await;
            if reply != Reply::OK {
                return reply;
            }
        }
        node.config.settings.accept(own);
        tracing::info!(client, settings = %shown.join(" "), "CONFIG SET");
        Reply::OK
    }
    .boxed_local()
}

/// CONFIG SET inside MULTI, which cannot wait for the log.
fn set_at_once(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let settings = &scope.node.config.settings;
    match change(settings, &args[2..]) {
        Ok(Change { own, sizes }) if sizes.is_empty() => {
            settings.accept(own);
            Reply::OK
        }
        Ok(_) => Reply::error("ERR replicated settings cannot be changed inside MULTI"),
        Err(error) => error,
    }
}

/// What CONFIG SET is to change, checked.
struct Change {
    /// The node's own settings.
    own: Accepted,
    /// The keyspace's limits, which go through the log.
    sizes: Vec<(Limit, i64)>,
}

fn change(settings: &Settings, args: Args<'_>) -> Result<Change, Reply<'static>> {
    if !args.len().is_multiple_of(2) {
        return Err(errors::wrong_arguments("config|set"));
    }
    let mut own = Vec::with_capacity(args.len() / 2);
    let mut sizes: Vec<(Limit, i64)> = Vec::new();
    for pair in args.chunks_exact(2) {
        let name = String::from_utf8_lossy(pair[0]);
        let fail = |reason: &str| {
            let name = errors::word(pair[0]);
            let text =
                format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
            Reply::Error(text.into())
        };
        if PROTECTED.iter().any(|protected| name.eq_ignore_ascii_case(protected)) {
            return Err(fail("can't set protected config"));
        }
        let Ok(value) = std::str::from_utf8(pair[1]) else {
            return Err(fail("argument must be UTF-8 text"));
        };
        let Some(row) = names::find(&name) else {
            own.push((name, value));
            continue;
        };
        if sizes.iter().any(|(limit, _)| *limit == row.limit) {
            return Err(fail("duplicate parameter"));
        }
        sizes.push((row.limit, names::parse(row, value).map_err(|reason| fail(&reason))?));
    }
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (&**name, *value)).collect();
    match settings.check(&own) {
        Ok(own) => Ok(Change { own, sizes }),
        Err(text) => Err(Reply::Error(text.into())),
    }
}

fn resetstat(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    let stats = &scope.node.stats;
    let counters = [
        &stats.connections,
        &stats.connections_refused,
        &stats.commands,
        &stats.input_bytes,
        &stats.output_bytes,
        &stats.forwarded,
        &stats.entries,
        &stats.writes,
        &stats.expired,
    ];
    for counter in counters {
        counter.store(0, Ordering::Relaxed);
    }
    Reply::OK
}

fn rewrite(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    Reply::error(
        "ERR CONFIG REWRITE is not available: the server does not change its configuration file; \
         write the setting there yourself to keep it",
    )
}

fn help(_: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    errors::help("CONFIG", HELP)
}

const HELP: &[&str] = &[
    "GET <pattern> [<pattern> ...]",
    "    Return the settings that match a pattern.",
    "RESETSTAT",
    "    Set INFO's statistics to zero.",
    "SET <setting> <value> [<setting> <value> ...]",
    "    Change settings, all or none.",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn error(settings: &Settings, args: &[&str]) -> String {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        match change(settings, &args) {
            Err(Reply::Error(text)) => text.into_owned(),
            _ => panic!("no error"),
        }
    }

    #[test]
    fn get_shows_each_setting_once() {
        let settings = Settings::default();
        let Reply::Map(pairs) =
            found(&settings, Limits::default(), &[b"maxmemory", b"maxmem*", b"nosuch"])
        else {
            panic!("a map");
        };
        let names: Vec<_> = pairs.into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [Reply::Bulk(b"maxmemory".into()), Reply::Bulk(b"maxmemory-policy".into())]
        );
        let Reply::Map(pairs) = found(&settings, Limits::default(), &[b"TimeOut"]) else {
            panic!("a map")
        };
        assert_eq!(pairs[0].0, Reply::Bulk(b"TimeOut".into()));
    }

    #[test]
    fn set_changes_all_or_nothing_with_redis_words() {
        let settings = Settings::default();
        let change = change(&settings, &[b"maxmemory", b"100mb", b"timeout", b"5"]).ok().unwrap();
        settings.accept(change.own);
        assert_eq!(settings.maxmemory_bytes(), 100 << 20);
        assert_eq!(
            error(&settings, &["maxmemory", "1", "foo", "1"]),
            "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"
        );
        assert_eq!(
            error(&settings, &["timeout", "7", "maxclients", "many"]),
            "ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't \
             be parsed into an integer"
        );
        assert_eq!(
            error(&settings, &["timeout", "7", "dir", "/"]),
            "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected \
             config"
        );
        assert_eq!(
            error(&settings, &["maxmemory", "1", "maxmemory", "2"]),
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - duplicate parameter"
        );
        assert_eq!(
            error(&settings, &["timeout", "7", "maxmemory"]),
            "ERR wrong number of arguments for 'config|set' command"
        );
        assert_eq!((settings.timeout_seconds(), settings.maxmemory_bytes()), (5, 100 << 20));
    }
}
