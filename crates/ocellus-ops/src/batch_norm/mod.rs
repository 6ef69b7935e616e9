//! Batch normalization: training with the batch's statistics, inference with given ones; alone, or
//! with the sum and the ReLU that follow it in one.

mod arguments;
mod backward;
mod blocks;
mod channel;
mod composed;
mod kernel;
mod norm;
mod statistics;

pub use norm::{batch_norm, batch_norm_inference, batch_norm_inference_relu, batch_norm_relu};
pub use statistics::BatchStatistics;

#[cfg(test)]
mod tests;
