//! Differentiable image operations for candle: exact gradients, fast kernels.

mod axis;
mod batch_norm;
mod binary_cross_entropy;
mod conv;
mod cpu;
mod cross_entropy;
mod dropout;
mod implementation;
mod log_cosh;
mod parallel;
mod pool;
mod reduction;
mod relu;
mod run;
mod separable;
mod sigmoid;
mod softmax;
#[cfg(test)]
mod testing;
mod upsample;

pub use batch_norm::{BatchStatistics, batch_norm, batch_norm_inference};
pub use binary_cross_entropy::binary_cross_entropy;
pub use conv::{Conv2dConfig, ConvTranspose2dConfig, Padding, conv_transpose2d, conv2d};
pub use cross_entropy::{CrossEntropyConfig, cross_entropy};
pub use dropout::dropout;
pub use implementation::{Implementation, with_implementation};
pub use log_cosh::log_cosh;
pub use pool::{
    AvgPool2dConfig, MaxPool2dConfig, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d,
    global_avg_pool2d, max_pool2d,
};
pub use reduction::Reduction;
pub use relu::relu;
pub use sigmoid::sigmoid;
pub use softmax::{log_softmax, softmax};
pub use upsample::{Alignment, upsample_bilinear2d, upsample_nearest2d};
