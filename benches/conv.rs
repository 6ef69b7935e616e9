//! Convolutions.
fn main() {}
