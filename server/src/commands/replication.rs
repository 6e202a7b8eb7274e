//! Replication in Redis' words: ROLE, WAIT, and INFO's section.
//!
//! A group's leader is the master, its followers are slaves, and an offset is a log index: it
//! counts entries, not bytes, but grows and compares as Redis' does.

use std::fmt::Write as _;
use std::time::Duration;

use cluster::Address;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use keyspace::Args;
use raft::{GroupStatus, NodeId};
use resp::Reply;
use tokio::time::Instant;

use super::{Scope, errors};
use crate::node::Node;

/// Between two looks at the followers' logs by WAIT: a fraction of a round trip with its fsync.
const WAIT_POLL: Duration = Duration::from_millis(1);

/// ROLE
pub(super) fn role(scope: &mut Scope<'_>, _: Args<'_>) -> Reply<'static> {
    let node = scope.node;
    let status = node.group.status();
    if node.group.leads() {
        let replicas = followers(node, &status).into_iter().map(|follower| {
            Reply::Array(vec![
                text(follower.address.host),
                text(follower.address.port.to_string()),
                text(follower.matched.unwrap_or(0).to_string()),
            ])
        });
        return Reply::Array(vec![
            text("master"),
            offset(status.applied),
            Reply::Array(replicas.collect()),
        ]);
    }
    let master = status.leader.and_then(|leader| address_of(node, leader));
    let state = if master.is_some() { "connected" } else { "connect" };
    let (host, port) = master.map_or(("?".to_owned(), 0), |master| (master.host, master.port));
    Reply::Array(vec![
        text("slave"),
        text(host),
        Reply::Integer(port.into()),
        text(state),
        offset(status.applied),
    ])
}

/// WAIT numreplicas timeout: how many replicas have this connection's last write on disk.
pub(super) fn wait(
    scope: &mut Scope<'_>,
    args: Args<'_>,
) -> LocalBoxFuture<'static, Reply<'static>> {
    let (wanted, timeout_ms) = match wait_arguments(args) {
        Ok(arguments) => arguments,
        Err(error) => return async move { error }.boxed_local(),
    };
    let node = scope.node.clone();
    let index = scope.session.last_write_index;
    // Zero waits for ever, that is, until the connection ends and drops this.
    let deadline = (timeout_ms > 0).then(|| Instant::now() + Duration::from_millis(timeout_ms));
    async move {
        loop {
            let count = replicas_with(&node.group.status(), node.group.leads(), index);
            let late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if count >= wanted || late {
                return Reply::Integer(count);
            }
            tokio::time::sleep(WAIT_POLL).await;
        }
    }
    .boxed_local()
}

/// WAIT inside a transaction, which cannot wait: the count as it is.
pub(super) fn wait_no_longer(scope: &mut Scope<'_>, args: Args<'_>) -> Reply<'static> {
    match wait_arguments(args) {
        Ok(_) => {
            let group = &scope.node.group;
            let index = scope.session.last_write_index;
            Reply::Integer(replicas_with(&group.status(), group.leads(), index))
        }
        Err(error) => error,
    }
}

fn wait_arguments(args: Args<'_>) -> Result<(i64, u64), Reply<'static>> {
    let wanted = errors::integer(args[1])?;
    let timeout = errors::strict_integer(args[2])
        .ok_or(Reply::error("ERR timeout is not an integer or out of range"))?;
    let timeout = u64::try_from(timeout).map_err(|_| Reply::error("ERR timeout is negative"))?;
    // About a century: later deadlines would overflow the clock, and nobody waits for them.
    const TIMEOUT_MS_MAX: u64 = 100 * 365 * 24 * 3600 * 1000;
    Ok((wanted, timeout.min(TIMEOUT_MS_MAX)))
}

/// Replicas, the leader not counted, that are known to have the log up to `index` on disk.
fn replicas_with(status: &GroupStatus, leads: bool, index: u64) -> i64 {
    let count = if leads {
        let has = |(_, matched): &&(NodeId, Option<u64>)| matched.is_some_and(|at| at >= index);
        status.matched.iter().filter(has).count()
    } else {
        // A follower does not know its fellows' logs, but that an acknowledged write is on a
        // quorum's disks, of which at most one is the leader's.
        status.voters.len() / 2
    };
    i64::try_from(count).expect("groups are small")
}

/// INFO's section.
pub(super) fn info(node: &Node, section: &mut String) {
    let status = node.group.status();
    let leads = node.group.leads();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        // Writing to a String cannot fail.
        let _ = write!(section, "{key}:{value}\r\n");
    };
    line("role", if leads { &"master" } else { &"slave" });
    if leads {
        let followers = followers(node, &status);
        line("connected_slaves", &followers.len());
        for (number, Follower { address, matched }) in followers.into_iter().enumerate() {
            let state = if matched.is_some() { "online" } else { "wait_bgsave" };
            let Address { host, port } = address;
            let offset = matched.unwrap_or(0);
            let about = format!("ip={host},port={port},state={state},offset={offset},lag=0");
            line(&format!("slave{number}"), &about);
        }
    } else {
        let master = status.leader.and_then(|leader| address_of(node, leader));
        let link = if master.is_some() { "up" } else { "down" };
        let (host, port) = master.map_or(("?".to_owned(), 0), |master| (master.host, master.port));
        line("master_host", &host);
        line("master_port", &port);
        line("master_link_status", &link);
        line("master_last_io_seconds_ago", if link == "up" { &0 } else { &-1 });
        line("master_sync_in_progress", &0);
        line("slave_read_repl_offset", &status.last_log);
        line("slave_repl_offset", &status.applied);
        line("slave_priority", &100);
        line("slave_read_only", &1);
        line("replica_announced", &1);
        line("connected_slaves", &0);
    }
    line("master_failover_state", &"no-failover");
    line("master_replid", &node.topology.shard_name(node.shard));
    line("master_replid2", &"0".repeat(40));
    line("master_repl_offset", &status.applied);
    line("second_repl_offset", &-1);
    line("repl_backlog_active", &1);
    line("repl_backlog_first_byte_offset", &(status.purged + 1));
    line("repl_backlog_histlen", &status.last_log.saturating_sub(status.purged));
    line("raft_term", &status.term);
    line("raft_leader", &status.leader.map_or("none".to_owned(), |leader| leader.to_string()));
    line("raft_voters", &status.voters.len());
    line("raft_last_log_index", &status.last_log);
    line("raft_committed_index", &status.committed);
    line("raft_applied_index", &status.applied);
    line("raft_checkpoint_index", &status.checkpoint);
}

/// Another member of the group, as its leader sees it.
struct Follower {
    address: Address,
    /// How far its log is known to agree; `None`: not heard of yet.
    matched: Option<u64>,
}

fn followers(node: &Node, status: &GroupStatus) -> Vec<Follower> {
    let followers = status.matched.iter();
    followers
        .filter_map(|(id, matched)| {
            Some(Follower { address: address_of(node, *id)?, matched: *matched })
        })
        .collect()
}

fn address_of(node: &Node, id: NodeId) -> Option<Address> {
    node.topology.replica(id).map(|(_, replica)| replica.client.clone())
}

fn text(text: impl Into<String>) -> Reply<'static> {
    Reply::Bulk(text.into().into_bytes().into())
}

fn offset(index: u64) -> Reply<'static> {
    Reply::Integer(i64::try_from(index).expect("a log never has 2^63 entries"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(matched: &[(NodeId, Option<u64>)]) -> GroupStatus {
        let mut voters: Vec<NodeId> = matched.iter().map(|(node, _)| *node).collect();
        voters.push(1);
        GroupStatus { matched: matched.to_vec(), voters, ..GroupStatus::default() }
    }

    #[test]
    fn wait_counts_only_logs_that_reach_the_write() {
        let three = status(&[(2, Some(10)), (3, Some(9))]);
        assert_eq!(replicas_with(&three, true, 10), 1);
        assert_eq!(replicas_with(&three, true, 9), 2);
        assert_eq!(replicas_with(&three, true, 11), 0);
        assert_eq!(replicas_with(&status(&[(2, None), (3, Some(1))]), true, 0), 1);
        assert_eq!(replicas_with(&status(&[]), true, 0), 0);
    }

    #[test]
    fn a_follower_counts_what_a_quorum_guarantees() {
        assert_eq!(replicas_with(&status(&[(2, None), (3, None)]), false, 10), 1);
        assert_eq!(
            replicas_with(&status(&[(2, None), (3, None), (4, None), (5, None)]), false, 10),
            2
        );
    }

    #[test]
    fn wait_refuses_what_redis_refuses() {
        let error = |wanted: &str, timeout: &str| {
            let args: [&[u8]; 3] = [b"wait", wanted.as_bytes(), timeout.as_bytes()];
            match wait_arguments(&args) {
                Err(Reply::Error(text)) => text.into_owned(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(error("x", "x"), "ERR value is not an integer or out of range");
        assert_eq!(error("1", "x"), "ERR timeout is not an integer or out of range");
        assert_eq!(error("1", "-1"), "ERR timeout is negative");
    }
}
