//! The keyspace from outside: its commands, and what it promises about time, pins and replicas.

mod counts;
mod discards;
mod families;
mod generator;
mod hashes;
mod large;
mod moves;
mod payloads;
mod pins;
mod random_log;
mod replicas;
mod reply;
mod scans;
mod sets;
mod sorts;
mod stories;
mod streams;
mod threads;
mod time;
mod world;
mod zsets;
