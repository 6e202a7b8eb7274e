//! The ring, the topology, how slots move, and the admin protocol. Pure, but for the admin gRPC.

mod address;
pub mod admin;
pub mod migration;
pub mod ring;
pub mod topology;

pub use address::{Address, BadAddress};
