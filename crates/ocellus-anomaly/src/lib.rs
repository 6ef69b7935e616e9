//! Anomaly detectors on the features of a frozen backbone, fitted on normal images alone.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use ocellus_anomaly::{AnomalyDetector, Detector, Encoder, FrozenBackbone, Padim, Threshold};
//! use ocellus_backbones::ResNetConfig;
//! use ocellus_params::ParamStore;
//!
//! // A small network of random weights; those of a file are loaded into the store before.
//! let config = ResNetConfig::resnet18().with_channels(8).with_stage_count(2);
//! let backbone = FrozenBackbone::resnet(&config, &ParamStore::seeded(1), &Device::Cpu)?;
//! let encoder = Encoder::new(backbone, &[1, 2])?;
//!
//! let normal = vec![Tensor::rand(0.4f32, 0.6, (16, 3, 32, 32), &Device::Cpu)?];
//! let mut detector = Detector::fit(encoder, &Padim::new(12), &normal)?;
//! detector.set_image_threshold(Threshold::normal_quantile(&detector.calibration().images, 0.99)?);
//!
//! let strange = Tensor::rand(0f32, 1., (1, 3, 32, 32), &Device::Cpu)?;
//! let score = detector.score(&strange)?.image_values()?[0];
//! assert!(detector.calibration().image_threshold.is_some_and(|t| t.is_anomalous(score)));
//! # Ok::<(), ocellus_anomaly::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`AnomalyDetector`], [`Detector`] | images to scores; saved and loaded as one file |
//! | [`Padim`], [`PadimModel`], [`ChannelSelection`] | a Gaussian for each place of the features |
//! | [`CflowAd`], [`CflowAdModel`], [`FlowStart`] | a conditional flow for each scale, on single places |
//! | [`FastFlow`], [`FastFlowModel`] | a convolutional flow for each scale |
//! | [`PatchCore`], [`PatchCoreModel`], [`PatchPooling`], [`ImageScore`] | distances to a bank of normal patches |
//! | [`Encoder`], [`FrozenBackbone`], [`Preparation`], [`ImageSize`] | images to multi-scale features |
//! | [`ImageSource`], [`FeatureSource`], [`EncodedImages`] | where they come from, a batch at a time |
//! | [`FitFeatures`], [`FeatureModel`], [`State`] | what a new method implements |
//! | [`Scores`], [`Evidence`], [`ScaleEvidence`], [`FeatureKind`] | scores, maps, multi-scale features |
//! | [`MapConfig`], [`Upsampling`], [`Smoothing`], [`ImagePooling`], [`ImageScoring`] | maps of places become maps of pixels, these scores of images |
//! | [`Calibration`], [`ScoreDistribution`], [`Normalization`] | what normal scores are like, and scales to read them on |
//! | [`Threshold`], [`ThresholdRule`] | from where on a score is anomalous: label-free, or by an oracle |
//! | [`enum@Error`], [`Result`] | what can go wrong |
//!
//! # Rules
//!
//! - **No image depends on another.** A score is the same bits alone, in any batch and in any order;
//!   maxima that methods measure by are frozen when they are calibrated.
//! - **Label-free and oracle** are told apart by name: a threshold that saw labels says so.
//! - **Streams.** Images come a batch at a time, as often as a method needs.
//! - **Devices.** A detector works where its [`FrozenBackbone`] is: features and flows are computed and
//!   fitted there, `PaDiM` and `PatchCore` measure there on CUDA, else on the CPU. `PaDiM`'s Gaussians, smoothing
//!   and calibration are the CPU's.
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod calibration;
mod detector;
#[cfg(test)]
mod device_tests;
mod encoder;
mod error;
mod flows;
mod maps;
mod model;
mod on_cpu;
mod on_device;
mod padim;
mod patchcore;
mod source;

pub use calibration::{Calibration, Normalization, ScoreDistribution, Threshold, ThresholdRule};
pub use detector::{AnomalyDetector, Detector};
pub use encoder::{Encoder, FrozenBackbone, ImageSize, Preparation};
pub use error::{Error, Result};
pub use flows::{CflowAd, CflowAdModel, FastFlow, FastFlowModel, FlowStart};
pub use maps::{MapConfig, Smoothing, Upsampling};
pub use model::{
    Evidence, FeatureKind, FeatureModel, FitFeatures, ImagePooling, ImageScoring, ScaleEvidence,
    Scores, State,
};
pub use padim::{ChannelSelection, Padim, PadimModel};
pub use patchcore::{ImageScore, PatchCore, PatchCoreModel, PatchPooling};
pub use source::{EncodedImages, FeatureBatches, FeatureSource, ImageBatches, ImageSource};
