//! Ringfort from outside: what clients see, beside a real Redis, and under faults.

mod blocking;
mod cluster;
mod comparison;
mod faults;
mod pubsub;
