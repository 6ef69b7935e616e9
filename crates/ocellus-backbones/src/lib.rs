//! VGG, ResNet and DINOv2 networks that describe their stages and read published weights.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use candle_nn::VarBuilder;
//! use ocellus_backbones::{Backbone, Vgg, VggConfig};
//!
//! let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
//! let vgg = Vgg::new(&VggConfig::vgg16(), vb)?;
//!
//! let x = Tensor::zeros((1, 3, 32, 48), DType::F32, &Device::Cpu)?;
//! for (stage, features) in vgg.stages().iter().zip(vgg.features(&x)?) {
//!     let (height, width) = (32 / stage.stride, 48 / stage.stride);
//!     assert_eq!(features.dims(), [1, stage.channels, height, width]);
//! }
//!
//! // By torchvision's numbers: the last convolution of block 4, and the last pooling.
//! let taps = vgg.features_at(&x, &[22, 30], false)?;
//! assert_eq!(taps[0].dims(), [1, 512, 4, 6]);
//! assert_eq!(taps[1].dims(), [1, 512, 1, 1]);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`Backbone`], [`Stage`] | a network that gives features at several scales, and says which |
//! | [`Vgg`], [`VggConfig`] | the convolutions of VGG 11, 13, 16, 19, with and without batch norm |
//! | [`VggClassifier`] | torchvision's whole network |
//! | [`ResNet`], [`ResNetConfig`], [`ResNetUnit`], [`StemPool`] | the stages of ResNet 18, 34, 50, 101, 152, 200, and wide 50 and 101 |
//! | [`ResNetClassifier`] | torchvision's whole network |
//! | [`DinoV2`], [`DinoV2Config`] | the vision transformer of DINOv2 S, B and L: the tokens of each block as maps |
//! | [`TIMM_VGG_NAMES`] | from timm's parameter names of a VGG to torchvision's; of a ResNet they are the same |
//! | [`Preprocessing`] | what published weights expect of an image |
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod backbone;
mod dino;
mod preprocessing;
mod resnet;
mod vgg;

pub use backbone::{Backbone, Stage};
pub use dino::{DinoV2, DinoV2Config};
pub use preprocessing::Preprocessing;
pub use resnet::{ResNet, ResNetClassifier, ResNetConfig, ResNetUnit, StemPool};
pub use vgg::{TIMM_VGG_NAMES, Vgg, VggClassifier, VggConfig};
