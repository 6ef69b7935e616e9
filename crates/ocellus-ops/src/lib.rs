//! Differentiable image operations for candle: exact gradients, fast kernels.
//!
//! ```
//! use candle_core::{DType, Device, Tensor, Var};
//! use ocellus_ops::{Conv2dConfig, MaxPool2dConfig, conv2d, max_pool2d, relu};
//!
//! let x = Tensor::ones((1, 3, 8, 8), DType::F32, &Device::Cpu)?;
//! let weight = Var::ones((4, 3, 3, 3), DType::F32, &Device::Cpu)?;
//! let y = relu(&conv2d(&x, &weight, None, &Conv2dConfig::default().with_padding(1))?)?;
//! let y = max_pool2d(&y, &MaxPool2dConfig::new(2))?;
//! assert_eq!(y.dims(), [1, 4, 4, 4]);
//! let gradients = y.sum_all()?.backward()?;
//! assert!(gradients.get(&weight).is_some());
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Operation | What it computes |
//! | --- | --- |
//! | [`conv2d`], [`conv_transpose2d`] | convolution and its transpose: any stride, padding, dilation, groups |
//! | [`conv2d_relu`] | convolution and ReLU in one |
//! | [`max_pool2d`], [`avg_pool2d`] | the maximum or mean of windows |
//! | [`adaptive_max_pool2d`], [`adaptive_avg_pool2d`], [`global_avg_pool2d`] | the same of bins, for a given output size |
//! | [`upsample_nearest2d`], [`upsample_bilinear2d`] | resizing, with the [`Alignment`] of PyTorch or TensorFlow 1 |
//! | [`batch_norm`], [`batch_norm_inference`] | normalization per channel, and the [`BatchStatistics`] |
//! | [`batch_norm_relu`], [`batch_norm_inference_relu`] | normalization, sum with a residual and ReLU in one |
//! | [`linear()`] | a linear map of the last dimension |
//! | [`relu`], [`sigmoid`], [`softmax`], [`log_softmax`] | activations |
//! | [`concat()`] | two tensors, one behind the other |
//! | [`coupling()`], [`network_couplings`], [`leading_channels`], [`normal_log_density`] | normalizing flows: affine coupling with its log-determinant, alone or many with their networks, what those see, the density |
//! | [`dropout`], [`dropout_slice`] | dropout whose mask is a function of a seed |
//! | [`cross_entropy`], [`binary_cross_entropy`], [`log_cosh`] | losses of logits and errors, with a [`Reduction`] |
//! | [`soft_overlap`], [`focal`], [`lovasz`] | what segmentation losses are made of: soft counts, hard pixels first, the Lovász extension |
//! | [`nearest_neighbors`], [`farthest_points`], [`whiten_packed`] | searches and distances, without gradients: the nearest rows of a bank, points that cover all others, Mahalanobis distances at many places |
//! | [`add_gram_packed`], [`cholesky_packed`], [`solve_packed`] | many small symmetric matrices, on slices: covariances and systems of each place |
//! | [`backward`] | candle's gradients of all this, faster |
//! | [`cuda_device`], [`filled_tensor`] | a GPU for programs of several threads, and values on their way there |
//! | [`update_recorded`] | an optimizer's arithmetic in one pass on CUDA |
//!
//! Each takes f32, f64, f16 and bf16 tensors of any layout, and exists three times: as a kernel for
//! the CPU, as kernels for CUDA (convolutions by cuDNN), and as a composition of candle operations
//! that other devices run ([`with_implementation`] forces one). All have exact gradients; results are
//! the same bits at any number of threads, and on every run.
//!
//! The kernels for CUDA are compiled by NVRTC when they are first needed. No GPU has run them yet:
//! tests run their text on the processor.
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's. With `cuda` alone convolutions are
//! compositions; `nccl` adds `NcclComm`, which `ocellus-parallel` uses; [`with_tf32`] lets those of `cudnn` multiply in less than single precision.

mod allocator;
mod axis;
mod backward;
mod batch_norm;
mod binary_cross_entropy;
mod concat;
mod conv;
mod coupling;
mod cpu;
mod cross_entropy;
#[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
mod cuda;
#[cfg(not(any(feature = "cuda", all(test, target_os = "linux"))))]
#[path = "no_cuda.rs"]
mod cuda;
mod device;
mod dropout;
mod farthest;
mod focal;
mod implementation;
mod leading;
mod linear;
mod log_cosh;
mod log_density;
mod lovasz;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod matrix;
#[cfg(feature = "nccl")]
mod nccl;
mod neighbors;
mod packed;
mod parallel;
mod pool;
mod recorded;
mod reduction;
mod relu;
mod run;
mod scoped;
mod separable;
mod sigmoid;
mod simd;
mod soft_overlap;
mod softmax;
#[cfg(test)]
mod testing;
mod threads;
mod upsample;
mod whiten;

pub use allocator::CachingAllocator;
pub use backward::backward;
pub use batch_norm::{
    BatchStatistics, batch_norm, batch_norm_inference, batch_norm_inference_relu, batch_norm_relu,
};
pub use binary_cross_entropy::binary_cross_entropy;
pub use concat::concat;
pub use conv::{
    Conv2dConfig, ConvAlgorithm, ConvTranspose2dConfig, PackedConv2d, Padding, conv_transpose2d,
    conv_transpose2d_relu, conv2d, conv2d_relu, with_conv_algorithm, with_tf32,
};
pub use coupling::{Clamp, CouplingConfig, NetworkCoupling, coupling, network_couplings};
pub use cross_entropy::{CrossEntropyConfig, cross_entropy};
pub use device::{cuda_device, filled_tensor};
pub use dropout::{dropout, dropout_slice};
pub use farthest::{FarthestPoints, farthest_points};
pub use focal::focal;
pub use implementation::{Implementation, with_implementation};
pub use leading::leading_channels;
pub use linear::linear;
pub use log_cosh::log_cosh;
pub use log_density::normal_log_density;
pub use lovasz::lovasz;
#[cfg(feature = "nccl")]
pub use nccl::NcclComm;
pub use neighbors::{Neighbors, nearest_neighbors};
pub use packed::{SOLVE_LANES, add_gram_packed, cholesky_packed, solve_packed};
pub use pool::{
    AvgPool2dConfig, AvgPooling, MaxPool2dConfig, MaxPooling, Pool2dConfig, adaptive_avg_pool2d,
    adaptive_max_pool2d, avg_pool2d, global_avg_pool2d, max_pool2d,
};
pub use recorded::{Recorded, update_recorded};
pub use reduction::Reduction;
pub use relu::relu;
pub use sigmoid::sigmoid;
pub use soft_overlap::{SoftOverlap, soft_overlap};
pub use softmax::{log_softmax, softmax};
pub use threads::tune_threads;
pub use upsample::{Alignment, upsample_bilinear2d, upsample_nearest2d};
pub use whiten::{Whitened, whiten_packed};
