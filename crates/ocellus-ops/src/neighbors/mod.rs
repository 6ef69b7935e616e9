mod composed;
mod cpu;
mod nearest;
#[cfg(test)]
mod tests;

pub use nearest::{Neighbors, nearest_neighbors};
