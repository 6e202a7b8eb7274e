//! Who calls whom: metadata on every call, checked before anything else of it is read.
//!
//! A node that was given another's address, or a process of another cluster on a port that was
//! ours, must not take part in a vote. Values are marked sensitive, which keeps them literal in
//! the HTTP/2 headers: a tracer that joins late can read them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tonic::Status;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

use crate::{GroupId, NodeId, Trouble};

const CLUSTER_KEY: &str = "ringfort-cluster";
const GROUP_KEY: &str = "ringfort-group";
const FROM_KEY: &str = "ringfort-from";
const TO_KEY: &str = "ringfort-to";

/// A stranger that retries must not fill the disk with log lines.
const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(1);

/// This node's place in the cluster; cheap to clone.
#[derive(Clone)]
pub struct Identity {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: String,
    cluster_value: AsciiMetadataValue,
    node: NodeId,
    node_value: AsciiMetadataValue,
    refusals: Mutex<Refusals>,
}

#[derive(Default)]
struct Refusals {
    logged_at: Option<Instant>,
    unlogged: u64,
}

/// Who made a call that was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The calling node.
    pub node: NodeId,
    /// The group the call is about, if it names one.
    pub group: Option<GroupId>,
}

impl Identity {
    /// The node `node` of `cluster`, whose name must be printable ASCII.
    pub fn new(cluster: &str, node: NodeId) -> Result<Identity, Trouble> {
        let cluster_value = sensitive(cluster).ok_or_else(|| {
            Trouble::Refused(format!("the cluster id {cluster:?} is not printable ASCII"))
        })?;
        let shared = Shared {
            cluster: cluster.to_string(),
            cluster_value,
            node,
            node_value: number(node),
            refusals: Mutex::default(),
        };
        Ok(Identity { shared: Arc::new(shared) })
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.shared.node
    }

    /// Marks a call to the node `to`, about a group if it is about one.
    pub fn stamp(&self, metadata: &mut MetadataMap, to: NodeId, group: Option<GroupId>) {
        metadata.insert(CLUSTER_KEY, self.shared.cluster_value.clone());
        metadata.insert(FROM_KEY, self.shared.node_value.clone());
        metadata.insert(TO_KEY, number(to));
        if let Some(group) = group {
            metadata.insert(GROUP_KEY, number(u64::from(group)));
        }
    }

    /// Admits a call of this cluster that is meant for this node; refuses and logs any other.
    pub fn admit(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        self.check(metadata).map_err(|what| {
            self.log_refusal(&what);
            Status::permission_denied(what)
        })
    }

    fn check(&self, metadata: &MetadataMap) -> Result<Caller, String> {
        let text = |key| metadata.get(key).and_then(|value| value.to_str().ok());
        let read = |key| text(key).and_then(|value| value.parse::<u64>().ok());
        let cluster = text(CLUSTER_KEY).ok_or("a call that names no cluster")?;
        let from = read(FROM_KEY).ok_or("a call that names no sender")?;
        if cluster != self.shared.cluster {
            // The stranger's bytes are quoted: they must not forge log lines.
            let ours = &self.shared.cluster;
            return Err(format!("node {from} is of cluster {cluster:?}, this is {ours:?}"));
        }
        let to = read(TO_KEY).ok_or("a call that names no receiver")?;
        if to != self.shared.node {
            return Err(format!("node {from} means node {to}, this is {}", self.shared.node));
        }
        if from == self.shared.node {
            return Err(format!("another process calls itself node {from}, as this one does"));
        }
        let group = match text(GROUP_KEY) {
            None => None,
            Some(group) => Some(group.parse().map_err(|_| "a call with a garbled group")?),
        };
        Ok(Caller { node: from, group })
    }

    fn log_refusal(&self, what: &str) {
        let mut refusals = self.shared.refusals.lock();
        let now = Instant::now();
        if refusals.logged_at.is_some_and(|at| now - at < REFUSAL_LOG_INTERVAL) {
            refusals.unlogged += 1;
            return;
        }
        tracing::warn!(more = refusals.unlogged, "refused a call on the peer port: {what}");
        *refusals = Refusals { logged_at: Some(now), unlogged: 0 };
    }
}

fn sensitive(text: &str) -> Option<AsciiMetadataValue> {
    let mut value: AsciiMetadataValue = text.parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn number(number: u64) -> AsciiMetadataValue {
    let mut value = AsciiMetadataValue::from(number);
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_this_cluster_to_this_node_are_admitted() {
        let here = Identity::new("c1", 1).unwrap();
        let refused = |from: &Identity, to| {
            let mut metadata = MetadataMap::new();
            from.stamp(&mut metadata, to, Some(4));
            here.admit(&metadata).unwrap_err().message().to_string()
        };
        let peer = Identity::new("c1", 2).unwrap();
        let mut metadata = MetadataMap::new();
        peer.stamp(&mut metadata, 1, Some(4));
        assert_eq!(here.admit(&metadata).unwrap(), Caller { node: 2, group: Some(4) });

        let stranger = Identity::new("c2", 2).unwrap();
        assert_eq!(refused(&stranger, 1), r#"node 2 is of cluster "c2", this is "c1""#);
        assert_eq!(refused(&peer, 3), "node 2 means node 3, this is 1");
        let twin = Identity::new("c1", 1).unwrap();
        assert_eq!(refused(&twin, 1), "another process calls itself node 1, as this one does");
        let nobody = here.admit(&MetadataMap::new()).unwrap_err();
        assert_eq!(nobody.message(), "a call that names no cluster");
        assert!(Identity::new("a\nb", 1).is_err());
    }
}
