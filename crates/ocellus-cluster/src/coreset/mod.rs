mod beginning;
mod distance;
mod farthest;
mod greedy_coreset;

pub use beginning::CoresetBeginning;
pub use greedy_coreset::{Coreset, CoresetSize, CoresetStart, GreedyCoreset};
