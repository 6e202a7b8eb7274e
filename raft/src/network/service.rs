//! The receiving side.

use crate::{Group, GroupId};

/// The groups a node hosts, by id; cheap to clone.
#[derive(Clone)]
pub struct Groups {}

impl Groups {
    /// No groups yet, on the node `node` of `cluster`.
    pub fn new(cluster: &str, node: crate::NodeId) -> Groups {
        let _ = (cluster, node);
        todo!()
    }

    /// Makes a group reachable for its peers.
    pub fn insert(&self, group: &Group) {
        let _ = group;
        todo!()
    }

    /// A group.
    pub fn get(&self, group: GroupId) -> Option<Group> {
        let _ = group;
        todo!()
    }
}

/// The gRPC service through which peers reach `groups`; for a tonic `Router`.
pub fn service(groups: Groups) -> tonic::service::Routes {
    let _ = groups;
    todo!()
}
