//! Classification and segmentation metrics on plain slices: counts, curves, calibration, intervals,
//! tests, boundaries and objects.
//!
//! ```
//! use ocellus_metrics::{BinaryCounts, DeLong, youden_threshold};
//!
//! let malignant = [false, false, true, true, false, true, false, true];
//! let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];
//!
//! let counts = BinaryCounts::from_scores(&malignant, &scores, 0.5)?;
//! assert_eq!(counts.sensitivity(), Some(0.75));
//! assert_eq!(counts.specificity(), Some(1.));
//!
//! let area = DeLong::new(&malignant, &scores)?;
//! assert_eq!(format!("{:.2}", area.interval(0.95)?), "0.91 (0.69 to 1.00)");
//! assert_eq!(youden_threshold(&malignant, &scores)?.threshold, 0.7);
//! # Ok::<(), ocellus_metrics::Error>(())
//! ```
//!
//! # Items
//!
//! | Counts | What it is |
//! | --- | --- |
//! | [`BinaryCounts`] | tp, fp, fn, tn: accuracy, sensitivity, specificity, precision, NPV, F-beta, MCC, Jaccard, … |
//! | [`ConfusionMatrix`] | any number of classes: accuracy, balanced accuracy, MCC, each class against the rest |
//! | [`KappaWeights`] | Cohen's kappa of a matrix: unweighted, linear, quadratic |
//! | [`Average`] | macro, micro and weighted averages over classes |
//!
//! | Curves and rankings | What it is |
//! | --- | --- |
//! | [`auroc`], [`average_precision`] | how well scores rank, ties exact |
//! | [`auroc_multiclass`], [`average_precision_multiclass`] | the same for many classes, one against the rest or in pairs |
//! | [`auroc_per_class`], [`average_precision_per_class`] | the same for each class |
//! | [`RocCurve`], [`PrCurve`] | the curves, with all thresholds or their corners |
//! | [`max_f_beta_threshold`], [`youden_threshold`] | the best threshold |
//! | [`sensitivity_at_specificity`], [`specificity_at_sensitivity`] | the best threshold under a condition |
//! | [`top_k_accuracy`] | whether the true class is among the k highest scores |
//!
//! | Probabilities | What it is |
//! | --- | --- |
//! | [`BrierScore`], [`brier_score_multiclass`] | mean squared error |
//! | [`LogLoss`], [`log_loss_multiclass`] | mean −ln p of what happened |
//! | [`CalibrationBins`], [`top_label`] | expected and maximum calibration error, reliability curve |
//!
//! | Maps | What it is |
//! | --- | --- |
//! | [`Localization`] | whether an attention or saliency map finds a region: pointing game, energy, AUROC of pixels |
//! | [`PixelScores`], [`PixelCurve`] | anomaly maps against defects, map by map: AUROC, average precision and best F-beta of pixels, overlap with regions (PRO) |
//! | [`OverlapCurve`] | per-region overlap up to a false positive rate, and the area under it (AUPRO) |
//! | [`Pixels`] | true and predicted classes of an image, or of some rows of a scene, for [`ConfusionMatrix::add_pixels`] and what follows |
//! | [`BoundaryCounts`], [`BoundaryMatcher`] | boundary F1 within a tolerance, of an image or a scene: see [`BoundaryConfig`] |
//! | [`ObjectScores`], [`ObjectMatcher`] | precision and recall of connected objects, such as buildings: see [`ObjectConfig`], [`Connectivity`] |
//!
//! | Intervals | What it is |
//! | --- | --- |
//! | [`wilson_interval`] | of a proportion |
//! | [`mean_interval`] | of a mean over folds or seeds |
//! | [`DeLong`] | of an AUROC, without resampling |
//! | [`Agreement`] | of accuracy and kappa, by bootstrap |
//! | [`bootstrap`] | of anything: plain, stratified or by groups; percentile or BCa |
//!
//! | Tests of two models | What it compares |
//! | --- | --- |
//! | [`McNemar`] | right and wrong on the same samples |
//! | [`delong_test`] | AUROC on the same samples |
//! | [`corrected_t_test`] | folds of one cross-validation |
//! | [`paired_t_test`], [`wilcoxon_test`] | independent data sets |
//! | [`holm`] | corrects the p-values of many comparisons |
//! | [`chi_squared_tail`], [`f_tail`] | p-values of χ² and F statistics |
//!
//! # Rules
//!
//! - **The undefined is never a number.** What is undefined on valid counts is `None`; wrong or
//!   insufficient data are an [`Error`](enum@Error) that says what was wrong, where, and what to do.
//! - **Scores are raw.** Rankings and thresholds take any finite numbers and never squash them;
//!   what needs probabilities refuses anything else.
//! - **The positive class is explicit**: `true`, or the class index that you name. A score at or
//!   above a threshold predicts it.
//! - **Many classes** come as indices from 0 and as one row-major slice `(samples, classes)`.
//! - **Scenes** of any size come in bands of rows, from the top: [`BoundaryMatcher`] and
//!   [`ObjectMatcher`] give exactly what the whole image gives, in bounded memory.
//! - **Merging**: [`BinaryCounts`], [`ConfusionMatrix`], [`PixelScores`], [`BrierScore`], [`LogLoss`] and
//!   [`CalibrationBins`] take data batch by batch and merge. Everything that ranks (AUROC, average
//!   precision, curves, thresholds, DeLong) and the bootstrap need all scores at once.
//! - **Time** is linear, and O(n log n) where scores are sorted; 10⁶ scores rank in about 0.1 s.
//! - **Weights of samples** are not supported.
//!
//! # Features
//!
//! - `serde`: derives `Serialize` for accumulators and results. (JSON has no infinity: `serde_json`
//!   writes the infinite threshold of a curve as `null`.)

#![expect(
    clippy::doc_markdown,
    reason = "DeLong, McNemar, SciPy and NumPy are names of people and programs, not code"
)]

mod check;
mod compare;
mod counts;
mod curves;
mod error;
#[cfg(test)]
mod golden;
mod intervals;
mod localization;
mod probability;
mod regions;
mod scenes;
mod special;

pub use compare::{
    ChiSquaredTest, DeLong, DeLongTest, McNemar, TTest, WilcoxonTest, corrected_t_test,
    delong_test, holm, paired_t_test, wilcoxon_test,
};
pub use counts::{Average, BinaryCounts, ConfusionMatrix, KappaWeights};
pub use curves::{
    MulticlassAuroc, OperatingPoint, PrCurve, RocCurve, auroc, auroc_multiclass, auroc_per_class,
    average_precision, average_precision_multiclass, average_precision_per_class,
    max_f_beta_threshold, sensitivity_at_specificity, specificity_at_sensitivity, youden_threshold,
};
pub use error::{Error, Result};
pub use intervals::{
    Agreement, BootstrapConfig, BootstrapInterval, BootstrapMethod, Interval, Resampling,
    bootstrap, gather, mean_interval, wilson_interval,
};
pub use localization::Localization;
pub use probability::{
    BrierScore, CalibrationBins, LogLoss, ReliabilityBin, brier_score_multiclass,
    log_loss_multiclass, top_k_accuracy, top_label,
};
pub use regions::{OverlapCurve, PixelCurve, PixelScores};
pub use scenes::{
    BoundaryConfig, BoundaryCounts, BoundaryMatcher, Connectivity, ObjectConfig, ObjectMatcher,
    ObjectScores, Pixels,
};
pub use special::{chi_squared_tail, f_tail};
