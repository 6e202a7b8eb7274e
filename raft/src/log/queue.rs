//! Who writes when: the queue in front of the writer, and its thread.
//!
//! With [`Fsync::Always`] one thread takes everything that is queued, writes it, syncs once, and
//! fires the callbacks; what arrives meanwhile is the next batch. When nothing has to be synced,
//! handing a batch to a thread costs several times the write itself, so an append that fits into
//! the current segment as it is, is written by the caller; anything else (a vote, a new segment, a
//! growing file) goes to the thread, and everything behind it too until the thread has caught up.
//!
//! Lock order: queue, writer, group. Callbacks fire outside all of them.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use openraft::storage::IOFlushed;
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::writer::{Item, Op, Writer};
use super::{Files, Fsync, Groups, LogOptions, TICK, record, state};
use crate::disk::Disk;
use crate::types::TypeConfig;

/// Appends wait while more than this is queued: a disk slower than the network must not fill the
/// memory. Sixteen batches of the largest size a message may have.
const QUEUE_BYTES_MAX: usize = 16 << 20;

/// What a log's handles and its thread share.
pub(super) struct Shared {
    pub(super) options: LogOptions,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) files: Files,
    pub(super) groups: Groups,
    queue: Mutex<Queue>,
    /// Wakes the thread.
    wake: Condvar,
    /// Wakes appends that wait for room.
    room: Notify,
    writer: Mutex<Writer>,
    poison: OnceLock<Poison>,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// Something is queued that must not wait for a tick.
    urgent: bool,
    /// The thread is writing; whoever comes now must queue up behind it.
    busy: bool,
    /// The thread sleeps without a timeout, because there was nothing left to do at a tick.
    dormant: bool,
    closed: bool,
}

/// The first failure; nothing is written after it.
#[derive(Clone, Debug)]
struct Poison {
    kind: io::ErrorKind,
    text: String,
}

impl Poison {
    fn error(&self) -> io::Error {
        io::Error::new(self.kind, self.text.clone())
    }
}

impl Shared {
    pub(super) fn new(
        writer: Writer,
        disk: Arc<dyn Disk>,
        files: Files,
        groups: Groups,
        options: LogOptions,
    ) -> Self {
        Self {
            options,
            disk,
            files,
            groups,
            queue: Mutex::default(),
            wake: Condvar::new(),
            room: Notify::new(),
            writer: Mutex::new(writer),
            poison: OnceLock::new(),
        }
    }

    /// The failure that ended the log, if there was one.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.poison.get().map(Poison::error)
    }

    /// Waits until another append may be queued.
    pub(super) async fn wait_for_room(&self) -> io::Result<()> {
        while !self.has_room()? {
            let mut notified = std::pin::pin!(self.room.notified());
            // Registered before looking again, so that a wake-up in between is not lost.
            notified.as_mut().enable();
            if self.has_room()? {
                break;
            }
            notified.await;
        }
        Ok(())
    }

    fn has_room(&self) -> io::Result<bool> {
        match self.failure() {
            Some(error) => Err(error),
            None => Ok(self.queue.lock().bytes <= QUEUE_BYTES_MAX),
        }
    }

    /// Puts a request behind all others and sees to it that it is written. After an error it was
    /// not taken, and its callback is dropped.
    pub(super) fn submit(&self, item: Item) -> io::Result<()> {
        let mut queue = self.queue.lock();
        if queue.closed {
            return Err(io::Error::other("the log was closed"));
        }
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let bytes = item_bytes(&item);
        queue.bytes += bytes;
        // A mark is not worth a write of its own.
        let can_wait = matches!(item.op, Op::Committed(_));
        let is_append = matches!(item.op, Op::Append(_));
        queue.items.push_back(item);
        if can_wait {
            self.rouse_dormant(&mut queue);
        } else if !self.options.thread {
            let items = take(&mut queue);
            drop(queue);
            self.work(items);
        } else if is_append && self.options.fsync != Fsync::Always && !queue.busy && !queue.urgent {
            self.rouse_dormant(&mut queue);
            let mut writer = self.writer.lock();
            if writer.fits(queue.bytes as u64) {
                let items = take(&mut queue);
                let finish = self.write(&mut writer, items, false);
                drop(writer);
                drop(queue);
                finish.fire();
            } else {
                self.call_thread(&mut queue);
            }
        } else {
            self.call_thread(&mut queue);
        }
        Ok(())
    }

    /// What is done each second.
    pub(super) fn tick(&self) {
        let mut queue = self.queue.lock();
        queue.busy = true;
        let items = take(&mut queue);
        drop(queue);
        self.work(items);
        // From here on appends may be written by their callers again, during the sync too.
        self.queue.lock().busy = false;
        if self.options.fsync == Fsync::EverySec {
            self.sync_aside();
        }
        if !self.is_poisoned() {
            let marked = self.writer.lock().mark();
            if let Err(error) = marked {
                self.fail(error);
            }
        }
    }

    /// Accepts nothing more, and writes and syncs what is queued.
    pub(super) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.closed = true;
        self.wake.notify_one();
        drop(queue);
        if !self.options.thread {
            self.finish();
        }
    }

    fn finish(&self) {
        self.tick();
        if !self.is_poisoned() {
            let synced = self.writer.lock().sync();
            if let Err(error) = synced {
                self.fail(error);
            }
        }
    }

    fn call_thread(&self, queue: &mut Queue) {
        let was_urgent = std::mem::replace(&mut queue.urgent, true);
        if !was_urgent && !queue.busy {
            queue.dormant = false;
            self.wake.notify_one();
        }
    }

    /// Sees to it that there will be a tick.
    fn rouse_dormant(&self, queue: &mut Queue) {
        if std::mem::take(&mut queue.dormant) {
            self.wake.notify_one();
        }
    }

    /// Writes requests, syncs if one of them asks for it, and answers.
    fn work(&self, items: VecDeque<Item>) {
        let must_sync = |item: &Item| match item.op {
            Op::Vote(_) => true,
            Op::Append(_) => self.options.fsync == Fsync::Always,
            Op::Committed(_) | Op::Truncate(_) | Op::Purge(_) => false,
        };
        let sync = items.iter().any(must_sync);
        let mut writer = self.writer.lock();
        let finish = self.write(&mut writer, items, sync);
        drop(writer);
        // Before the housekeeping, for which nobody waits.
        finish.fire();
        if !self.is_poisoned() {
            let kept = self.writer.lock().keep_house();
            if let Err(error) = kept {
                self.fail(error);
            }
        }
    }

    fn write(&self, writer: &mut Writer, mut items: VecDeque<Item>, sync: bool) -> Finish {
        let result = match self.failure() {
            Some(error) => Err(error),
            None => writer.process(&mut items, sync),
        };
        let done = writer.take_done();
        let mut failed = Vec::new();
        if let Err(error) = result {
            failed = writer.take_failed();
            failed.extend(items.into_iter().filter_map(|item| item.done));
            self.fail(error);
        }
        Finish { done, failed, failure: self.poison.get().cloned() }
    }

    /// Syncs without keeping appends from being written meanwhile.
    fn sync_aside(&self) {
        let point = self.writer.lock().sync_point().filter(|_| !self.is_poisoned());
        let Some(point) = point else { return };
        match point.file.sync_data() {
            Ok(()) => self.writer.lock().synced(&point),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: io::Error) {
        let poison = Poison { kind: error.kind(), text: error.to_string() };
        if self.poison.set(poison).is_ok() {
            tracing::error!(%error, "the log failed and accepts nothing until a restart");
        }
        self.room.notify_waiters();
    }

    fn is_poisoned(&self) -> bool {
        self.poison.get().is_some()
    }

    /// Whether a tick would have nothing to do.
    fn is_quiet(&self, queue: &Queue) -> bool {
        let sync = self.options.fsync == Fsync::EverySec;
        queue.items.is_empty() && !self.writer.lock().has_leftovers(sync)
    }
}

/// Callbacks to be fired outside of all locks.
struct Finish {
    done: Vec<IOFlushed<TypeConfig>>,
    failed: Vec<IOFlushed<TypeConfig>>,
    failure: Option<Poison>,
}

impl Finish {
    fn fire(self) {
        for callback in self.done {
            callback.io_completed(Ok(()));
        }
        for callback in self.failed {
            let poison = self.failure.as_ref().expect("callbacks fail for a reason");
            callback.io_completed(Err(poison.error()));
        }
    }
}

/// Starts the thread that writes.
pub(super) fn spawn(shared: &Arc<Shared>) -> io::Result<std::thread::JoinHandle<()>> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || run(&shared))
}

fn run(shared: &Shared) {
    let mut next_tick = Instant::now() + TICK;
    loop {
        let mut queue = shared.queue.lock();
        queue.busy = false;
        while !queue.urgent && !queue.closed {
            if queue.dormant {
                shared.wake.wait(&mut queue);
                next_tick = Instant::now() + TICK;
            } else if shared.wake.wait_until(&mut queue, next_tick).timed_out() {
                break;
            }
        }
        if queue.closed {
            drop(queue);
            return shared.finish();
        }
        if queue.urgent {
            queue.busy = true;
            let items = take(&mut queue);
            drop(queue);
            shared.work(items);
            shared.room.notify_waiters();
        } else {
            drop(queue);
        }
        let now = Instant::now();
        if now >= next_tick {
            next_tick = now + TICK;
            shared.tick();
            let mut queue = shared.queue.lock();
            queue.dormant = !queue.urgent && (shared.is_quiet(&queue) || shared.is_poisoned());
        }
    }
}

fn take(queue: &mut Queue) -> VecDeque<Item> {
    queue.urgent = false;
    queue.bytes = 0;
    std::mem::take(&mut queue.items)
}

/// About what a request takes in memory and on the disk.
fn item_bytes(item: &Item) -> usize {
    match &item.op {
        Op::Append(entries) => entries.iter().map(state::memory_bytes).sum(),
        Op::Vote(_) | Op::Committed(_) | Op::Truncate(_) | Op::Purge(_) => record::HEADER_BYTES,
    }
}
