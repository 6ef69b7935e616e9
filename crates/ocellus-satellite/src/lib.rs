//! Residual encoder-decoder segmentation of satellite images, whole scenes included: the networks of
//! *Satellite Image Segmentation with Deep Residual Architectures for Time-Critical Applications*
//! (Ghassemi et al., EUSIPCO 2018).
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ocellus_layers::recalibrate;
//! use ocellus_params::ParamStore;
//! use ocellus_satellite::NetworkConfig;
//!
//! // The paper's network of depth 18, narrow, for images of four bands of any size.
//! let config = NetworkConfig::named("Prop-18").expect("a network of Table II").with_channels(4);
//! let params = ParamStore::seeded(0);
//! let mut network = config.build(params.var_builder(DType::F32, &Device::Cpu))?;
//!
//! // Images of another sensor, unlabeled: their statistics take the place of the trained ones.
//! let image = Tensor::ones((2, 4, 64, 48), DType::F32, &Device::Cpu)?;
//! recalibrate(&*network, [Ok(image.clone())])?;
//!
//! network.pack()?; // For inference from here on.
//! assert_eq!(network.predict(&image)?.dims(), [2, 2, 64, 48]);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Item | What |
//! | --- | --- |
//! | [`ResidualSegNet`], [`ResidualSegNetConfig`] | the proposed network, at every depth of Table I, as the paper has it and as the authors' later code |
//! | [`UNet`], [`UNetConfig`] | the reference, U-Net(19) and U-Net(35) |
//! | [`SegmentationNetwork`], [`NetworkConfig`] | either of them, for training, inference and tables |
//! | [`Config`] | what is trained and how: [`Config::paper`], [`Config::practical`], [`Config::tiny`]; it goes with a network into its file |
//! | [`Protocol`], [`Refinement`] | tiles, samples, descent, refinement; the paper's, and two that cost less |
//! | [`Objective`] | the loss: cross-entropy, or one that favors a rare class |
//! | [`Segmenter`], [`SegmentConfig`], [`PieceSink`], [`ScenePiece`] | scenes of any size, tile by tile, in bounded memory |
//! | [`Record`], [`Classified`] | what is segmented of a scene, on disk: a killed run goes on |
//! | [`DenseCrf`], [`Compatibility`], [`KernelNormalization`] | refines probabilities by a fully connected conditional random field |
//! | [`CrfBlock`] | the image, or block of a scene, that it looks at |
//! | [`TABLE_2`], [`TABLE_3`], [`PublishedRow`], [`AREAS`], [`AreaScore`] | the published results |
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod config;
mod crf;
mod error;
mod mirror;
mod network_config;
mod objective;
mod protocol;
mod published;
mod reach;
mod refinement;
mod residual;
mod scene;
mod segmentation_network;
mod table_2;
mod table_3;
mod unet;

pub use config::Config;
pub use crf::{AppearanceFilter, Compatibility, CrfBlock, DenseCrf, KernelNormalization};
pub use error::{Error, Result};
pub use network_config::NetworkConfig;
pub use objective::Objective;
pub use protocol::Protocol;
pub use published::{AREAS, AreaScore, PublishedRow};
pub use refinement::Refinement;
pub use residual::{ResidualSegNet, ResidualSegNetConfig};
pub use scene::{Classified, NO_DATA, PieceSink, Record, ScenePiece, SegmentConfig, Segmenter};
pub use segmentation_network::SegmentationNetwork;
pub use table_2::TABLE_2;
pub use table_3::TABLE_3;
pub use unet::{UNet, UNetConfig};
