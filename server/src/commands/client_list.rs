//! CLIENT INFO, LIST and KILL: the line about a client, and the filters that pick clients.
//!
//! Every client is of type normal or pubsub, and of user default: masters and replicas do not speak
//! RESP here.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use keyspace::Args;
use keyspace::command::{Arg, ArgKind};
use resp::Reply;

use super::{Scope, errors, table};
use crate::session::Client;

/// The arguments of CLIENT KILL.
pub(super) const KILL_ARGS: &[Arg] = &[Arg::new(
    "filter",
    ArgKind::OneOf(&[
        Arg::new("ip:port", ArgKind::String),
        Arg::new("new-format", ArgKind::OneOf(KILL_FILTERS)).multiple(),
    ]),
)];

const KILL_FILTERS: &[Arg] = &[
    Arg::new("client-id", ArgKind::Integer).after("ID").optional(),
    Arg::new("type", ArgKind::OneOf(KILL_TYPES)).after("TYPE").optional(),
    Arg::new("username", ArgKind::String).after("USER").optional(),
    Arg::new("ip:port", ArgKind::String).after("ADDR").optional(),
    Arg::new("ip:port", ArgKind::String).after("LADDR").optional(),
    Arg::new("yes/no", ArgKind::String).after("SKIPME").optional(),
];

const KILL_TYPES: &[Arg] = &[
    Arg::keyword("normal", "NORMAL"),
    Arg::keyword("master", "MASTER"),
    Arg::keyword("slave", "SLAVE"),
    Arg::keyword("replica", "REPLICA"),
    Arg::keyword("pubsub", "PUBSUB"),
];

/// The arguments of CLIENT LIST.
pub(super) const LIST_ARGS: &[Arg] = &[
    Arg::new("type", ArgKind::OneOf(LIST_TYPES)).after("TYPE").optional(),
    Arg::new("id", ArgKind::Block(&[Arg::new("client-id", ArgKind::Integer).multiple()]))
        .after("ID")
        .optional(),
];

const LIST_TYPES: &[Arg] = &[
    Arg::keyword("normal", "NORMAL"),
    Arg::keyword("master", "MASTER"),
    Arg::keyword("replica", "REPLICA"),
    Arg::keyword("pubsub", "PUBSUB"),
];

/// CLIENT INFO
pub(super) fn info(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    Reply::Verbatim("txt", line(&scope.session.client, "client|info", scope.now_ms).into())
}

/// CLIENT LIST [TYPE type] [ID id ...]
pub(super) fn list(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let chosen = match chosen_for_list(args) {
        Ok(chosen) => chosen,
        Err(error) => return error,
    };
    let mut lines = String::new();
    for client in scope.node.clients.all() {
        if chosen.matches(&client) {
            // Ours is known to others once this turn is over.
            let command = match client.last_command() {
                _ if client.id == scope.session.client.id => "client|list".into(),
                Some(spec) => table::full_name(spec),
                None => "NULL".into(),
            };
            lines.push_str(&line(&client, &command, scope.now_ms));
        }
    }
    Reply::Verbatim("txt", lines.into())
}

/// CLIENT KILL addr:port, or with filters.
pub(super) fn kill(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    let old_form = args.len() == 3;
    let filter = if old_form {
        Filter { addr: Some(args[2].to_vec()), skip_me: false, ..Filter::default() }
    } else {
        match Filter::parse(&args[2..]) {
            Ok(filter) => filter,
            Err(error) => return error,
        }
    };
    let me = scope.session.client.id;
    let mut killed = 0;
    for client in scope.node.clients.all() {
        if !filter.matches(&client) || (filter.skip_me && client.id == me) {
            continue;
        }
        killed += 1;
        if client.id == me {
            // The answer is still owed to the caller.
            scope.session.closing = true;
        } else {
            client.kill();
        }
    }
    match (old_form, killed) {
        (true, 0) => Reply::error("ERR No such client"),
        (true, _) => Reply::OK,
        (false, _) => Reply::Integer(killed),
    }
}

/// Redis' client types.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Normal,
    Pubsub,
    /// One that no client here has.
    Other,
}

impl Type {
    fn of(client: &Client) -> Type {
        if client.listens() { Type::Pubsub } else { Type::Normal }
    }

    fn read(word: &[u8]) -> Result<Type, Reply<'static>> {
        const OTHERS: [&[u8]; 3] = [b"master", b"replica", b"slave"];
        if word.eq_ignore_ascii_case(b"normal") {
            Ok(Type::Normal)
        } else if word.eq_ignore_ascii_case(b"pubsub") {
            Ok(Type::Pubsub)
        } else if OTHERS.iter().any(|other| word.eq_ignore_ascii_case(other)) {
            Ok(Type::Other)
        } else {
            Err(Reply::Error(format!("ERR Unknown client type '{}'", errors::word(word)).into()))
        }
    }
}

/// Which clients LIST shows.
enum Chosen {
    All,
    Type(Type),
    Ids(Vec<u64>),
}

impl Chosen {
    fn matches(&self, client: &Arc<Client>) -> bool {
        match self {
            Chosen::All => true,
            Chosen::Type(wanted) => Type::of(client) == *wanted,
            Chosen::Ids(ids) => ids.contains(&client.id),
        }
    }
}

fn chosen_for_list(args: Args<'_>) -> Result<Chosen, Reply<'static>> {
    match &args[2..] {
        [] => Ok(Chosen::All),
        [word, kind] if word.eq_ignore_ascii_case(b"TYPE") => Ok(Chosen::Type(Type::read(kind)?)),
        [word, ids @ ..] if word.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
            let parse = |id: &&[u8]| {
                let id = errors::strict_integer(id).and_then(|id| u64::try_from(id).ok());
                id.ok_or(Reply::error("ERR Invalid client ID"))
            };
            Ok(Chosen::Ids(ids.iter().map(parse).collect::<Result<_, _>>()?))
        }
        _ => Err(errors::SYNTAX),
    }
}

/// KILL's conditions; a client must meet all.
struct Filter {
    id: Option<u64>,
    addr: Option<Vec<u8>>,
    laddr: Option<Vec<u8>>,
    kind: Option<Type>,
    skip_me: bool,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter { id: None, addr: None, laddr: None, kind: None, skip_me: true }
    }
}

impl Filter {
    fn parse(args: Args<'_>) -> Result<Filter, Reply<'static>> {
        let mut filter = Filter::default();
        for pair in args.chunks(2) {
            let [option, value] = pair else { return Err(errors::SYNTAX) };
            filter.add(option, value)?;
        }
        Ok(filter)
    }

    fn add(&mut self, option: &[u8], value: &[u8]) -> Result<(), Reply<'static>> {
        let is = |word: &str| option.eq_ignore_ascii_case(word.as_bytes());
        if is("ID") {
            let id = errors::strict_integer(value).filter(|id| *id > 0);
            let id = id.ok_or(Reply::error("ERR client-id should be greater than 0"))?;
            self.id = Some(id.unsigned_abs());
        } else if is("TYPE") {
            self.kind = Some(Type::read(value)?);
        } else if is("ADDR") {
            self.addr = Some(value.to_vec());
        } else if is("LADDR") {
            self.laddr = Some(value.to_vec());
        } else if is("USER") {
            if value != b"default" {
                let text = format!("ERR No such user '{}'", errors::word(value));
                return Err(Reply::Error(text.into()));
            }
        } else if is("SKIPME") && value.eq_ignore_ascii_case(b"yes") {
            self.skip_me = true;
        } else if is("SKIPME") && value.eq_ignore_ascii_case(b"no") {
            self.skip_me = false;
        } else {
            return Err(errors::SYNTAX);
        }
        Ok(())
    }

    fn matches(&self, client: &Client) -> bool {
        let at = |wanted: &Option<Vec<u8>>, actual: std::net::SocketAddr| {
            wanted.as_ref().is_none_or(|wanted| wanted == actual.to_string().as_bytes())
        };
        self.kind.is_none_or(|kind| kind == Type::of(client))
            && self.id.is_none_or(|id| id == client.id)
            && at(&self.addr, client.addr)
            && at(&self.laddr, client.laddr)
    }
}

/// One line about a client, with Redis' fields. Fields about things that do not exist here
/// (tracking) have the value of a client that does not use them.
fn line(client: &Client, command: &str, now_ms: u64) -> String {
    let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let names = client.names();
    let query_bytes = read(&client.query_bytes);
    let output_bytes = read(&client.output_bytes);
    let mut line = String::with_capacity(320);
    let text = String::from_utf8_lossy;
    // Writing to a String cannot fail.
    let _ = writeln!(
        line,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} \
         multi={} watch={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl={} oll=0 \
         omem={} tot-mem={} events={} cmd={} user=default redir=-1 resp={} lib-name={} lib-ver={} \
         tot-net-in={} tot-net-out={} tot-cmds={}",
        client.id,
        client.addr,
        client.laddr,
        client.fd(),
        text(&names.name),
        seconds_since(client.connected_at_ms),
        seconds_since(read(&client.last_active_ms)),
        flags(client),
        client.db.load(Ordering::Relaxed),
        client.subscriptions[0].load(Ordering::Relaxed),
        client.subscriptions[1].load(Ordering::Relaxed),
        client.subscriptions[2].load(Ordering::Relaxed),
        client.multi_len.load(Ordering::Relaxed),
        client.watch_len.load(Ordering::Relaxed),
        query_bytes,
        output_bytes,
        output_bytes,
        query_bytes + output_bytes,
        if output_bytes > 0 { "rw" } else { "r" },
        command,
        client.resp.load(Ordering::Relaxed),
        text(&names.lib_name),
        text(&names.lib_ver),
        read(&client.read_bytes),
        read(&client.written_bytes),
        read(&client.commands),
    );
    line
}

/// Redis' letters; `N` when none applies.
fn flags(client: &Client) -> String {
    let letters = [
        ('P', client.listens()),
        ('x', client.multi_len.load(Ordering::Relaxed) >= 0),
        ('b', client.is_blocked()),
        ('r', client.readonly.load(Ordering::Relaxed)),
        ('e', client.no_evict.load(Ordering::Relaxed)),
        ('T', client.no_touch.load(Ordering::Relaxed)),
    ];
    let set: String = letters.iter().filter(|(_, set)| *set).map(|(letter, _)| *letter).collect();
    if set.is_empty() { "N".into() } else { set }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{error_text, session};
    use super::*;
    use crate::session::Clients;

    fn split(line: &str) -> Vec<&[u8]> {
        line.split(' ').map(str::as_bytes).collect()
    }

    #[tokio::test]
    async fn a_client_is_one_line_of_redis_fields() {
        let clients = Clients::default();
        let session = session(&clients, true).await;
        let client = &session.client;
        client.set_name(b"me".to_vec());
        client.set_library(|names| names.lib_name = b"redis-py".to_vec());
        client.no_evict.store(true, Ordering::Relaxed);
        let line = line(client, "get", 1_005_500);
        let (start, rest) = line.split_once(" fd=").unwrap();
        assert_eq!(start, format!("id=1 addr={} laddr={}", client.addr, client.laddr));
        let (_, rest) = rest.split_once(' ').unwrap();
        assert_eq!(
            rest,
            "name=me age=5 idle=5 flags=e db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=0 \
             qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r \
             cmd=get user=default redir=-1 resp=2 lib-name=redis-py lib-ver= tot-net-in=0 \
             tot-net-out=0 tot-cmds=0\n"
        );
    }

    #[tokio::test]
    async fn list_takes_a_type_or_ids() {
        let clients = Clients::default();
        let (one, two) = (session(&clients, true).await, session(&clients, true).await);
        let shown = |line: &str| {
            let chosen = chosen_for_list(&split(line)).unwrap();
            [&one, &two].iter().filter(|session| chosen.matches(&session.client)).count()
        };
        assert_eq!(shown("client list"), 2);
        assert_eq!(shown("client list type NORMAL"), 2);
        assert_eq!(shown("client list TYPE pubsub"), 0);
        assert_eq!(shown("client list id 2 7"), 1);
        let refused = |line: &str| error_text(chosen_for_list(&split(line)).map(|_| ()));
        assert_eq!(refused("client list type foo"), "ERR Unknown client type 'foo'");
        assert_eq!(refused("client list id x"), "ERR Invalid client ID");
        for wrong in ["client list id", "client list foo", "client list type"] {
            assert_eq!(refused(wrong), "ERR syntax error");
        }
    }

    #[tokio::test]
    async fn kill_filters_must_all_match() {
        let clients = Clients::default();
        let (one, two) = (session(&clients, true).await, session(&clients, true).await);
        let matching = |line: &str| {
            let filter = Filter::parse(&split(line)).unwrap();
            [&one, &two].iter().filter(|session| filter.matches(&session.client)).count()
        };
        assert_eq!(matching("id 1"), 1);
        assert_eq!(matching("ID 99"), 0);
        assert_eq!(matching("user default type normal skipme no"), 2);
        assert_eq!(matching("type pubsub"), 0);
        assert_eq!(matching(&format!("addr {}", two.client.addr)), 1);
        assert_eq!(matching(&format!("laddr {} id 1", one.client.laddr)), 1);
        assert_eq!(matching(&format!("laddr {} id 2", one.client.laddr)), 0);
        let refused = |line: &str| error_text(Filter::parse(&split(line)).map(|_| ()));
        assert_eq!(refused("id 0"), "ERR client-id should be greater than 0");
        assert_eq!(refused("id x"), "ERR client-id should be greater than 0");
        assert_eq!(refused("user foo"), "ERR No such user 'foo'");
        assert_eq!(refused("type foo"), "ERR Unknown client type 'foo'");
        for wrong in ["foo bar", "id 1 addr", "skipme foo", "maxage 1"] {
            assert_eq!(refused(wrong), "ERR syntax error");
        }
    }
}
