//! The network between replicas: gRPC over long-lived connections.

mod peers;
mod service;

pub use peers::Peers;
pub use service::{Groups, service};
