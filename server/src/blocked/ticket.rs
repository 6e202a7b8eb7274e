//! What a waiting client holds: the mark of its segment, and the ticket by which others see that
//! it waits and end its wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use keyspace::{Block, Run};
use parking_lot::Mutex;
use resp::Reply;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What a blocked client reads when the node it waited at leads no more, or stops.
pub const UNBLOCKED: &str = "UNBLOCKED force unblock from blocking operation, instance state \
     changed (master -> replica?)";

/// What a client reads that CLIENT UNBLOCK ended the wait of.
const UNBLOCKED_BY_CLIENT: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// The mark of a segment whose one command may wait.
pub struct Blocking {
    /// Shared with who waits.
    pub ticket: Arc<Ticket>,
    /// When the wait is over; `None`: never.
    pub deadline: Option<Instant>,
    /// The command's way to wait.
    pub block: &'static Block,
}

impl Blocking {
    /// The mark of a command that waits for `timeout_ms` from now, 0 for ever.
    pub fn new(ticket: Arc<Ticket>, block: &'static Block, timeout_ms: u64) -> Blocking {
        let timeout = (timeout_ms > 0).then_some(Duration::from_millis(timeout_ms));
        // A time past the clock's range is for ever too.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Blocking { ticket, deadline, block }
    }

    /// Milliseconds until the deadline, at least one; 0: there is none.
    pub fn left_ms(&self) -> u64 {
        let Some(deadline) = self.deadline else { return 0 };
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        u64::try_from(left).unwrap_or(u64::MAX).max(1)
    }

    /// Whether attempts may change data: then one with an unknown outcome is not repeated.
    pub fn writes(&self) -> bool {
        matches!(self.block.run, Run::Write(_))
    }
}

/// Why a wait ends without an attempt's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Ending {
    /// Nobody reads the answer any more.
    Gone = 1,
    /// Its time is over, or CLIENT UNBLOCK says so.
    TimedOut = 2,
    /// CLIENT UNBLOCK ERROR.
    Unblocked = 3,
    /// The node stops.
    Stopping = 4,
}

impl Ending {
    fn from_number(number: u8) -> Option<Ending> {
        let all = [Ending::Gone, Ending::TimedOut, Ending::Unblocked, Ending::Stopping];
        all.into_iter().find(|ending| *ending as u8 == number)
    }

    /// What the client reads; `None`: nobody does.
    pub fn reply(self) -> Option<Reply<'static>> {
        match self {
            Ending::Gone => None,
            Ending::TimedOut => Some(Reply::NullArray),
            Ending::Unblocked => Some(Reply::error(UNBLOCKED_BY_CLIENT)),
            Ending::Stopping => Some(Reply::error(UNBLOCKED)),
        }
    }
}

/// Tells another node, whose client it is, that a request began to wait here.
#[derive(Debug)]
pub struct ParkedNote {
    /// The record to attempt from now on, if it is another one; else empty.
    pub later: Bytes,
}

/// One client's wait, wherever its segment is: in a batch, parked here, or at another node.
///
/// An ending is set once and stays; whoever holds the segment looks at it before going on, so it
/// takes effect wherever the segment is when it is set.
#[derive(Debug)]
pub struct Ticket {
    /// Unique in this process.
    pub id: u64,
    /// The number of the parked segment, 0 while it is not parked here. Changed under the
    /// registry's lock.
    pub(super) waiter: AtomicU64,
    /// Parked, here or at the leader.
    parked: AtomicBool,
    /// Parked at any time since this was last asked for.
    was_parked: AtomicBool,
    /// An [`Ending`], or 0.
    ending: AtomicU8,
    /// Told once when the segment is parked.
    note: Mutex<Option<oneshot::Sender<ParkedNote>>>,
}

impl Ticket {
    /// A ticket; `note` is told when its segment is parked here, and dropped with the ticket.
    pub(super) fn new(id: u64, note: Option<oneshot::Sender<ParkedNote>>) -> Arc<Ticket> {
        Arc::new(Ticket {
            id,
            waiter: AtomicU64::new(0),
            parked: AtomicBool::new(false),
            was_parked: AtomicBool::new(false),
            ending: AtomicU8::new(0),
            note: Mutex::new(note),
        })
    }

    /// Whether the client is blocked: there was nothing for it when its command was executed.
    pub fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Acquire)
    }

    /// Notes that the segment is parked, here or at the leader, or no longer.
    pub fn set_parked(&self, parked: bool) {
        self.parked.store(parked, Ordering::Release);
        if parked {
            self.was_parked.store(true, Ordering::Release);
        }
    }

    /// Whether the segment was parked since the last time this was asked.
    pub fn take_was_parked(&self) -> bool {
        self.was_parked.swap(false, Ordering::AcqRel)
    }

    /// Why the wait is to end, if it is.
    pub fn ending(&self) -> Option<Ending> {
        Ending::from_number(self.ending.load(Ordering::Acquire))
    }

    /// Asks for the wait to end. The first reason stays, but for that the client may go later.
    pub fn end(&self, ending: Ending) {
        let free =
            self.ending.compare_exchange(0, ending as u8, Ordering::AcqRel, Ordering::Acquire);
        if free.is_err() && ending == Ending::Gone {
            self.ending.store(ending as u8, Ordering::Release);
        }
    }

    /// Tells who wants to know that the segment is parked here.
    pub(super) fn tell_parked(&self, note: impl FnOnce() -> ParkedNote) {
        if let Some(sender) = self.note.lock().take() {
            // Nobody listens if the link broke: its end ends this wait too.
            let _ = sender.send(note());
        }
    }
}
