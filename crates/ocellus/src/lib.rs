//! Deep-learning building blocks and complete systems for medical and satellite images, on
//! [candle](candle_core): one dependency for the whole family.
//!
//! ```
//! use ocellus::candle::{Device, Tensor};
//! use ocellus::losses::{CrossEntropy, LogCosh, Loss};
//!
//! let logits = Tensor::new(&[[0.5f32, -0.5]], &Device::Cpu)?;
//! let target = Tensor::new(&[0u32], &Device::Cpu)?;
//! let ensemble = (CrossEntropy::default().weighted(0.5), LogCosh::softmax().weighted(0.5));
//! assert!(ensemble.forward(&logits, &target)?.to_scalar::<f32>()? < 0.2);
//! # Ok::<(), ocellus::candle::Error>(())
//! ```
//!
//! | Module | Feature | What |
//! | --- | --- | --- |
//! | [`ops`] | | differentiable operations with exact gradients |
//! | [`parallel`] | | several processes or GPUs that train one network |
//! | [`params`] | | weights: named, seeded, freezable, loaded with a report |
//! | [`layers`] | | attention gates, residual units, blocks, batch normalization, seeded dropout |
//! | [`losses`] | | losses that take logits and add up to ensembles, those of segmentation too |
//! | [`metrics`] | | counts, curves, calibration, intervals, paired tests, boundaries and objects of segmentations, anomaly maps |
//! | `train` | `train` | optimizers, schedules, `fit` |
//! | `anomaly` | `anomaly` | anomaly detectors fitted on normal images: scores, maps, calibration |
//! | `backbones` | `backbones` | VGG, ResNet and DINOv2 with stages, taps and published weights |
//! | `classical` | `classical` | image features; support vector machines, logistic regression, naive Bayes, trees, forests; pipelines, folds and grid search; one file for each model, on `ndarray` |
//! | `cluster` | `cluster` | PCA, NMF, scaling, feature selection, k-means, trees, Gaussian mixtures and indices of clusterings, nearest neighbors and coresets, products and decompositions, on `ndarray` |
//! | `data` | `data` | readers, grouped splits, augmentation, training tiles, loaders, synthetic ultrasound, OCTA and satellite scenes; scenes of GeoTIFF, GeoJSON |
//! | `flows` | `flows` | normalizing flows with exact log-determinants: CFLOW, FastFlow |
//! | `figures` | `figures` | figures and the HTML report |
//! | `blood` | `blood` | blood-cancer cells: a small network and its comparisons |
//! | `breast` | `breast` | attention-gated VGG16 for breast ultrasound |
//! | `octa` | `octa` | UNO-QA: quality grades of OCTA images |
//! | `satellite` | `satellite` | residual encoder-decoder segmentation of satellite images |
//!
//! `full` turns all of them on. `cuda`, `cudnn`, `metal`, `accelerate` and `mkl` are candle's device
//! features, for the whole family; `nccl` lets several GPUs train together.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use candle_core as candle;
pub use candle_nn as nn;
#[cfg(feature = "anomaly")]
pub use ocellus_anomaly as anomaly;
#[cfg(feature = "backbones")]
pub use ocellus_backbones as backbones;
#[cfg(feature = "blood")]
pub use ocellus_blood as blood;
#[cfg(feature = "breast")]
pub use ocellus_breast as breast;
#[cfg(feature = "classical")]
pub use ocellus_classical as classical;
#[cfg(feature = "cluster")]
pub use ocellus_cluster as cluster;
#[cfg(feature = "data")]
pub use ocellus_data as data;
#[cfg(feature = "figures")]
pub use ocellus_figures as figures;
#[cfg(feature = "flows")]
pub use ocellus_flows as flows;
pub use ocellus_layers as layers;
pub use ocellus_losses as losses;
pub use ocellus_metrics as metrics;
#[cfg(feature = "octa")]
pub use ocellus_octa as octa;
pub use ocellus_ops as ops;
pub use ocellus_parallel as parallel;
pub use ocellus_params as params;
#[cfg(feature = "satellite")]
pub use ocellus_satellite as satellite;
#[cfg(feature = "train")]
pub use ocellus_train as train;
