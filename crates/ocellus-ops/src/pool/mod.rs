//! Pooling over the height and width of `(batch, channels, height, width)` tensors.

mod adaptive;
mod average;
mod config;
mod global;
mod max;
mod window;

#[cfg(all(test, target_os = "linux"))]
pub(crate) use window::Span;
#[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
pub(crate) use {
    average::{AvgPool, SmallAvgPool},
    global::GlobalAvgPool,
    max::MaxPool,
    window::Windows,
};

pub use adaptive::{adaptive_avg_pool2d, adaptive_max_pool2d, global_avg_pool2d};
pub use average::avg_pool2d;
pub use config::{AvgPool2dConfig, AvgPooling, MaxPool2dConfig, MaxPooling, Pool2dConfig};
pub use max::max_pool2d;
