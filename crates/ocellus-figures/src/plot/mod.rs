mod confusion;
mod roc;
mod training;

pub use confusion::ConfusionPlot;
pub use roc::{RocCurve, RocPlot};
pub use training::{TrainingPanel, TrainingPlot};
