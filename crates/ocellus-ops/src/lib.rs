//! Differentiable image operations for candle: exact gradients, fast kernels.

mod conv;
#[allow(dead_code, unused_imports, reason = "shared by kernels that are still to come")]
mod cpu;
mod implementation;

pub use conv::{Conv2dConfig, ConvTranspose2dConfig, Padding, conv_transpose2d, conv2d};
pub use implementation::{Implementation, with_implementation};
