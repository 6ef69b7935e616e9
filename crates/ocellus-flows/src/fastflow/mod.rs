//! FastFlow: a convolutional flow for each scale of a backbone.

mod config;
#[allow(clippy::module_inception, reason = "a file is its concept")]
mod fastflow;
mod layer_norm;

pub use config::{FastFlowConfig, FastFlowScale};
pub use fastflow::FastFlow;
