mod multiclass;
mod operating_point;
mod precision_recall;
mod ranking;
mod roc;
mod sweep;

pub use multiclass::{
    MulticlassAuroc, auroc_multiclass, auroc_per_class, average_precision_multiclass,
    average_precision_per_class,
};
pub use operating_point::{
    OperatingPoint, max_f_beta_threshold, sensitivity_at_specificity, specificity_at_sensitivity,
    youden_threshold,
};
pub use precision_recall::{PrCurve, average_precision};
pub use ranking::auroc;
pub use roc::RocCurve;
