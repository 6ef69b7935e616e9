//! Classification metrics on plain slices.

mod check;
mod counts;
mod curves;
mod error;
#[cfg(test)]
mod golden;

pub use counts::{Average, BinaryCounts, ConfusionMatrix, KappaWeights};
pub use curves::{
    MulticlassAuroc, OperatingPoint, PrCurve, RocCurve, auroc, auroc_multiclass, auroc_per_class,
    average_precision, average_precision_multiclass, average_precision_per_class,
    max_f_beta_threshold, sensitivity_at_specificity, specificity_at_sensitivity, youden_threshold,
};
pub use error::{Error, Result};
