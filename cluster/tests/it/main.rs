//! Tests of the crate from outside.

// What fails in a test's helper fails the test.
#![allow(clippy::unwrap_used)]

mod admin_client;
mod moves;
