//! Pub/Sub: who listens to which channel, and messages on their way to them.
//!
//! A message is delivered at most once, to who listens at the moment it is published, as in Redis.
//! In a cluster every node tells the others (`spread`); channels of shards (SPUBLISH) only those of
//! the channel's shard.
//!
//! Invariant: a client is listed under a channel exactly while its [`Subscriptions`] have it. Only
//! the connection writes to its socket: a message waits in the client's [`Mailbox`].

mod mailbox;
mod spread;
mod subscriptions;

use std::collections::BTreeMap;
use std::sync::Arc;

use keyspace::glob;
use parking_lot::RwLock;

pub use mailbox::{Mailbox, Message};
pub use spread::Spread;
pub use subscriptions::Subscriptions;

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A channel by its name.
    Channel,
    /// All channels whose names match a glob.
    Pattern,
    /// A channel that belongs to a shard.
    Shard,
}

impl Kind {
    /// All kinds, in the order in which a client that leaves is taken off the lists.
    pub const ALL: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];
}

/// Who listens to one name, by client id, which is the order in which they connected.
type Listeners = BTreeMap<u64, Arc<Mailbox>>;

/// The subscriptions of this node's clients.
#[derive(Default)]
pub struct PubSub {
    /// By [`Kind`], then by name.
    lists: RwLock<[BTreeMap<Vec<u8>, Listeners>; 3]>,
}

impl PubSub {
    /// Lists a client; whether it was not listed yet.
    pub fn add(&self, kind: Kind, name: &[u8], mailbox: &Arc<Mailbox>) -> bool {
        let mut lists = self.lists.write();
        let listeners = lists[kind as usize].entry(name.to_vec()).or_default();
        listeners.insert(mailbox.client_id(), Arc::clone(mailbox)).is_none()
    }

    /// Takes a client off a list.
    pub fn remove(&self, kind: Kind, name: &[u8], client: u64) {
        let mut lists = self.lists.write();
        let list = &mut lists[kind as usize];
        if let Some(listeners) = list.get_mut(name) {
            listeners.remove(&client);
            if listeners.is_empty() {
                list.remove(name);
            }
        }
    }

    /// Gives a message to this node's listeners; how many they are. One who listens in several
    /// ways gets it as often.
    pub fn publish(&self, kind: Kind, channel: &[u8], message: &[u8]) -> usize {
        let lists = self.lists.read();
        let mut receivers = 0;
        if let Some(listeners) = lists[kind as usize].get(channel) {
            let message = Message::to_channel(kind, channel, message);
            receivers += listeners.len();
            listeners.values().for_each(|mailbox| mailbox.put(&message));
        }
        if kind == Kind::Channel {
            for (pattern, listeners) in &lists[Kind::Pattern as usize] {
                if glob::matches(pattern, channel) {
                    let message = Message::to_pattern(pattern, channel, message);
                    receivers += listeners.len();
                    listeners.values().for_each(|mailbox| mailbox.put(&message));
                }
            }
        }
        receivers
    }

    /// Names that have listeners, of those that match.
    pub fn names(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let lists = self.lists.read();
        let names = lists[kind as usize].keys();
        names
            .filter(|name| pattern.is_none_or(|pattern| glob::matches(pattern, name)))
            .cloned()
            .collect()
    }

    /// How many listen to a name.
    pub fn listeners(&self, kind: Kind, name: &[u8]) -> usize {
        self.lists.read()[kind as usize].get(name).map_or(0, BTreeMap::len)
    }

    /// How many names have listeners.
    pub fn count(&self, kind: Kind) -> usize {
        self.lists.read()[kind as usize].len()
    }
}
