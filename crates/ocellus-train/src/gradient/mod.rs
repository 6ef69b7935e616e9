//! What happens to gradients between the backward pass and the step.

mod accumulate;
mod clip;
mod norm;

pub use accumulate::Accumulator;
pub(crate) use clip::shorten;
pub use clip::{Clip, clip_norm, clip_value};
pub(crate) use norm::has_not_finite;
pub use norm::{GradientNorm, gradient_norm};
