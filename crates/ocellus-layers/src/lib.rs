//! Layers for image networks: attention gates, residual units, blocks, seeded dropout.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::{VarBuilder, VarMap};
//! use ocellus_layers::{AttentionGate, AttentionGateConfig};
//!
//! let weights = VarMap::new();
//! let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
//! let gate = AttentionGate::new(&AttentionGateConfig::paper(8, 16), vb)?;
//!
//! let features = Tensor::ones((1, 8, 4, 4), DType::F32, &Device::Cpu)?;
//! let signal = Tensor::ones((1, 16, 2, 2), DType::F32, &Device::Cpu)?;
//! let gated = gate.forward(&features, &signal)?;
//! assert_eq!(gated.value.dims(), features.dims());
//! assert_eq!(gated.map.dims(), [1, 1, 4, 4]);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`Linear`] | a matrix and a bias |
//! | [`Conv2d`], [`ConvTranspose2d`], [`ConvConfig`] | convolutions with exact gradients |
//! | [`BatchNorm2d`] | batch normalization with PyTorch's running statistics, over several ranks too |
//! | [`with_norm_statistics`], [`NormStatistics`], [`recalibrate()`] | batch normalization on images unlike those of the training |
//! | [`ConvNorm2d`] | convolution and batch normalization, packed into one for inference |
//! | [`ResidualUnit`], [`ResidualKind`] | the basic and bottleneck units of residual networks |
//! | [`DeconvBlock`] | transposed convolution, batch normalization, ReLU |
//! | [`Dropout`], [`Noise`] | dropout whose masks depend on a seed, a name and a step alone |
//! | [`ConvBlock`] | convolution, batch normalization if wanted, ReLU |
//! | [`LinearBlock`] | linear, ReLU, dropout |
//! | [`rounded_like`] | a parameter in the type of a layer's input |
//! | [`positional_encoding_2d`] | sines and cosines of a pixel's place |
//! | [`AttentionGate`], [`Gated`] | the additive attention gate in all its published variants |
//!
//! Each has a configuration, `XConfig`, whose defaults and parameter names are PyTorch's. A layer is
//! a [`Module`](candle_core::Module), or a [`ModuleT`](candle_core::ModuleT) where training differs
//! from inference, built from a [`VarBuilder`](candle_nn::VarBuilder).
//!
//! # Half precision
//!
//! A layer computes in the type of its input: given bf16 or f16, one with parameters of f32 rounds them on
//! the way, and its output is as narrow as the input. Gradients arrive in the parameters' type. What
//! adds up many values does so in f32: convolutions and products within, batch normalization with
//! parameters and statistics of f32, an attention gate from its scores on. What is packed for inference
//! takes the type of its weights alone.
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod attention;
mod batch_norm;
mod batch_norm_config;
mod block;
mod conv;
mod conv_config;
mod conv_norm;
mod conv_transpose;
mod deconv_block;
mod dropout;
mod init;
mod linear;
mod noise;
mod norm_statistics;
mod positional_encoding;
mod recalibrate;
mod residual;
mod rounded;
mod synchronized;

pub use attention::{
    AttentionGate, AttentionGateConfig, AttentionNormalization, GateInit, Gated, MONAI_GATE_NAMES,
};
pub use batch_norm::BatchNorm2d;
pub use batch_norm_config::BatchNorm2dConfig;
pub use block::{ConvBlock, ConvBlockConfig, LinearBlock, LinearBlockConfig};
pub use conv::{Conv2d, Conv2dConfig};
pub use conv_config::ConvConfig;
pub use conv_norm::ConvNorm2d;
pub use conv_transpose::{ConvTranspose2d, ConvTranspose2dConfig};
pub use deconv_block::DeconvBlock;
pub use dropout::Dropout;
pub use linear::{Linear, LinearConfig};
pub use noise::Noise;
pub use norm_statistics::{NormStatistics, with_norm_statistics};
pub use positional_encoding::positional_encoding_2d;
pub use recalibrate::recalibrate;
pub use residual::{ResidualKind, ResidualUnit, ResidualUnitConfig};
pub use rounded::rounded_like;
