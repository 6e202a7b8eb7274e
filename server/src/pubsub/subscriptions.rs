//! What one client listens to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Kind, Mailbox, PubSub};
use crate::session::Client;
use crate::settings::Settings;

/// Channels and patterns of one client; it is taken off all lists when this is dropped.
pub struct Subscriptions {
    pubsub: Arc<PubSub>,
    client: Arc<Client>,
    mailbox: Arc<Mailbox>,
    /// By [`Kind`].
    names: [BTreeSet<Vec<u8>>; 3],
}

impl Subscriptions {
    /// None yet.
    pub fn new(pubsub: Arc<PubSub>, client: Arc<Client>, settings: Arc<Settings>) -> Subscriptions {
        let mailbox = Mailbox::new(Arc::clone(&client), settings);
        Subscriptions { pubsub, client, mailbox, names: Default::default() }
    }

    /// Where messages arrive.
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Listens to a name, unless it does already.
    pub fn add(&mut self, kind: Kind, name: &[u8]) {
        if self.names[kind as usize].insert(name.to_vec()) {
            self.pubsub.add(kind, name, &self.mailbox);
            self.note(kind);
        }
    }

    /// Listens to a name no longer.
    pub fn remove(&mut self, kind: Kind, name: &[u8]) {
        if self.names[kind as usize].remove(name) {
            self.pubsub.remove(kind, name, self.client.id);
            self.note(kind);
        }
    }

    /// The names of one kind, in order.
    pub fn names(&self, kind: Kind) -> Vec<Vec<u8>> {
        self.names[kind as usize].iter().cloned().collect()
    }

    /// What SUBSCRIBE and its kin count: channels and patterns, or channels of shards.
    pub fn count(&self, kind: Kind) -> usize {
        let len = |kind: Kind| self.names[kind as usize].len();
        match kind {
            Kind::Channel | Kind::Pattern => len(Kind::Channel) + len(Kind::Pattern),
            Kind::Shard => len(Kind::Shard),
        }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }

    fn note(&self, kind: Kind) {
        let len = u32::try_from(self.names[kind as usize].len()).unwrap_or(u32::MAX);
        let counter: &AtomicU32 = &self.client.subscriptions[kind as usize];
        counter.store(len, Ordering::Relaxed);
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for kind in Kind::ALL {
            for name in self.names(kind) {
                self.remove(kind, &name);
            }
        }
    }
}
