//! The thread that frees what the keyspace discards: large collections, flushed databases.

use std::io;
use std::sync::mpsc::{TrySendError, sync_channel};

use keyspace::Keyspace;

/// Discarded things that wait to be freed; what comes past it is freed by the thread that
/// discarded it, so that memory in this queue is bounded by how fast writes can discard.
const WAITING_MAX: usize = 1024;

/// Starts the thread; it ends with the keyspace.
pub fn start(keyspace: &Keyspace) -> io::Result<()> {
    let (sender, receiver) = sync_channel(WAITING_MAX);
    std::thread::Builder::new().name("free".into()).spawn(move || {
        while let Ok(discarded) = receiver.recv() {
            drop(discarded);
        }
    })?;
    keyspace.discard_to(move |discarded| match sender.try_send(discarded) {
        Ok(()) => {}
        Err(TrySendError::Full(discarded) | TrySendError::Disconnected(discarded)) => {
            drop(discarded);
        }
    });
    Ok(())
}
