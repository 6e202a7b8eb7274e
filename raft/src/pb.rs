//! What `cargo xtask gen` makes of `proto/raft.proto`.

#[path = "gen/ringfort.raft.v1.rs"]
mod v1;

pub(crate) use v1::*;
