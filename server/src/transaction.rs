//! The queue between MULTI and EXEC.

use keyspace::{Args, Command};

use crate::commands::ServerCommand;

/// Commands one transaction may queue, by count: a million is far past any real one, and bounds
/// what a client can make us hold together with [`QUEUED_BYTES_MAX`].
pub const QUEUED_COMMANDS_MAX: usize = 1_000_000;

/// Bytes of arguments one transaction may queue: half of the largest entry.
pub const QUEUED_BYTES_MAX: usize = 512 * 1024 * 1024;

/// A queued command: its row and its own copy of the arguments.
pub struct Queued {
    /// What it is.
    pub run: QueuedRun,
    /// The database selected when it was queued.
    pub db: u8,
    /// Its arguments.
    pub args: Vec<Vec<u8>>,
}

impl Queued {
    /// Whether it runs inside the transaction.
    pub fn is_data(&self) -> bool {
        matches!(self.run, QueuedRun::Data(_))
    }

    /// Whether it may change data.
    pub fn writes(&self) -> bool {
        matches!(self.run, QueuedRun::Data(command) if command.run.writes())
    }
}

/// A queued command's row.
#[derive(Clone, Copy)]
pub enum QueuedRun {
    /// A data command, run inside the transaction.
    Data(&'static Command),
    /// A session command, answered by the connection in the transaction's place.
    Server(&'static ServerCommand),
}

/// The state between MULTI and EXEC.
#[derive(Default)]
pub struct Multi {
    /// The commands so far.
    pub queued: Vec<Queued>,
    /// Bytes of their arguments.
    bytes: usize,
    /// The database that a queued SELECT has chosen for those behind it.
    selected: Option<u8>,
    /// A command was refused while queueing: EXEC answers EXECABORT.
    pub refused: bool,
    /// The slot of the first key, in a cluster: every other key must be in it.
    pub slot: Option<u16>,
}

impl Multi {
    /// Queues a command for database `db`, or for the one that an earlier queued SELECT names, one
    /// of `databases`; `false`: the queue is full and the command was not taken.
    pub fn push(&mut self, run: QueuedRun, db: u8, args: Args<'_>, databases: u8) -> bool {
        let bytes: usize = args.iter().map(|arg| arg.len()).sum();
        if self.queued.len() >= QUEUED_COMMANDS_MAX || self.bytes + bytes > QUEUED_BYTES_MAX {
            return false;
        }
        self.bytes += bytes;
        let db = self.selected.unwrap_or(db);
        if let QueuedRun::Server(command) = run
            && command.spec.name == "select"
        {
            // An index that is none gets its error when EXEC comes to it, and selects nothing.
            let index = std::str::from_utf8(args[1]).ok().and_then(|text| text.parse().ok());
            self.selected = index.filter(|&index| index < databases).or(self.selected);
        }
        let args = args.iter().map(|arg| arg.to_vec()).collect();
        self.queued.push(Queued { run, db, args });
        true
    }
}
