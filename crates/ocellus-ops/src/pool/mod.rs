//! Pooling over the height and width of `(batch, channels, height, width)` tensors.

mod adaptive;
mod average;
mod config;
mod global;
mod max;
mod window;

pub use adaptive::{adaptive_avg_pool2d, adaptive_max_pool2d, global_avg_pool2d};
pub use average::avg_pool2d;
pub use config::{AvgPool2dConfig, AvgPooling, MaxPool2dConfig, MaxPooling, Pool2dConfig};
pub use max::max_pool2d;
