mod distance;
mod farthest;
mod greedy_coreset;

pub use greedy_coreset::{Coreset, CoresetSize, CoresetStart, GreedyCoreset};
