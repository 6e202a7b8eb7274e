//! The log's tests.

mod suite;
