//! Factors on the learning rate over time.

mod constant;
mod cosine;
mod keras_decay;
mod linear;
mod plateau;
#[expect(clippy::module_inception, reason = "the file of the trait bears its name")]
mod schedule;
mod step_decay;
mod warm_up;

pub use constant::Constant;
pub use cosine::Cosine;
pub use keras_decay::KerasDecay;
pub use linear::Linear;
pub use plateau::{Plateau, PlateauConfig, Threshold};
pub use schedule::{Goal, Per, Position, Schedule};
pub use step_decay::{MultiStepDecay, StepDecay};
pub use warm_up::WarmUp;
