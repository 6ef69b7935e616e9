//! Blood-cancer cells: the network, the comparisons and the published figures of *Automatic Detection of
//! White Blood Cancer From Bone Marrow Microscopic Images Using Convolutional Neural Networks* (Kumar et
//! al., 2020), and settings that work.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ocellus_blood::{Dcnn, DcnnConfig};
//! use ocellus_params::ParamStore;
//!
//! let config = DcnnConfig::paper_literal();
//! let params = ParamStore::seeded(7);
//! let network = Dcnn::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
//!
//! let cells = Tensor::full(0.5f32, (2, 1, 64, 64), &Device::Cpu)?;
//! assert_eq!(network.predict(&cells)?.dims(), [2, 2]);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Item | What |
//! | --- | --- |
//! | [`Dcnn`], [`DcnnConfig`] | the small network: [`DcnnConfig::paper_literal`], [`DcnnConfig::practical`], [`DcnnConfig::tiny`] |
//! | [`HiddenActivation`], [`OutputActivation`] | softmax inside and a sigmoid twice, as in the paper, or what learns |
//! | [`PixelSelection`], [`PixelSelectionModel`] | pixels chosen by χ² before the network |
//! | [`Transfer`], [`TransferConfig`] | VGG16 with frozen convolutions and two layers of 4096 |
//! | [`FrozenVgg`] | vectors of images for classical classifiers |
//! | [`Protocol`] | iterations, batch, rate: [`Protocol::paper`], [`Protocol::practical`] |
//! | [`TABLE_2`], [`TABLE_3`], [`CONFUSION`] | what the paper printed, and what follows from it |
//!
//! Classical features, selection and classifiers are in `ocellus-classical` and `ocellus-cluster`.
//! Research software: no medical device, not for diagnosis.

mod dcnn;
mod dcnn_config;
mod frozen;
mod pixels;
mod protocol;
mod tables;
mod transfer;

pub use dcnn::Dcnn;
pub use dcnn_config::{DcnnConfig, HiddenActivation, OutputActivation};
pub use frozen::FrozenVgg;
pub use pixels::{PixelSelection, PixelSelectionModel};
pub use protocol::Protocol;
pub use tables::{CONFUSION, PublishedRow, TABLE_2, TABLE_3};
pub use transfer::{Transfer, TransferConfig};
