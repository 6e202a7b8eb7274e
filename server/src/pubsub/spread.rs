//! Carries what is published here to the cluster's other nodes.
//!
//! One stream per node, opened when there is something to carry. At most once: what does not fit
//! the queue, or is under way when a stream breaks, is lost, as on Redis' cluster bus.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use raft::{Identity, NodeId, Peers};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::Kind;
use crate::forward::proto::PublishRequest;
use crate::forward::proto::forward_client::ForwardClient;
use crate::forward::{MESSAGE_BYTES_MAX, stamped};

/// Messages that wait for one node.
const MESSAGES_MAX: usize = 4096;

/// Bytes that wait for one node, but for a single larger message.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// Between a stream that failed and the next: what is published meanwhile waits.
const BACKOFF: Duration = Duration::from_millis(200);

/// The streams to other nodes.
pub struct Spread {
    identity: Identity,
    peers: Peers,
    /// The runtime the streams live on; callers are on I/O threads.
    runtime: Handle,
    by_node: Mutex<HashMap<NodeId, Queue>>,
}

/// What waits for one node.
#[derive(Clone)]
struct Queue {
    messages: mpsc::Sender<PublishRequest>,
    bytes: Arc<AtomicUsize>,
}

impl Spread {
    /// Streams from the node `identity` to `peers`, run on `runtime`.
    pub fn new(identity: Identity, peers: Peers, runtime: Handle) -> Spread {
        Spread { identity, peers, runtime, by_node: Mutex::default() }
    }

    /// Sends a message on its way to other nodes.
    pub fn publish(
        &self,
        to: impl Iterator<Item = NodeId>,
        kind: Kind,
        channel: &[u8],
        message: &[u8],
    ) {
        let request = PublishRequest {
            channel: channel.to_vec().into(),
            message: message.to_vec().into(),
            shard: kind == Kind::Shard,
        };
        for node in to {
            self.queue(node).put(request.clone());
        }
    }

    fn queue(&self, node: NodeId) -> Queue {
        let mut by_node = self.by_node.lock();
        let start = || {
            let (sender, messages) = mpsc::channel(MESSAGES_MAX);
            let queue = Queue { messages: sender, bytes: Arc::default() };
            let carrier = Carrier {
                identity: self.identity.clone(),
                peers: self.peers.clone(),
                node,
                bytes: Arc::clone(&queue.bytes),
            };
            self.runtime.spawn(carrier.run(messages));
            queue
        };
        by_node.entry(node).or_insert_with(start).clone()
    }
}

fn size(message: &PublishRequest) -> usize {
    message.channel.len() + message.message.len()
}

impl Queue {
    fn put(&self, message: PublishRequest) {
        let bytes = size(&message);
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = before == 0 || before + bytes <= BYTES_MAX;
        if !room || self.messages.try_send(message).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            tracing::debug!("a published message was lost: a node takes no more");
        }
    }
}

/// The task that carries one queue.
struct Carrier {
    identity: Identity,
    peers: Peers,
    node: NodeId,
    bytes: Arc<AtomicUsize>,
}

impl Carrier {
    async fn run(self, mut messages: mpsc::Receiver<PublishRequest>) {
        while let Some(first) = messages.recv().await {
            if let Err(why) = self.carry(first, &mut messages).await {
                tracing::debug!(node = self.node, "publishing to a node ended: {why}");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }

    /// Carries messages until the stream breaks.
    async fn carry(
        &self,
        first: PublishRequest,
        messages: &mut mpsc::Receiver<PublishRequest>,
    ) -> Result<(), String> {
        self.bytes.fetch_sub(size(&first), Ordering::Relaxed);
        let channel = self.peers.channel(self.node).ok_or("no address is known")?;
        let mut client = ForwardClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let (sender, outgoing) = mpsc::channel(1);
        let bytes = Arc::clone(&self.bytes);
        let counted = ReceiverStream::new(outgoing).map(move |message: PublishRequest| {
            bytes.fetch_sub(size(&message), Ordering::Relaxed);
            message
        });
        let stream = tokio_stream::once(first).chain(counted);
        let mut call = std::pin::pin!(client.publish(stamped(&self.identity, self.node, stream)));
        loop {
            tokio::select! {
                ended = &mut call => {
                    return ended.map(|_| ()).map_err(|status| status.to_string());
                }
                room = sender.reserve() => {
                    let room = room.map_err(|_| "the stream ended")?;
                    tokio::select! {
                        ended = &mut call => {
                            return ended.map(|_| ()).map_err(|status| status.to_string());
                        }
                        message = messages.recv() => match message {
                            Some(message) => room.send(message),
                            None => return Ok(()),
                        },
                    }
                }
            }
        }
    }
}
