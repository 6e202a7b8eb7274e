//! Messages on their way to one client.
//!
//! Bounded by `client-output-buffer-limit pubsub`: a client that does not read is closed, since
//! its publishers must not wait for it and memory must not grow.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use resp::{Protocol, Reply};
use tokio::sync::Notify;

use super::Kind;
use crate::session::Client;
use crate::settings::{OutputClass, Settings};

/// A published message, encoded once for all who get it.
pub struct Message {
    parts: Vec<Bytes>,
    resp2: OnceLock<Bytes>,
    resp3: OnceLock<Bytes>,
}

impl Message {
    /// For those who listen to the channel.
    pub fn to_channel(kind: Kind, channel: &[u8], message: &[u8]) -> Message {
        let word: &[u8] = if kind == Kind::Shard { b"smessage" } else { b"message" };
        Message::of(&[word, channel, message])
    }

    /// For those who listen to a pattern that the channel matches.
    pub fn to_pattern(pattern: &[u8], channel: &[u8], message: &[u8]) -> Message {
        Message::of(&[b"pmessage", pattern, channel, message])
    }

    fn of(parts: &[&[u8]]) -> Message {
        let parts = parts.iter().map(|part| Bytes::copy_from_slice(part)).collect();
        Message { parts, resp2: OnceLock::new(), resp3: OnceLock::new() }
    }

    fn encoded(&self, protocol: Protocol) -> Bytes {
        let cell = match protocol {
            Protocol::Resp2 => &self.resp2,
            Protocol::Resp3 => &self.resp3,
        };
        let encode = || {
            let mut out = BytesMut::new();
            let parts = self.parts.iter().map(|part| Reply::Bulk(part.as_ref().into()));
            Reply::Push(parts.collect()).encode(protocol, &mut out);
            out.freeze()
        };
        cell.get_or_init(encode).clone()
    }
}

/// See the module's documentation.
pub struct Mailbox {
    client: Arc<Client>,
    settings: Arc<Settings>,
    arrived: Notify,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    bytes: u64,
    /// Since when the soft limit is passed.
    over_since: Option<Instant>,
    /// The limit was passed: nothing is kept any more.
    closed: bool,
}

impl Mailbox {
    /// The mailbox of a client.
    pub fn new(client: Arc<Client>, settings: Arc<Settings>) -> Arc<Mailbox> {
        let (arrived, waiting) = (Notify::new(), Mutex::default());
        Arc::new(Mailbox { client, settings, arrived, waiting })
    }

    /// Whose it is.
    pub fn client_id(&self) -> u64 {
        self.client.id
    }

    /// Adds a message, or closes a client that has too many waiting.
    pub fn put(&self, message: &Message) {
        let resp3 = self.client.resp.load(Ordering::Relaxed) == 3;
        let bytes = message.encoded(if resp3 { Protocol::Resp3 } else { Protocol::Resp2 });
        let limit = self.settings.output_limit(OutputClass::Pubsub);
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return;
        }
        waiting.bytes += bytes.len() as u64;
        let over_soft = limit.soft_bytes > 0 && waiting.bytes > limit.soft_bytes;
        let since = over_soft.then(|| *waiting.over_since.get_or_insert_with(Instant::now));
        waiting.over_since = since;
        let patience = Duration::from_secs(limit.soft_seconds);
        let too_long = since.is_some_and(|since| since.elapsed() > patience);
        if too_long || (limit.hard_bytes > 0 && waiting.bytes > limit.hard_bytes) {
            *waiting = Waiting { closed: true, ..Waiting::default() };
            drop(waiting);
            tracing::warn!(client = self.client.id, "closed a subscriber that does not read");
            self.client.kill();
            return;
        }
        waiting.messages.push_back(bytes);
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Waits until a message may be there.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes waiting messages, up to about `bytes_max`, in order; whether there are more.
    pub fn take(&self, out: &mut BytesMut, bytes_max: usize) -> bool {
        let mut waiting = self.waiting.lock();
        while out.len() < bytes_max
            && let Some(message) = waiting.messages.pop_front()
        {
            waiting.bytes -= message.len() as u64;
            out.extend_from_slice(&message);
        }
        if waiting.messages.is_empty() {
            waiting.over_since = None;
            // A burst's room is not kept for the next.
            waiting.messages = VecDeque::new();
        }
        !waiting.messages.is_empty()
    }
}
