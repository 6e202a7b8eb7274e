//! Consistent hashing with bounded loads.
