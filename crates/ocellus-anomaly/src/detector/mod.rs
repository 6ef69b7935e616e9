#[allow(clippy::module_inception, reason = "a file is its concept")]
mod detector;
mod file;

pub use detector::{AnomalyDetector, Detector};
