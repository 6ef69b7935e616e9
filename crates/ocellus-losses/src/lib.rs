//! Loss functions that take logits and add up to ensembles.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use ocellus_losses::{CrossEntropy, LogCosh, Loss};
//!
//! let loss = (CrossEntropy::default().weighted(0.5), LogCosh::softmax().weighted(0.5));
//!
//! // Two logits whose softmax gives the true class (the first) a probability of 0.9.
//! let logits = Tensor::new(&[[9f64.ln(), 0.]], &Device::Cpu)?;
//! let target = Tensor::new(&[0u32], &Device::Cpu)?;
//! let value = loss.forward(&logits, &target)?.to_scalar::<f64>()?;
//! assert!((value - 0.055176).abs() < 1e-6);
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`Loss`] | what all losses can do; tuples, boxes and vectors of losses are losses |
//! | [`Weighted`] | a loss times a constant |
//! | [`CrossEntropy`] | softmax cross-entropy: class weights, ignore index, label smoothing |
//! | [`BinaryCrossEntropy`] | sigmoid cross-entropy |
//! | [`DoubleSigmoid`] | sigmoid cross-entropy of probabilities: a published mistake |
//! | [`LogCosh`] | log-cosh between probabilities and targets |
//! | [`MeanSquared`] | squared distance between probabilities and targets |
//! | [`ErrorLoss`] | what the last two are: a measure of the error |
//! | [`CeLogCosh`], [`ce_log_cosh`] | the ensemble of cross-entropy and log-cosh |
//! | [`Dice`], [`Jaccard`], [`Tversky`] | one less the overlap of predicted and true regions; also focal Tversky |
//! | [`OverlapLoss`] | what these three are: [`OverlapIndex`] says what false alarms and misses cost |
//! | [`Focal`] | cross-entropy in which what is right already counts less |
//! | [`LovaszSoftmax`], [`LovaszHinge`] | convex surrogates of 1 − IoU |
//! | [`Aggregation`], [`AbsentClasses`] | per batch or image; what becomes of classes that are not there |
//! | [`L2Penalty`] | the squared norm of weights |
//! | [`Activation`] | what turns logits into what is compared with a target |
//! | [`ClassReduction`] | mean over the classes, or their sum |
//!
//! Every loss takes **logits**, never probabilities, stays finite at ±10⁴ and has exact gradients.
//!
//! A target that is no class is an error where targets are on the CPU. On a GPU they are not looked at, since
//! that would mean to wait for it in every step: the loss is NaN then.
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod activation;
mod binary_cross_entropy;
mod cross_entropy;
mod double_sigmoid;
mod ensemble;
mod error_loss;
mod l2_penalty;
mod log_cosh;
mod loss;
mod mean_squared;
mod segmentation;
mod target;

pub use activation::{Activation, ClassReduction};
pub use binary_cross_entropy::BinaryCrossEntropy;
pub use cross_entropy::CrossEntropy;
pub use double_sigmoid::DoubleSigmoid;
pub use ensemble::{CeLogCosh, ce_log_cosh};
pub use error_loss::ErrorLoss;
pub use l2_penalty::L2Penalty;
pub use log_cosh::LogCosh;
pub use loss::{Loss, Weighted};
pub use mean_squared::MeanSquared;
pub use segmentation::{
    AbsentClasses, Aggregation, Dice, DiceIndex, Focal, Jaccard, JaccardIndex, LovaszHinge,
    LovaszSoftmax, OverlapIndex, OverlapLoss, Tversky, TverskyIndex,
};
