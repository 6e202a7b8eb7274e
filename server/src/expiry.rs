//! The leader's expiry cycle: keys whose time is over are hidden at once by every read, and are
//! deleted by an entry of the log, so that every replica deletes the same keys at the same place.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::node::{Node, count, unix_ms};
use crate::router::{TaskDesk, lead};
use crate::segment::{Outcome, Segment};

/// Between two cycles, as Redis' `hz 10`.
const CYCLE: Duration = Duration::from_millis(100);

/// Keys deleted by one entry: some 50 KB of keys, well under a millisecond to apply.
const KEYS_PER_ENTRY: usize = 1000;

/// Entries in one cycle, so that a flood of expiries leaves room for clients: 200,000 keys/s.
const ENTRIES_PER_CYCLE: usize = 20;

/// Runs for as long as the node lives.
pub async fn run(node: Weak<Node>) {
    let mut cursor = 0;
    let mut ticks = tokio::time::interval(CYCLE);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(node) = node.upgrade() else { return };
        for _ in 0..ENTRIES_PER_CYCLE {
            if !node.group.lease_valid() || !delete_some(&node, &mut cursor).await {
                break;
            }
        }
    }
}

/// Deletes up to [`KEYS_PER_ENTRY`] keys; whether there may be more now.
async fn delete_some(node: &Arc<Node>, cursor: &mut u32) -> bool {
    let mut found: Vec<(u8, Vec<u8>)> = Vec::new();
    *cursor = node.keyspace.expired(unix_ms(), *cursor, KEYS_PER_ENTRY, &mut |db, key| {
        found.push((db, key.to_vec()));
    });
    if found.is_empty() {
        return false;
    }
    found.sort();
    let mut segment = Box::<Segment>::default();
    for of_one_db in found.chunk_by(|(a, _), (b, _)| a == b) {
        let mut args: Vec<&[u8]> = vec![b"ringfort.expire"];
        args.extend(of_one_db.iter().map(|(_, key)| &key[..]));
        segment.write(of_one_db[0].0, &args, true);
    }
    // What was not deleted is found again by the next cycle.
    if lead(node, &TaskDesk, segment).await.outcome == Outcome::Done {
        count(&node.stats.expired, found.len() as u64);
    }
    found.len() == KEYS_PER_ENTRY
}
