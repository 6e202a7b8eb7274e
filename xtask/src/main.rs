//! Chores. 
fn main() {}
