//! Black-box tests: what they start, how they talk to it, and what they count.
//!
//! Imports none of Ringfort's crates: the protocol client here is its own, so that a mistake in
//! ours is not made twice. Every process listens on free loopback ports, keeps its files in a
//! temporary folder and dies with the value that started it.

pub mod client;
pub mod cluster;
pub mod cluster_client;
pub mod load;
pub mod ports;
pub mod process;
pub mod random;
pub mod redis;
pub mod resp;
pub mod standalone;
pub mod table;
pub mod up;
pub mod wait;
pub mod words;
