//! MULTI, EXEC, DISCARD, WATCH, UNWATCH: little more than rows. What they do is in `dispatch` and
//! `transaction`, because they change how the commands around them run.

use keyspace::command::{Arg, Flags, Group, Keys};
use keyspace::{Args, Spec};
use resp::Reply;

use super::{Scope, ServerCommand, ServerRun, Transaction};

/// The family.
pub const COMMANDS: &[ServerCommand] = &[
    ServerCommand {
        spec: Spec {
            name: "multi",
            group: Group::Transactions,
            since: "1.2.0",
            complexity: "O(1)",
            summary: "Starts a transaction.",
            arity: 1,
            keys: Keys::None,
            flags: FLAGS,
            args: &[],
        },
        run: ServerRun::Transaction(Transaction::Multi),
    },
    ServerCommand {
        spec: Spec {
            name: "exec",
            group: Group::Transactions,
            since: "1.2.0",
            complexity: "Depends on commands in the transaction",
            summary: "Executes all commands in a transaction.",
            arity: 1,
            keys: Keys::None,
            flags: ANYTIME.and(Flags::SKIP_SLOWLOG),
            args: &[],
        },
        run: ServerRun::Transaction(Transaction::Exec),
    },
    ServerCommand {
        spec: Spec {
            name: "discard",
            group: Group::Transactions,
            since: "2.0.0",
            complexity: "O(N), when N is the number of queued commands",
            summary: "Discards a transaction.",
            arity: 1,
            keys: Keys::None,
            flags: FLAGS,
            args: &[],
        },
        run: ServerRun::Transaction(Transaction::Discard),
    },
    ServerCommand {
        spec: Spec {
            name: "watch",
            group: Group::Transactions,
            since: "2.2.0",
            complexity: "O(1) for every key.",
            summary: "Monitors changes to keys to determine the execution of a transaction.",
            arity: -2,
            keys: Keys::Range { first: 1, last: -1, step: 1 },
            flags: FLAGS,
            args: &[Arg::key("key").multiple()],
        },
        run: ServerRun::Transaction(Transaction::Watch),
    },
    ServerCommand {
        spec: Spec {
            name: "unwatch",
            group: Group::Transactions,
            since: "2.2.0",
            complexity: "O(1)",
            summary: "Forgets about watched keys of a transaction.",
            arity: 1,
            keys: Keys::None,
            flags: FLAGS,
            args: &[],
        },
        run: ServerRun::Session(unwatch),
    },
];

/// What the whole family has in common.
const ANYTIME: Flags = Flags::NOSCRIPT.and(Flags::LOADING).and(Flags::STALE);

/// All but EXEC, which takes as long as what it executes.
const FLAGS: Flags = ANYTIME.and(Flags::FAST);

/// Also queued by MULTI, where EXEC has given up the watch before it comes to this.
fn unwatch(scope: &mut Scope<'_>, _args: Args<'_>) -> Reply<'static> {
    if let Some(watch) = scope.session.watch.take() {
        scope.node.forget_watch(&watch);
        scope.session.client.note_watched(0);
    }
    Reply::OK
}
