//! What can go wrong here, in the words an operator reads.

use std::io;
use std::path::PathBuf;

use crate::log::LogError;

/// Disk, identity or start-up trouble. Each message is a sentence that says what and where.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// An I/O error, with what was being done.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was being done, as a verb.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// How it failed.
        error: io::Error,
    },
    /// Bytes on disk that were not written like this: refused, never served.
    #[error("{0}; wipe this node's data directory and let it install from its peers")]
    Corrupt(String),
    /// The log cannot be opened.
    #[error("the log: {0}")]
    Log(String),
    /// The directory belongs to another cluster or node, or the address cannot be one.
    #[error("{0}")]
    Refused(String),
    /// openraft stopped, or would not start.
    #[error("the group stopped: {0}")]
    Stopped(String),
}

impl From<LogError> for Trouble {
    fn from(error: LogError) -> Trouble {
        Trouble::Log(error.to_string())
    }
}
