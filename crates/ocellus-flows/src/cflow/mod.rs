//! CFLOW-AD: a conditional flow for each scale of a backbone.

#[allow(clippy::module_inception, reason = "a file is its concept")]
mod cflow;
mod config;
mod fibers;
mod schedule;
mod training;

pub use cflow::Cflow;
pub use config::CflowConfig;
pub use fibers::{FiberBatch, FiberBatches};
pub use schedule::CflowSchedule;
pub use training::{CflowTraining, Tail};
