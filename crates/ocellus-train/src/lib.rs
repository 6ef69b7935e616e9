//! Optimizers, schedules and a training loop that resumes bit for bit.
//!
//! ```
//! use candle_core::{DType, Device, Module, Tensor};
//! use ocellus_params::ParamStore;
//! use ocellus_train::{Adam, AdamConfig, Constant, FitConfig, Learner, fit};
//!
//! let params = ParamStore::seeded(1);
//! let model = candle_nn::linear(2, 1, params.var_builder(DType::F32, &Device::Cpu))?;
//! let x = Tensor::new(&[[0f32, 0.], [0., 1.], [1., 0.], [1., 1.]], &Device::Cpu)?;
//! let y = x.sum_keepdim(1)?;
//! let mut optimizer = Adam::new(AdamConfig::new(0.1), params.trainable())?;
//! let report = fit(
//!     &FitConfig::new(300),
//!     Learner { params: &params, optimizer: &mut optimizer, schedule: &mut Constant },
//!     |_epoch| Ok([Ok(x.clone())]),
//!     |x, _context| Ok((model.forward(x)? - &y)?.sqr()?.mean_all()?),
//!     |_epoch| Ok(None), // Nothing is held out.
//!     &mut (),           // Nobody looks on.
//! )?;
//! assert!(report.history.epochs[299].train_loss < 1e-3);
//! # Ok::<(), ocellus_train::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`fit()`], [`FitConfig`], [`Learner`], [`StepContext`], [`Validation`] | the training loop and what it is told |
//! | [`Precision`] | computing in bf16 or f16 with weights of f32 |
//! | [`Monitor`], [`Quantity`], [`EarlyStopping`], [`Resume`] | settings of it |
//! | [`BatchLoss`] | what a step may give where several ranks share a batch |
//! | [`FitReport`], [`Ended`], [`History`], [`EpochRecord`] | what it gives |
//! | [`Observer`], [`StepReport`] | who looks on: progress bars, logs |
//! | [`Optimizer`], [`Groups`] | what moves parameters, and which ones |
//! | [`Sgd`], [`RmsProp`], [`Adam`], [`AdaGrad`] | optimizers |
//! | [`Schedule`], [`Position`], [`Per`], [`Goal`] | factors on the learning rate over time |
//! | [`Constant`], [`StepDecay`], [`MultiStepDecay`], [`Linear`], [`Cosine`], [`KerasDecay`], [`WarmUp`], [`Plateau`] | schedules |
//! | [`gradient_norm`], [`clip_norm`], [`clip_value`], [`Clip`], [`Accumulator`], [`LossScale`] | gradients between the backward pass and the step |
//! | [`Error`](enum@Error), [`BoxError`] | what can go wrong |
//!
//! Every part is usable alone: an optimizer steps on any
//! [`GradStore`](candle_core::backprop::GradStore), a schedule is a function of epoch and step.
//!
//! Features: `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are those of candle.

mod checkpoint;
mod error;
mod fit;
mod gradient;
mod optim;
mod schedule;

pub use error::{BoxError, Error, Result};
pub use fit::{
    BatchLoss, EarlyStopping, Ended, EpochRecord, FitConfig, FitReport, History, Learner, Monitor,
    Observer, Precision, Quantity, Resume, StepContext, StepReport, Validation, fit,
};
pub use gradient::{
    Accumulator, Clip, GradientNorm, LossScale, LossScaleConfig, clip_norm, clip_value,
    gradient_norm,
};
pub use optim::{
    AdaGrad, AdaGradConfig, Adam, AdamConfig, Groups, Optimizer, RmsProp, RmsPropConfig,
    RmsPropForm, Sgd, SgdConfig,
};
pub use schedule::{
    Constant, Cosine, Goal, KerasDecay, Linear, MultiStepDecay, Per, Plateau, PlateauConfig,
    Position, Schedule, StepDecay, Threshold, WarmUp,
};
