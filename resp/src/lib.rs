//! Bytes to requests, and replies to bytes, in RESP2 and RESP3. No I/O.

mod parser;
mod reply;

pub use parser::{ArgVec, Limits, Parser, ProtocolError};
pub use reply::{Protocol, Reply};
