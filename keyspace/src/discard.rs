//! What writes leave behind: freed here if it is small, else handed to whoever frees it elsewhere.
//!
//! To free a set of a million members takes some ten milliseconds, in which a shard would answer
//! nobody. Freeing changes no state, so it need not happen in order.

use std::sync::OnceLock;

use crate::packed::Packed;
use crate::table::Table;

/// Keys that take more than this are freed elsewhere: below, freeing takes less time than to wake
/// another thread.
const KEY_BYTES_MAX: usize = 64 << 10;

/// Keys or whole slots that nobody can see any more. Dropping it frees them.
pub struct Discarded(#[expect(dead_code, reason = "held only to be dropped")] Contents);

#[expect(dead_code, reason = "held only to be dropped")]
enum Contents {
    Key(Packed),
    Slots(Vec<Table>),
}

/// Where large discarded things go.
#[derive(Default)]
pub(crate) struct Discards(OnceLock<Box<dyn Fn(Discarded) + Send + Sync>>);

impl Discards {
    /// Sends what is large to `sink` from now on; only the first call counts.
    pub(crate) fn to(&self, sink: Box<dyn Fn(Discarded) + Send + Sync>) {
        // A second sink would be a mistake without consequences.
        let _ = self.0.set(sink);
    }

    /// Gives up a key.
    pub(crate) fn key(&self, packed: Packed) {
        if let Some(sink) = self.0.get()
            && packed.heap_bytes() > KEY_BYTES_MAX
        {
            sink(Discarded(Contents::Key(packed)));
        }
    }

    /// Gives up what flushed slots held.
    pub(crate) fn slots(&self, tables: Vec<Table>) {
        if let Some(sink) = self.0.get()
            && !tables.is_empty()
        {
            sink(Discarded(Contents::Slots(tables)));
        }
    }
}
