//! The first leader of a shard says which slots it was formed with.

use std::sync::Weak;
use std::time::Duration;

use cluster::migration::{SlotSet, Step};

use crate::node::Node;

/// Between two tries: about as long as an election takes.
const RETRY: Duration = Duration::from_millis(200);

/// Proposes the claim until one was applied, whenever this node leads.
pub async fn claim(node: Weak<Node>) {
    loop {
        let Some(node) = node.upgrade() else { return };
        if !node.clustered || node.slots.look(|group| group.is_claimed()) {
            return;
        }
        if node.group.leads() {
            let slots: SlotSet = (0..keyspace::slot::SLOTS)
                .filter(|slot| node.topology.owner(*slot) == node.shard)
                .collect();
            match node.group.propose(Step::Claim { slots }.encode().into()).await {
                Ok(_) => continue,
                Err(why) => tracing::debug!("the shard's slots are not claimed yet: {why}"),
            }
        }
        node.leader_changed(RETRY).await;
    }
}
