//! Every other node's address, and a connection to it.

use tonic::transport::Channel;

use crate::{NodeId, Trouble};

/// The address book with its connections; cheap to clone, shared by all groups of a node.
#[derive(Clone)]
pub struct Peers {}

impl Peers {
    /// An empty book of the node `node` of `cluster`.
    pub fn new(cluster: &str, node: NodeId) -> Peers {
        let _ = (cluster, node);
        todo!()
    }

    /// Sets or changes a peer's address, `host:port`. Connections to an old address end when the
    /// calls on them do.
    pub fn set(&self, node: NodeId, address: &str) -> Result<(), Trouble> {
        let _ = (node, address);
        todo!()
    }

    /// A peer's address.
    pub fn address(&self, node: NodeId) -> Option<String> {
        let _ = node;
        todo!()
    }

    /// A connection to a peer for other services than Raft, which has its own, so that neither
    /// waits behind the other's bytes. Connects when first used, again when broken.
    pub fn channel(&self, node: NodeId) -> Option<Channel> {
        let _ = node;
        todo!()
    }
}
