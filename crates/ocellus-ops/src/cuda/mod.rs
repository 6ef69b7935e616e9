//! Kernels for GPUs: text in `kernels/`, compiled by NVRTC when it is first needed.
//!
//! Everything but the launch itself is the same for a GPU and for the emulation by which tests run
//! the kernels on the processor.

#[cfg(any(feature = "cuda", test))]
mod buffers;
mod conv;
mod cross_entropy;
#[cfg(feature = "cuda")]
mod device;
mod elementwise;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod emulator;
mod farthest;
mod flow;
mod launch;
mod linear;
mod loss;
mod lovasz;
mod machine;
#[cfg(feature = "cuda")]
mod mirror;
mod neighbors;
mod node;
mod norm;
#[cfg(all(test, target_os = "linux"))]
mod nvrtc;
#[cfg(feature = "cuda")]
mod open;
mod pool;
mod program;
mod resample;
#[cfg(all(test, target_os = "linux"))]
mod search_tests;
mod softmax;
mod source;
mod table;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod unary;
#[cfg(feature = "cuda")]
mod upload;
mod whiten;

pub(crate) use conv::{convolution, convolves};
pub(crate) use cross_entropy::cross_entropy;
pub(crate) use elementwise::{concat, leading_channels};
pub(crate) use farthest::farthest_points;
pub(crate) use flow::coupling;
pub(crate) use linear::linear;
pub(crate) use machine::{Argument, Machine};
#[cfg(feature = "cuda")]
pub(crate) use mirror::mirror;
#[cfg(test)]
pub(crate) use neighbors::FORCED_BLOCKS;
pub(crate) use neighbors::{MOST_NEIGHBORS, nearest_neighbors};
pub(crate) use norm::Normalize;
#[cfg(feature = "cuda")]
pub(crate) use open::open;
pub(crate) use program::update;
pub(crate) use unary::{OnGpu, apply};
#[cfg(feature = "cuda")]
pub(crate) use upload::upload;
pub(crate) use whiten::whiten_packed;
