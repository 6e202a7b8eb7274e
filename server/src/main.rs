//! Ringfort, the server.
fn main() {}
