#[allow(clippy::module_inception, reason = "a file is its concept")]
mod calibration;
mod distribution;
mod normalization;
mod threshold;

pub use calibration::Calibration;
pub use distribution::ScoreDistribution;
pub use normalization::Normalization;
pub use threshold::{Threshold, ThresholdRule};
