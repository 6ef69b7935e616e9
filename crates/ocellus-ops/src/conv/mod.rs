mod algorithm;
mod composed;
mod config;
mod conv2d;
mod conv_transpose2d;
mod cpu;
mod direct;
mod epilogue;
mod geometry;
mod op;
mod packed;
mod pointwise;
mod product;
#[cfg(test)]
mod tests;
mod tf32;
mod vectors;
mod weights;
mod winograd;

pub(crate) use conv2d::checked;
#[cfg(all(test, target_os = "linux"))]
pub(crate) use cpu::grad_input;
pub(crate) use cpu::{add_grad_input, forward, grad_input_gated, grad_weight};
pub(crate) use direct::grad_bias;
pub(crate) use epilogue::Epilogue;
pub(crate) use geometry::Geometry;
pub(crate) use op::ConvOp;
#[cfg(any(feature = "cuda", test))]
pub(crate) use tf32::tf32_is_allowed;
pub(crate) use weights::Weights;

pub use algorithm::{ConvAlgorithm, with_conv_algorithm};
pub use config::{Conv2dConfig, ConvTranspose2dConfig, Padding};
pub use conv_transpose2d::{conv_transpose2d, conv_transpose2d_relu};
pub use conv2d::{conv2d, conv2d_relu};
pub use packed::PackedConv2d;
pub use tf32::with_tf32;
