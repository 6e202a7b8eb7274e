//! Tests of the crate from outside.

mod admin_client;
