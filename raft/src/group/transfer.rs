//! Handing leadership over.

use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use tokio::time::{Instant, timeout, timeout_at};

use super::Inner;
use crate::{NodeId, TransferError};

/// A successor must hold the log up to its end, and nothing is accepted meanwhile; so it should
/// not be further behind than it can receive in a few milliseconds.
const LAG_ENTRIES_MAX: u64 = 64;
/// How long to wait for a lagging successor before anything is given up.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(2);
/// An election by request takes two round trips and an fsync on each side; when this is over the
/// others have long begun an ordinary one.
const TAKE_OVER_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn transfer(inner: &Inner, to: NodeId) -> Result<(), TransferError> {
    let _alone = inner.transfers.lock().await;
    if to == inner.options.node && inner.leads.load(Ordering::Acquire) {
        return Ok(());
    }
    await_caught_up(inner, to).await?;
    // From here on the followers may elect another at once: no read may count on a lease, in
    // whichever term openraft comes to give leadership away.
    inner.give_lease_away(u64::MAX);
    let outcome = hand_over(inner, to).await;
    // By now openraft has done so or will not.
    inner.give_lease_away(inner.term.load(Ordering::Acquire));
    outcome
}

async fn hand_over(inner: &Inner, to: NodeId) -> Result<(), TransferError> {
    let term = inner.term.load(Ordering::Acquire);
    let asked = inner.raft.trigger().transfer_leader(to).await;
    asked.map_err(|_| TransferError::Stopped)?;
    let mut leadership = inner.leadership.subscribe();
    let taken = leadership.wait_for(|now| {
        now.term > term && now.leader.is_some_and(|leader| leader != inner.options.node)
    });
    match timeout(TAKE_OVER_TIMEOUT, taken).await {
        Ok(Ok(now)) if now.leader == Some(to) => Ok(()),
        Ok(Ok(_)) | Err(_) => Err(TransferError::Late(to)),
        Ok(Err(_)) => Err(TransferError::Stopped),
    }
}

impl Inner {
    fn give_lease_away(&self, upto: u64) {
        let mut lease = self.lease.lock();
        lease.given_away = upto;
        self.lease_until_ns.store(0, Ordering::Release);
    }
}

/// Waits until the successor's log is nearly as long as ours.
async fn await_caught_up(inner: &Inner, to: NodeId) -> Result<(), TransferError> {
    let deadline = Instant::now() + CATCH_UP_TIMEOUT;
    let mut metrics = inner.raft.metrics();
    loop {
        {
            let now = metrics.borrow_watched();
            let Some(replication) = now.replication.as_ref().filter(|_| now.state.is_leader())
            else {
                return Err(TransferError::NotLeader { leader: now.current_leader });
            };
            if !now.membership_config.membership().voter_ids().any(|voter| voter == to) {
                return Err(TransferError::NotVoter(to));
            }
            let matched = replication.get(&to).and_then(|id| id.as_ref());
            let matched = matched.map_or(0, |id| id.index());
            if matched + LAG_ENTRIES_MAX >= now.last_log_index.unwrap_or(0) {
                return Ok(());
            }
        }
        match timeout_at(deadline, metrics.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(TransferError::Stopped),
            Err(_) => return Err(TransferError::Behind(to)),
        }
    }
}
