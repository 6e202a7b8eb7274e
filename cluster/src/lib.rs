//! The ring, the topology and the admin protocol. Pure, but for the admin gRPC.

pub mod ring;
