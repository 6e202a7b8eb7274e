//! The running node: what its parts share, and the few questions they all ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::topology::Topology;
use keyspace::command::Flags;
use keyspace::{Command, Keyspace};
use raft::{Group, Identity, NodeId, ReadError};
use resp::Reply;
use tokio::time::Instant;

use crate::batch::Batcher;
use crate::blocked::{Blocked, Ending, Ticket};
use crate::config::Config;
use crate::forward::link::Links;
use crate::leaders::Leaders;
use crate::listener::Bound;
use crate::pubsub::{PubSub, Spread};
use crate::router::{LEADER_POLL, NO_LEADER};
use crate::session::Clients;
use crate::settings::{MemoryPolicy, ReadConsistency};
use crate::slots::Slots;
use crate::watch::{Home, Watch, Watches};

/// One process: one replica of one shard.
pub struct Node {
    /// Its id in the cluster; 1 standalone.
    pub id: NodeId,
    /// What it shows to peers.
    pub identity: Identity,
    /// Its shard.
    pub shard: u32,
    /// Whether it has peers: MOVED, one database, no keys of several slots in one command.
    pub clustered: bool,
    /// What it was started with; `config.settings` may change at run time.
    pub config: Config,
    /// The addresses it listens on.
    pub bound: Bound,
    /// Shards, replicas and slot owners.
    pub topology: Arc<Topology>,
    /// This shard's Raft group.
    pub group: Group,
    /// This shard's data.
    pub keyspace: Arc<Keyspace>,
    /// Writes on their way into the log.
    pub batcher: Arc<Batcher>,
    /// Streams to the nodes that lead.
    pub links: Links,
    /// Who leads the other shards.
    pub leaders: Leaders,
    /// Connected clients.
    pub clients: Clients,
    /// Who listens to which channel.
    pub pubsub: Arc<PubSub>,
    /// What is published, on its way to the other nodes.
    pub spread: Spread,
    /// Watched keys.
    pub watches: Arc<Watches>,
    /// Parked segments of clients that wait.
    pub blocked: Arc<Blocked>,
    /// Which slots this shard owns, and those that come and go.
    pub slots: Arc<Slots>,
    /// Counters for INFO and metrics.
    pub stats: Arc<Stats>,
    /// 40 hexadecimal digits drawn when the process started (INFO `run_id`).
    pub run_id: String,
    /// Unix time in milliseconds when the process started.
    pub started_at_ms: u64,
}

impl Node {
    /// Who leads a shard, as far as this node knows.
    pub fn leader_of(&self, shard: u32) -> Option<NodeId> {
        if shard == self.shard { self.group.leader() } else { self.leaders.of(shard) }
    }

    /// How long a command may look for a leader before it is refused.
    pub fn forward_timeout(&self) -> Duration {
        Duration::from_millis(self.config.settings.forward_timeout_ms())
    }

    /// Waits until this shard's leader changes, at most for `patience`.
    pub async fn leader_changed(&self, patience: Duration) {
        let mut leader = self.group.watch_leader();
        leader.mark_unchanged();
        // Late or not, the caller looks again.
        let _ = tokio::time::timeout(patience, leader.changed()).await;
    }

    /// Waits until reads of the keyspace are linearizable.
    pub async fn read_barrier(&self) -> Result<(), ReadError> {
        let lease = self.config.settings.read_consistency() == ReadConsistency::Lease;
        if lease && self.group.lease_valid() {
            return Ok(());
        }
        self.group.read_barrier().await
    }

    /// `MOVED`: the slot's shard is another, and this is its leader's address.
    pub fn moved(&self, slot: u16, shard: u32) -> Reply<'static> {
        let address = self.topology.client_address(shard, self.leader_of(shard));
        match address {
            Some(address) => Reply::Error(format!("MOVED {slot} {address}").into()),
            None => Reply::error("CLUSTERDOWN Hash slot not served"),
        }
    }

    /// Why a write is refused before anything else, if it is.
    pub fn refuses_write(&self, command: &'static Command) -> Option<Reply<'static>> {
        let settings = &self.config.settings;
        let limit = settings.maxmemory_bytes();
        let full = limit > 0
            && command.spec.flags.has(Flags::DENYOOM)
            && settings.maxmemory_policy() == MemoryPolicy::Noeviction
            && self.keyspace.memory_bytes() as u64 > limit;
        full.then(|| Reply::error("OOM command not allowed when used memory > 'maxmemory'."))
    }

    /// Adds keys to a client's watch, which is at the leader; `watch` has the shard and session.
    pub async fn watch(
        &self,
        mut watch: Watch,
        keys: Vec<(u8, Vec<u8>)>,
    ) -> Result<Watch, Reply<'static>> {
        let deadline = Instant::now() + self.forward_timeout();
        let started = loop {
            if let Some(started) = self.try_watch(&watch, &keys, deadline).await {
                break started;
            }
            if Instant::now() >= deadline {
                self.forget_watch(&watch);
                return Err(Reply::error(NO_LEADER));
            }
            self.leader_changed(LEADER_POLL).await;
        };
        if watch.keys.is_empty() {
            (watch.home, watch.term) = started;
        } else if started != (watch.home, watch.term) {
            // The first keys are watched by a former leader, which misses what comes after it.
            watch.flag.set();
        }
        watch.keys.extend(keys);
        Ok(watch)
    }

    /// Where the keys are watched now and in which term; `None`: nobody leads that we know.
    async fn try_watch(
        &self,
        watch: &Watch,
        keys: &[(u8, Vec<u8>)],
        deadline: Instant,
    ) -> Option<(Home, u64)> {
        if watch.shard != self.shard || !self.group.leads() {
            let leader = self.leader_of(watch.shard).filter(|&leader| leader != self.id)?;
            let asked = self.links.watch(leader, watch.shard, watch.session, keys, deadline);
            return Some((Home::At(leader), asked.await?));
        }
        let term = self.group.term();
        self.group.read_barrier().await.ok()?;
        if !self.group.leads() || self.group.term() != term {
            return None;
        }
        keys.iter().for_each(|(db, key)| self.watches.add(*db, key, &watch.flag));
        Some((Home::Here, term))
    }

    /// Ends the wait of a client of this node, here or at the leader.
    pub fn end_wait(&self, ticket: &Ticket, ending: Ending) {
        self.blocked.end(ticket, ending);
        self.links.end_wait(ticket, ending);
    }

    /// Clients of this node that wait because there was nothing for their command.
    pub fn blocked_clients(&self) -> usize {
        self.clients.all().iter().filter(|client| client.is_blocked()).count()
    }

    /// Ends a watch.
    pub fn forget_watch(&self, watch: &Watch) {
        match watch.home {
            Home::Here => self.watches.remove(watch),
            Home::At(leader) => self.links.unwatch(leader, watch.shard, watch.session),
        }
    }
}

/// Counters since the start; relaxed, read by INFO and /metrics.
#[derive(Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections refused at `maxclients`.
    pub connections_refused: AtomicU64,
    /// Commands run for clients of this node.
    pub commands: AtomicU64,
    /// Bytes read from clients.
    pub input_bytes: AtomicU64,
    /// Bytes written to clients.
    pub output_bytes: AtomicU64,
    /// Requests sent on to a leader.
    pub forwarded: AtomicU64,
    /// Entries applied.
    pub entries: AtomicU64,
    /// Commands applied from entries.
    pub writes: AtomicU64,
    /// Keys deleted by this node's expiry cycle.
    pub expired: AtomicU64,
}

/// Adds to a statistics counter.
pub fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// Unix time in milliseconds.
pub fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    // A clock before 1970 is broken; time 0 lets nothing expire.
    since.map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
