//! Deep-learning building blocks and complete systems for medical and satellite images, on
//! [candle](candle_core).
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use candle_core as candle;
pub use candle_nn as nn;
#[cfg(feature = "backbones")]
pub use ocellus_backbones as backbones;
#[cfg(feature = "breast")]
pub use ocellus_breast as breast;
#[cfg(feature = "data")]
pub use ocellus_data as data;
#[cfg(feature = "figures")]
pub use ocellus_figures as figures;
pub use ocellus_layers as layers;
pub use ocellus_losses as losses;
pub use ocellus_metrics as metrics;
pub use ocellus_ops as ops;
pub use ocellus_params as params;
#[cfg(feature = "train")]
pub use ocellus_train as train;
