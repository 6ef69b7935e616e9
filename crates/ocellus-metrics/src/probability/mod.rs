mod brier;
mod calibration;
mod log_loss;
mod mean;
mod top_k;

pub use brier::{BrierScore, brier_score_multiclass};
pub use calibration::{CalibrationBins, ReliabilityBin, top_label};
pub use log_loss::{LogLoss, log_loss_multiclass};
pub use top_k::top_k_accuracy;
