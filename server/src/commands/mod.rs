//! The server's own commands: rows of the same shape as the keyspace's, one family per file.

use futures::future::LocalBoxFuture;
use keyspace::command::Flags;
use keyspace::{Args, Command, Run, Spec};
use resp::Reply;

use crate::node::Node;
use crate::session::Session;

mod auth;
mod client;
mod client_list;
mod cluster;
mod cluster_view;
mod command;
mod config;
mod connection;
mod describe;
#[cfg(test)]
mod docs;
mod errors;
mod function;
mod info;
mod module;
mod process;
mod pubsub;
mod refused;
mod replication;
mod server;
mod table;
#[cfg(test)]
mod testing;
mod transactions;

pub use pubsub::{only_listens, refused_while_listening};
pub use table::{lookup, unknown_command, unknown_subcommand, wrong_arity};

/// The Redis version whose commands and replies these are; clients choose what to send by it.
pub const REDIS_VERSION: &str = "7.2.4";

/// What a session command may see and change.
pub struct Scope<'a> {
    /// The client's own state.
    pub session: &'a mut Session,
    /// The node.
    pub node: &'a std::sync::Arc<Node>,
    /// Unix time in milliseconds at the start of this turn.
    pub now_ms: u64,
}

/// A row of the server's command table.
#[derive(Clone, Copy)]
pub struct ServerCommand {
    /// The words.
    pub spec: Spec,
    /// The handler.
    pub run: ServerRun,
}

/// How a server command runs.
#[derive(Clone, Copy)]
pub enum ServerRun {
    /// Touches only the session and counters; may be answered while earlier writes of the same
    /// connection wait for their quorum (its reply is still sent after theirs).
    Session(fn(&mut Scope<'_>, Args<'_>) -> Reply<'static>),
    /// Looks at shared state, so runs only after the connection's earlier commands finished.
    Ordered(fn(&mut Scope<'_>, Args<'_>) -> Reply<'static>),
    /// The same, and answers with several replies, as SUBSCRIBE does; not inside MULTI.
    Several(fn(&mut Scope<'_>, Args<'_>) -> Vec<Reply<'static>>),
    /// Like `Ordered`, and takes time; the second is its answer inside MULTI, where it must be there at
    /// once.
    Deferred(
        fn(&mut Scope<'_>, Args<'_>) -> LocalBoxFuture<'static, Reply<'static>>,
        Option<fn(&mut Scope<'_>, Args<'_>) -> Reply<'static>>,
    ),
    /// MULTI and its kin, which `dispatch` itself carries out.
    Transaction(Transaction),
    /// Only holds subcommands.
    Container(&'static [ServerCommand]),
}

/// The transaction commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// MULTI
    Multi,
    /// EXEC
    Exec,
    /// DISCARD
    Discard,
    /// WATCH
    Watch,
}

/// A row of either table.
#[derive(Clone, Copy)]
pub enum Row {
    /// A data command.
    Data(&'static Command),
    /// A server command.
    Server(&'static ServerCommand),
}

impl Row {
    /// Its words.
    pub fn spec(&self) -> &'static Spec {
        match self {
            Row::Data(command) => &command.spec,
            Row::Server(command) => &command.spec,
        }
    }

    /// Whether it only holds subcommands: a request that comes to it named none that exists.
    pub fn is_container(&self) -> bool {
        match self {
            Row::Data(command) => matches!(command.run, Run::Container(_)),
            Row::Server(command) => matches!(command.run, ServerRun::Container(_)),
        }
    }

    /// A container's subcommands; none for other commands.
    pub fn subcommands(&self) -> Vec<Row> {
        match self {
            Row::Data(command) => match command.run {
                Run::Container(rows) => rows.iter().map(Row::Data).collect(),
                Run::Read(_) | Run::Write(_) | Run::Block(_) => Vec::new(),
            },
            Row::Server(command) => match command.run {
                ServerRun::Container(rows) => rows.iter().map(Row::Server).collect(),
                _ => Vec::new(),
            },
        }
    }
}

impl ServerCommand {
    /// Whether MULTI may queue it: its answer must be there at once when EXEC merges it with the
    /// replies of the data commands.
    pub fn may_queue(&self) -> bool {
        let runs = matches!(
            self.run,
            ServerRun::Session(_) | ServerRun::Ordered(_) | ServerRun::Deferred(_, Some(_))
        );
        runs && !self.spec.flags.has(Flags::NO_MULTI)
    }

    /// The answer of a queued command, when EXEC comes to it.
    pub fn answer(&self, scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
        match self.run {
            ServerRun::Session(run) | ServerRun::Ordered(run) => run(scope, args),
            ServerRun::Deferred(_, Some(at_once)) => at_once(scope, args),
            ServerRun::Several(_)
            | ServerRun::Deferred(_, None)
            | ServerRun::Transaction(_)
            | ServerRun::Container(_) => {
                unreachable!("may_queue() refused {}", self.spec.name)
            }
        }
    }
}

/// The server's families, in the order of the documentation.
pub fn families() -> impl Iterator<Item = &'static ServerCommand> {
    [
        connection::COMMANDS,
        server::COMMANDS,
        refused::COMMANDS,
        cluster::COMMANDS,
        transactions::COMMANDS,
        pubsub::COMMANDS,
    ]
    .into_iter()
    .flatten()
}
