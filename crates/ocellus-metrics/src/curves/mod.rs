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
pub(crate) use operating_point::max_f_beta;
pub use operating_point::{
    OperatingPoint, max_f_beta_threshold, sensitivity_at_specificity, specificity_at_sensitivity,
    youden_threshold,
};
pub(crate) use precision_recall::mean_precision;
pub use precision_recall::{PrCurve, average_precision};
pub(crate) use ranking::area;
pub use ranking::auroc;
pub use roc::RocCurve;
pub(crate) use sweep::{Step, Sweep};
