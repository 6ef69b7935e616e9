//! Attention-gated VGG16 for breast ultrasound: the networks, losses and protocol of *Classification
//! of Breast Cancer Lesions in Ultrasound Images by using Attention Layer and loss Ensembles in Deep
//! Convolutional Neural Networks* (Kalafi et al., 2021), and settings that work today.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ocellus_breast::{Architecture, Classifier, Config};
//! use ocellus_params::ParamStore;
//!
//! let config = Config::tiny(Architecture::AttentionVgg).with_image_size(32);
//! let params = ParamStore::seeded(7);
//! let model = Classifier::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
//!
//! let image = Tensor::zeros((1, 3, 32, 32), DType::F32, &Device::Cpu)?;
//! let seen = model.explain(&image)?;
//! assert_eq!(seen.probabilities.dims(), [1, 2]);
//! assert_eq!(seen.map.expect("an attention network has a map").dims(), [1, 1, 4, 4]);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Item | What |
//! | --- | --- |
//! | [`Config`] | every setting of a network: [`Config::paper`], [`Config::practical`], [`Config::tiny`] |
//! | [`Classifier`] | either network behind one set of methods |
//! | [`AttentionVgg`], [`Vgg`] | the proposed network and its plain sibling |
//! | [`Pooling`], [`Fusion`] | what the head reads of the features |
//! | [`Head`] | the fully connected layers: "10 neurons" |
//! | [`Objective`] | α · cross-entropy + β · log-cosh, the loss ensemble of equation 5 |
//! | [`Protocol`] | epochs, batch, optimizer, split: [`Protocol::paper`], [`Protocol::practical`] |
//! | [`Table1Row`], [`TABLE_1`] | the six models that the paper compares, with its figures |
//!
//! Tensors in: images `(batch, 3, height, width)` of values 0 to 1; the network normalizes them as its
//! backbone expects. Research software: no medical device, not for diagnosis.

mod attention_vgg;
mod classifier;
mod config;
mod evidence;
mod head;
mod objective;
mod pooling;
mod protocol;
mod table_1;
mod vgg;

pub use attention_vgg::AttentionVgg;
pub use classifier::{Classifier, Explanation};
pub use config::{Architecture, Config, Fusion};
pub use head::Head;
pub use objective::Objective;
pub use pooling::Pooling;
pub use protocol::{OptimizerChoice, Protocol};
pub use table_1::{TABLE_1, Table1Row};
pub use vgg::Vgg;
