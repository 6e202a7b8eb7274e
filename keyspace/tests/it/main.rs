//! The keyspace from outside: its commands, and what it promises about time, pins and replicas.

mod families;
mod stories;
mod world;
