//! Changes the keyspace's limits through the log: for CONFIG SET, and for what a configuration file
//! asks for once this node leads.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keyspace::limits::{LIMITS, Limit};
use resp::Reply;

use crate::node::Node;
use crate::router::{NO_LEADER, TaskDesk, execute};
use crate::segment::Segment;

/// Between two looks whether this node leads.
const LOOK: Duration = Duration::from_millis(20);

/// Writes the limits into this node's shard's log, wherever its leader is, and returns its answer.
pub(crate) async fn propose(node: &Arc<Node>, limits: &[(Limit, i64)]) -> Reply<'static> {
    let mut words: Vec<Vec<u8>> = vec![b"ringfort.limits".to_vec()];
    for (limit, value) in limits {
        words.push(LIMITS[*limit as usize].name.as_bytes().to_vec());
        words.push(value.to_string().into_bytes());
    }
    let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    let mut segment = Box::<Segment>::default();
    segment.write(0, &args, false);
    let segment = execute(node, &TaskDesk, node.shard, segment).await;
    if segment.out.as_ref() == b"+OK\r\n" {
        return Reply::OK;
    }
    let text = String::from_utf8_lossy(&segment.out);
    let text = text.trim_end().trim_start_matches('-');
    Reply::Error(if text.is_empty() { NO_LEADER.into() } else { text.to_owned().into() })
}

/// Sets what the configuration asks for, once, when this node first leads. Whoever changed a limit
/// since by CONFIG SET is overruled by a node that restarts with another in its file, as in Redis.
pub(crate) async fn configured(node: Weak<Node>) {
    loop {
        let Some(node) = node.upgrade() else { return };
        let wanted = node.config.settings.limits();
        if wanted.is_empty() {
            return;
        }
        if node.group.lease_valid() {
            let in_force = node.keyspace.limits();
            let missing = wanted.iter().any(|(limit, value)| in_force.get(*limit) != *value);
            if !missing {
                return;
            }
            let reply = propose(&node, &wanted).await;
            if reply == Reply::OK {
                return;
            }
            tracing::warn!(?reply, "the configured limits were not set yet");
        }
        drop(node);
        tokio::time::sleep(LOOK).await;
    }
}
