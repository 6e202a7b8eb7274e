//! Whole groups: real logs in temporary directories, real gRPC over loopback.

// What fails in a test's helper fails the test.
#![allow(clippy::unwrap_used)]

mod elections;
mod harness;
mod machine;
mod network;
mod reads;
mod recovery;
mod replication;
mod snapshots;
