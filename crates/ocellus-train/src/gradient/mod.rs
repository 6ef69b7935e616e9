//! What happens to gradients between the backward pass and the step.

mod accumulate;
mod clip;
mod loss_scale;
mod norm;

pub use accumulate::Accumulator;
pub(crate) use clip::shorten;
pub use clip::{Clip, clip_norm, clip_value};
pub use loss_scale::{LossScale, LossScaleConfig};
pub use norm::{GradientNorm, gradient_norm};
pub(crate) use norm::{PendingNorm, has_not_finite};
