//! The `hostkin` program.

fn main() {}
