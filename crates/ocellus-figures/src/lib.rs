//! Figures and the HTML report of a run: plain slices in, SVG text, PNG bytes and one HTML file out.
//!
//! ```
//! use ocellus_figures::{Report, RocCurve, RocPlot, Section};
//!
//! let curve = RocCurve::new("VGG16", &[0.0, 0.1, 1.0], &[0.0, 0.9, 1.0]).with_auc(0.9);
//! let figure = RocPlot::new().with_title("Test fold").with_curve(curve).draw()?;
//! let section = Section::new("Results").with_figure(&figure, "ROC; malignant is positive.")?;
//! let html = Report::new("Breast ultrasound").with_section(section).to_html();
//! assert!(html.contains("AUC 0.900"));
//! # Ok::<(), ocellus_figures::Error>(())
//! ```
//!
//! | Item | What it draws or holds |
//! | --- | --- |
//! | [`ConfusionPlot`] | counts and row percentages of true against predicted classes |
//! | [`RocPlot`], [`PrPlot`] | receiver operating characteristics, precision against recall |
//! | [`CalibrationPlot`] | a reliability diagram above a histogram |
//! | [`TrainingPlot`] | losses, metrics and learning rate over the epochs |
//! | [`BarPlot`] | bars in groups with error bars |
//! | [`ScatterPlot`] | points in a plane, colored by class, shaped by cluster |
//! | [`DendrogramPlot`] | how clusters were merged, and of what classes they are |
//! | [`GridPlot`] | numbers in rows and columns, colored by value |
//! | [`ScorePlot`] | the distribution of scores of each class, with the threshold |
//! | [`ImagePlot`] | an image, alone or with a map over it, with outlines of masks and of the map |
//! | [`OverlayPlot`] | an image, a map, and the map over the image, with the outline of a mask |
//! | [`GalleryPlot`] | images with captions and colored frames |
//! | [`Panels`] | several figures in one: (a), (b), (c) |
//! | [`Figure`] | what all of them give: writes SVG and PNG |
//! | [`Report`], [`Section`], [`Table`] | one self-contained HTML file, readable on a phone |
//! | [`SceneViewer`], [`ViewerLayer`] | a page with a large scene, and what was found in it behind a slider |
//! | [`Picture`], [`Color`], [`Colormap`] | 8-bit images and colors |
//!
//! Equal data gives equal bytes. The font (Arimo, whose letters are as wide as Arial's) and the
//! color tables are part of the crate: nothing is read from the system. Values that cannot be
//! drawn (NaN, slices of different length, nothing at all) are an [`Error`] that names them.
//!
//! The crate has no features.

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
mod viewer;

pub use error::{Error, Result};
pub use figure::Figure;
pub use panels::Panels;
pub use picture::Picture;
pub use plot::{
    BarPlot, CalibrationCurve, CalibrationPlot, ConfusionPlot, DendrogramPlot, GalleryPlot,
    GridPlot, ImagePlot, OverlayPlot, PrCurve, PrPlot, RocCurve, RocPlot, ScatterPlot, ScorePlot,
    Tile, TrainingPanel, TrainingPlot,
};
pub use report::{Best, Cell, Report, Section, Table};
pub use style::{Color, Colormap};
pub use viewer::{SceneViewer, ViewerLayer};
