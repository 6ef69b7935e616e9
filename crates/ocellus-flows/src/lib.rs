//! Normalizing flows: affine couplings with exact log-determinants, and the density estimators of
//! CFLOW-AD and FastFlow.
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use ocellus_flows::{Cflow, CflowConfig};
//! use ocellus_params::ParamStore;
//!
//! // Features of two scales, as a backbone gives them.
//! let features = Tensor::ones((2, 8, 4, 6), DType::F32, &Device::Cpu)?;
//!
//! let params = ParamStore::seeded(1);
//! let config = CflowConfig::anomalib(vec![8, 16]).with_condition(4).with_blocks(2);
//! let flow = Cflow::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
//! let likelihood = flow.log_likelihood(0, &features)?;
//! assert_eq!(likelihood.dims(), [2, 4, 6]);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`Invertible`], [`Mapped`] | the contract: there, back, and the log-determinant |
//! | [`Flow`], [`FlowConfig`], [`Given`] | coupling blocks, one behind the other, with a condition if wanted |
//! | [`Subnet`], [`Mixing`], [`Clamp`], [`standardizing_affine`] | settings of the blocks, a start from a Gaussian |
//! | [`Cflow`], [`CflowConfig`] | one flow for each scale, on single pixels and their places |
//! | [`CflowTraining`], [`FiberBatch`], [`CflowSchedule`], [`Tail`] | how it is fitted: the official and anomalib's way |
//! | [`FastFlow`], [`FastFlowConfig`], [`FastFlowScale`] | one flow for each scale, on whole images |
//! | [`load_anomalib`], [`to_anomalib`] | weights from and to anomalib's checkpoints |
//!
//! Flows are trained by maximum likelihood with [`ocellus_train::fit()`]; its steps need nothing else
//! than the losses here.
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod anomalib;
mod block;
mod cflow;
mod fastflow;
mod flow;
mod flow_config;
mod invertible;

pub use anomalib::{load_anomalib, to_anomalib};
pub use block::{Mixing, Subnet, standardizing_affine};
pub use cflow::{Cflow, CflowConfig, CflowSchedule, CflowTraining, FiberBatch, FiberBatches, Tail};
pub use fastflow::{FastFlow, FastFlowConfig, FastFlowScale};
pub use flow::{Flow, Given};
pub use flow_config::FlowConfig;
pub use invertible::{Invertible, Mapped};
pub use ocellus_ops::Clamp;
