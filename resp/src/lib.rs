//! Bytes to requests, and replies to bytes, in RESP2 and RESP3. No I/O.
//!
//! A server uses [`Parser`] for what clients send and [`Reply`] for what they are answered; a
//! client uses [`encode_request`] and [`ReplyDecoder`].
//!
//! Left out: sockets, what a command means, and RESP3's streamed types (`$?`, `*?`), which no
//! Redis sends.

mod client;
mod double;
mod inline;
mod number;
mod parser;
mod reply;

pub use client::{DecodeError, REPLY_DEPTH_MAX, ReplyDecoder, Value, encode_request};
pub use double::DoubleText;
pub use parser::{
    ARGS_MAX, ArgVec, BULK_BYTES_MAX, INLINE_BYTES_MAX, Limits, Parser, ProtocolError,
    UNAUTHENTICATED_ARGS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX,
};
pub use reply::{
    Protocol, Reply, encode_array_header, encode_map_header, encode_push_header, encode_set_header,
};
