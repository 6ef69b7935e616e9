//! Figures and the HTML report of a run.

mod canvas;
mod chart;
mod check;
mod error;
mod figure;
mod panels;
mod picture;
mod plot;
mod report;
mod style;

pub use error::{Error, Result};
pub use figure::Figure;
pub use panels::Panels;
pub use picture::Picture;
pub use plot::{ConfusionPlot, RocCurve, RocPlot, TrainingPanel, TrainingPlot};
pub use report::{Best, Cell, Report, Section, Table};
pub use style::{Color, Colormap};
