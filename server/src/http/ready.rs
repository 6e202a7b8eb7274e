//! Whether this node serves up-to-date data now.
//!
//! More than being up: a replica that is restarting has old data, and one that is cut off cannot
//! know. Kubernetes sends clients here, and takes the next replica down, by this answer.

use std::time::Duration;

use crate::node::Node;

/// Entries that a follower may still have to apply; at full load this is a few milliseconds' worth.
const LAG_MAX: u64 = 1_000;
/// For a quorum to confirm the leader; an election fits in.
const BARRIER_TIMEOUT: Duration = Duration::from_secs(1);

/// `Err` says in a few words why not.
pub(crate) async fn check(node: &Node) -> Result<(), String> {
    if node.group.leads() {
        if node.group.lease_valid() {
            return Ok(());
        }
        return match tokio::time::timeout(BARRIER_TIMEOUT, node.group.read_barrier()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("leads, but cannot serve reads: {error}")),
            Err(_) => Err("leads, but no quorum answers".into()),
        };
    }
    let status = node.group.status();
    follower(status.leader, status.committed, status.applied)
}

fn follower(leader: Option<u64>, committed: u64, applied: u64) -> Result<(), String> {
    if leader.is_none() {
        return Err("knows no leader".into());
    }
    let lag = committed.saturating_sub(applied);
    if lag > LAG_MAX {
        return Err(format!("lags {lag} entries behind"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::follower;

    #[test]
    fn a_follower_is_ready_with_a_leader_and_little_lag() {
        assert_eq!(follower(Some(1), 5_000, 5_000), Ok(()));
        assert_eq!(follower(Some(1), 5_000, 4_500), Ok(()));
        assert_eq!(follower(Some(1), 5_000, 100), Err("lags 4900 entries behind".into()));
        assert_eq!(follower(None, 0, 0), Err("knows no leader".into()));
    }
}
