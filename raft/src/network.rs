//! The network between replicas: gRPC on long-lived connections, one for Raft to each peer.
//!
//! ```text
//! openraft --client--> Append: one long-lived stream per follower and group, pipelined --service--> openraft
//!                      Heartbeat, Vote, PreVote, TransferLeader: small calls beside it
//!                      Snapshot: a checkpoint, chunk by chunk
//! ```
//!
//! Every call names its cluster, sender and receiver (see `identity`), and whoever is not meant
//! refuses it before reading more. Left out: encryption; addresses are trusted until mTLS comes.

mod client;
mod identity;
mod limits;
mod peers;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use client::Network;
pub use identity::{Caller, Identity};
pub use peers::{Peers, peer_server};
pub use service::{Groups, service};
