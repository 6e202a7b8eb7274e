//! How a group comes up, and the tasks that watch over it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::{BasicNode, Config, Raft, SnapshotPolicy};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::barrier::Barrier;
use super::lease::{Clock, Lease};
use super::{Group, GroupLease, GroupOptions, Inner, Leadership, NO_LEADER, Timing};
use crate::checkpoint::Checkpoints;
use crate::network::Network;
use crate::state_machine::{Growth, StateMachine};
use crate::storage::Storage;
use crate::types::TypeConfig;
use crate::{Machine, Peers, Trouble};

/// Log entries kept behind a checkpoint, so that a follower that was away for a moment needs no
/// snapshot; but not more than a checkpoint's worth, lest tiny settings never purge.
const LOG_ENTRIES_KEPT_MAX: u64 = 4096;
/// Entries in one append. Its bytes are bounded by the log reader; this only keeps a message of
/// tiny entries decodable within a heartbeat.
const APPEND_ENTRIES_MAX: u64 = 1024;
/// Between attempts to reach a peer that is away: soon at first, since most are only restarting.
const BACKOFF: &str = "20ms 40ms 80ms ..500ms";

impl Timing {
    /// How long a follower waits for its leader before it would vote for another.
    ///
    /// openraft elects after this patience and a further random wait; both together are what
    /// [`Timing`] calls the time without a leader, hence the halves.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.election_ms_max / 2)
    }

    fn check(&self) -> Result<(u64, u64), Trouble> {
        let max = self.election_ms_max / 2;
        let min = self.election_ms_min.saturating_sub(max);
        if self.heartbeat_ms == 0 || min <= self.heartbeat_ms || max <= min {
            return Err(Trouble::Refused(format!(
                "election times must hold heartbeat + max / 2 < min < max, \
                 but heartbeat is {} ms, min {} ms and max {} ms",
                self.heartbeat_ms, self.election_ms_min, self.election_ms_max
            )));
        }
        Ok((min, max))
    }
}

fn config(options: &GroupOptions) -> Result<Config, Trouble> {
    let (min, max) = options.timing.check()?;
    let config = Config {
        cluster_name: format!("group {}", options.group),
        heartbeat_interval: options.timing.heartbeat_ms,
        election_timeout_min: min,
        election_timeout_max: max,
        max_payload_entries: APPEND_ENTRIES_MAX,
        // Checkpoints are called for by bytes as well as entries; see `checkpoint_when_due`.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: LOG_ENTRIES_KEPT_MAX.min(options.checkpoint_entries / 2),
        enable_pre_vote: Some(true),
        // A leader that restarts may have lost what it had not synced; it asks for votes again.
        enable_leader_restore: Some(false),
        backoff: BACKOFF.to_string(),
        ..Config::default()
    };
    config.validate().map_err(|error| Trouble::Refused(error.to_string()))
}

pub(super) async fn start(
    options: GroupOptions,
    storage: &Storage,
    machine: Arc<dyn Machine>,
    peers: &Peers,
) -> Result<Group, Trouble> {
    let config = Arc::new(config(&options)?);
    for (node, address) in options.members.iter().filter(|(node, _)| *node != options.node) {
        peers.set(*node, address)?;
    }
    let growth = Arc::new(Growth::new(options.checkpoint_entries, options.checkpoint_log_bytes));
    let trouble = Arc::new(OnceLock::new());
    let state_machine = restored(&options, storage, machine, &growth, &trouble).await?;
    let checkpoints = Arc::clone(state_machine.checkpoints());

    let clock = Clock::new();
    let network = Network { group: options.group, peers: peers.clone() };
    let log = storage.group_log(options.group);
    let raft = Raft::build(options.node, config, network, log, state_machine)
        .await
        .map_err(|fatal| Trouble::Stopped(sentence(&trouble, &fatal)))?;
    // Elections wait until it is known whether this replica may take part.
    raft.runtime_config().elect(false);
    raft.run();
    let stopped = |error: &dyn std::fmt::Display| Trouble::Stopped(sentence(&trouble, error));
    let pristine = !raft.is_initialized().await.map_err(|fatal| stopped(&fatal))?;
    let alone = raft.voter_ids().eq([options.node]);

    let patience = options.timing.patience();
    let silent = !pristine && !alone;
    let silent_until = Instant::now() + if silent { patience } else { Duration::ZERO };
    let inner = Arc::new(Inner {
        leader: AtomicU64::new(NO_LEADER),
        term: AtomicU64::new(0),
        leads: AtomicBool::new(false),
        lease_until_ns: AtomicU64::new(0),
        lease: Mutex::new(GroupLease { lease: Lease::new(patience, clock.now()), given_away: 0 }),
        transfers: tokio::sync::Mutex::new(()),
        clock,
        metrics: raft.metrics(),
        barrier: Barrier::default(),
        leadership: watch::Sender::new(Leadership::default()),
        failed: watch::Sender::new(None),
        stopping: AtomicBool::new(false),
        silent_until,
        runtime: tokio::runtime::Handle::current(),
        checkpoints,
        raft,
        options,
        _storage: storage.clone(),
    });
    let group = Group { inner };
    tokio::spawn(watch_over(group.clone(), Arc::clone(&trouble)));
    tokio::spawn(checkpoint_when_due(group.raft().clone(), group.watch_leader(), growth));
    tokio::spawn(elect_after_silence(group.clone()));
    if pristine && group.inner.options.bootstrap {
        bootstrap(&group).await?;
    }
    Ok(group)
}

async fn restored(
    options: &GroupOptions,
    storage: &Storage,
    machine: Arc<dyn Machine>,
    growth: &Arc<Growth>,
    trouble: &Arc<OnceLock<String>>,
) -> Result<StateMachine, Trouble> {
    let (group, store) = (options.group, storage.checkpoint_store());
    let (growth, trouble) = (Arc::clone(growth), Arc::clone(trouble));
    let restored = tokio::task::spawn_blocking(move || {
        let checkpoints = Checkpoints::open(store, group)?;
        StateMachine::open(group, machine, checkpoints, growth, trouble)
    });
    restored.await.map_err(|error| Trouble::Stopped(error.to_string()))?
}

async fn bootstrap(group: &Group) -> Result<(), Trouble> {
    let members = group.inner.options.members.iter();
    let members: BTreeMap<u64, BasicNode> =
        members.map(|(node, address)| (*node, BasicNode::new(address))).collect();
    let formed = group.inner.raft.initialize(members).await;
    formed.map_err(|error| Trouble::Refused(format!("the group cannot be formed: {error}")))
}

/// What stopped the group, in our own words if we know them.
fn sentence(trouble: &OnceLock<String>, otherwise: &dyn std::fmt::Display) -> String {
    trouble.get().cloned().unwrap_or_else(|| otherwise.to_string())
}

/// Publishes term and leader, and the end.
async fn watch_over(group: Group, trouble: Arc<OnceLock<String>>) {
    let mut server = group.inner.raft.server_metrics();
    loop {
        let (term, leader) = {
            let metrics = server.borrow_watched();
            (metrics.vote.leader_id.term, metrics.current_leader)
        };
        group.inner.publish(Leadership { term, leader });
        if server.changed().await.is_err() {
            break;
        }
    }
    let inner = &group.inner;
    let term = inner.leadership.borrow().term;
    inner.publish(Leadership { term, leader: None });
    if inner.stopping.load(Ordering::Relaxed) {
        return;
    }
    let ended = match &inner.metrics.borrow_watched().running_state {
        Err(fatal) => sentence(&trouble, fatal),
        Ok(()) => sentence(&trouble, &"its task ended"),
    };
    tracing::error!(group = inner.options.group, "the group stopped: {ended}");
    inner.failed.send_replace(Some(ended));
}

/// Makes a checkpoint whenever enough was applied since the last; ends with the group, which it
/// does not hold.
async fn checkpoint_when_due(
    raft: GroupRaft,
    mut leadership: watch::Receiver<Leadership>,
    growth: Arc<Growth>,
) {
    loop {
        tokio::select! {
            () = growth.due.notified() => {}
            changed = leadership.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        }
        if raft.trigger().snapshot().await.is_err() {
            return;
        }
    }
}

/// Lets this replica stand for election, once no lease that it granted before a restart can hold.
///
/// When all members restart together they fall silent together, and would then split the votes
/// among themselves; so they begin to stand one after the other.
async fn elect_after_silence(group: Group) {
    let inner = &group.inner;
    let rank = inner.options.members.iter().position(|(node, _)| *node == inner.options.node);
    let stagger = inner.options.timing.heartbeat_ms * rank.unwrap_or(0) as u64;
    if Instant::now() < inner.silent_until {
        tokio::time::sleep_until(inner.silent_until + Duration::from_millis(stagger)).await;
    }
    inner.raft.runtime_config().elect(true);
}

pub(super) type GroupRaft = Raft<TypeConfig, StateMachine>;
