//! Batch normalization: training with the batch's statistics, inference with given ones.

mod composed;
mod kernel;
mod norm;
mod statistics;

pub use norm::{batch_norm, batch_norm_inference};
pub use statistics::BatchStatistics;

#[cfg(test)]
mod tests;
