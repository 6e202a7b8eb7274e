//! Every other node's address, and connections to it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tonic::transport::{Channel, Endpoint};

use super::identity::Identity;
use super::limits;
use crate::{NodeId, Trouble};

/// The address book with its connections; cheap to clone, shared by all groups of a node.
#[derive(Clone)]
pub struct Peers {
    identity: Identity,
    book: Arc<RwLock<HashMap<NodeId, Peer>>>,
}

struct Peer {
    address: String,
    raft: Channel,
    other: Channel,
}

impl Peers {
    /// An empty book.
    pub fn new(identity: Identity) -> Peers {
        Peers { identity, book: Arc::default() }
    }

    /// Who calls: stamp requests on [`Peers::channel`] with it.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Sets or changes a peer's address, `host:port`. Calls under way on an old address go on.
    ///
    /// Must be called on a tokio runtime, which then carries the connections.
    pub fn set(&self, node: NodeId, address: &str) -> Result<(), Trouble> {
        let mut book = self.book.write();
        if book.get(&node).is_some_and(|peer| peer.address == address) {
            return Ok(());
        }
        let endpoint = endpoint(address)?;
        let peer = Peer {
            address: address.to_string(),
            raft: endpoint.connect_lazy(),
            other: endpoint.connect_lazy(),
        };
        book.insert(node, peer);
        Ok(())
    }

    /// A peer's address.
    pub fn address(&self, node: NodeId) -> Option<String> {
        self.book.read().get(&node).map(|peer| peer.address.clone())
    }

    /// A connection to a peer for other services than Raft, which has its own, so that neither
    /// waits behind the other's bytes. Connects when first used, and again when broken.
    pub fn channel(&self, node: NodeId) -> Option<Channel> {
        self.book.read().get(&node).map(|peer| peer.other.clone())
    }

    pub(crate) fn raft_channel(&self, node: NodeId) -> Option<Channel> {
        self.book.read().get(&node).map(|peer| peer.raft.clone())
    }
}

fn endpoint(address: &str) -> Result<Endpoint, Trouble> {
    let refused = |error: tonic::transport::Error| {
        Trouble::Refused(format!("the peer address {address:?} is not host:port: {error}"))
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(refused)?;
    Ok(endpoint
        .connect_timeout(limits::CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(limits::KEEPALIVE_INTERVAL)
        .keep_alive_timeout(limits::KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        // Every header literal: a tracer that joins late can decode all of them.
        .http2_header_table_size(0))
}

/// A tonic server with the limits that our clients count on; add services and serve.
pub fn peer_server() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(limits::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(limits::STREAMS_MAX)
        .http2_max_pending_accept_reset_streams(Some(limits::PENDING_RESETS_MAX))
}
