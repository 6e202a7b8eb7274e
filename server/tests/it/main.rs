//! Tests of the program from outside: how it starts, what it tells operators and probes, and what
//! `ringfort up` does with its processes. What clients see is `compat-tests`' matter.

// What fails in a test's helper fails the test.
#![allow(clippy::unwrap_used)]

mod connect;
mod http;
mod program;
mod startup;
mod up;
