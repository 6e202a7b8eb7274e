//! Consistent hashing with bounded loads.

/// Largest weight of a shard.
pub const WEIGHT_MAX: u32 = 1_000_000;
