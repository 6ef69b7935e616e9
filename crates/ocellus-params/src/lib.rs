//! The weights of a model: named, seeded, freezable, loadable with a report.
//!
//! ```
//! use std::collections::BTreeMap;
//! use candle_core::{DType, Device};
//! use ocellus_params::{LoadConfig, ParamStore, WeightFile};
//!
//! // A model draws its weights from a seed and their names.
//! let params = ParamStore::seeded(42);
//! params.freeze("encoder.*");
//! let vb = params.var_builder(DType::F32, &Device::Cpu);
//! candle_nn::conv2d(1, 4, 3, Default::default(), vb.pp("encoder.conv"))?;
//! candle_nn::linear(4, 2, vb.pp("head"))?;
//! assert_eq!(params.trainable().len(), 2); // The head's weight and bias.
//!
//! // Some come from a file of PyTorch's, trained on three channels.
//! let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/nested.pth");
//! let config = LoadConfig::partial()
//!     .with_ignore("head.*")
//!     .with_add_prefix("encoder.")
//!     .with_inflate_stem("encoder.conv.weight");
//! let report = params.load(&WeightFile::open(file)?, &config)?;
//! assert_eq!(report.loaded, ["encoder.conv.bias", "encoder.conv.weight"]);
//!
//! // All are saved, in full or not at all.
//! let folder = tempfile::tempdir()?;
//! params.save(folder.path().join("model.safetensors"), &BTreeMap::new())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`ParamStore`] | the weights under their names: draws, freezes, counts, saves, loads, fingerprints |
//! | [`init`] | the rules that weights are drawn by: PyTorch's default, Xavier's, Kaiming's |
//! | [`GroupRule`], [`ParamGroup`] | parameters that an optimizer treats alike |
//! | [`WeightFile`], [`WeightFormat`] | a file of weights: safetensors, `.pth` new and old |
//! | [`LoadConfig`] | how its tensors become weights: renaming, prefixes, what may be missing |
//! | [`LoadReport`], [`Reshaped`], [`ReshapeOutcome`] | what became of them |
//! | [`inflate_stem`] | a first convolution for another number of input channels |
//! | [`write_tensors`], [`write_atomically`] | files that are written in full or not at all |
//! | [`enum@Error`], [`Result`] | what can go wrong; turns into candle's error with `?` |
//!
//! # Features
//!
//! `cuda`, `cudnn`, `metal`, `accelerate` and `mkl` are passed on to candle; none is on by default.

mod atomic;
mod element;
mod error;
mod freezing;
mod group;
pub mod init;
mod load;
mod pattern;
mod save;
mod seed;
mod store;
mod weight_file;

pub use atomic::write_atomically;
pub use error::{Error, Result};
pub use group::{GroupRule, ParamGroup};
pub use load::{LoadConfig, LoadReport, ReshapeOutcome, Reshaped, inflate_stem};
pub use save::write_tensors;
pub use store::ParamStore;
pub use weight_file::{WeightFile, WeightFormat};
