//! Commands that only a leader writes into its own entries; the server refuses them from clients.

use resp::Reply;

use crate::access::Txn;
use crate::command::{Arg, Args, Command, Flags, Group, Keys, Run, Spec};
use crate::limits;

/// Their rows.
pub(crate) static COMMANDS: &[Command] = &[EXPIRE, limits::SET_LIMITS];

/// Deletes the keys whose time is over, as the expiry cycle found them. Each is looked at again, by
/// the entry's clock: it may have been set anew since.
const EXPIRE: Command = Command {
    spec: Spec {
        name: "ringfort.expire",
        group: Group::Generic,
        since: "7.0.0",
        complexity: "O(N) for N keys",
        summary: "Deletes those of the keys whose time is over.",
        arity: -2,
        keys: Keys::EVERY,
        flags: Flags::WRITE.and(Flags::INTERNAL),
        args: &[Arg::key("key").multiple()],
    },
    run: Run::Write(expire),
};

fn expire(txn: &mut Txn<'_>, args: Args<'_>) -> Reply<'static> {
    let over = args[1..].iter().filter(|key| txn.remove_expired(key)).count();
    Reply::Integer(over as i64)
}
