//! The log's tests: openraft's suite, crashes at every operation, damage, failures, reading back.

mod crash;
mod damage;
mod failure;
mod reading;
mod script;
mod suite;
