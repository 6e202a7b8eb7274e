//! The ring, the topology and the admin protocol. Pure, but for the admin gRPC.

mod address;
pub mod admin;
pub mod ring;
pub mod topology;

pub use address::{Address, BadAddress};
