//! Whether sources that share no class look apart: then a score says nothing about cells.

use std::collections::BTreeSet;

use ndarray::Array2;
use ocellus::{
    classical::{Folds, LogisticRegression, Pipeline, Score, cross_validate},
    cluster::StandardScaler,
    data::Image,
};
use serde::Serialize;

/// From which AUROC on two sources are told apart by their mean color.
const APART: f64 = 0.95;
/// Folds of the cross-validation, fewer where a source has fewer images.
const FOLDS: usize = 5;

/// Two folders of `--data` without a common class.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Contrast {
    pub(crate) first: String,
    pub(crate) second: String,
    /// How well the mean of red, green and blue tells them apart, on images that were not learned from.
    pub(crate) auroc: f64,
    /// What that means for a score, if they are.
    pub(crate) warning: Option<String>,
}

/// The contrast of each two sources without a common class; `of` has the source of each image.
pub(crate) fn contrasts(
    names: &[String],
    of: &[usize],
    labels: &[usize],
    images: &[Image],
) -> Vec<Contrast> {
    let members = |source: usize| (0..of.len()).filter(move |&i| of[i] == source);
    let classes = |source| members(source).map(|i| labels[i]).collect::<BTreeSet<usize>>();
    let mut found = Vec::new();
    for second in 1..names.len() {
        for first in 0..second {
            if !classes(first).is_disjoint(&classes(second)) {
                continue;
            }
            let of_first: Vec<&Image> = members(first).map(|i| &images[i]).collect();
            let of_second: Vec<&Image> = members(second).map(|i| &images[i]).collect();
            let Some(auroc) = auroc(&of_first, &of_second) else { continue };
            let (first, second) = (names[first].clone(), names[second].clone());
            let warning = (auroc >= APART).then(|| {
                format!(
                    "{first} and {second} have no class in common, and the mean color of an image tells \
                     which of them it is from (AUROC {auroc:.3}): a score shows that the program runs, \
                     and nothing about cells."
                )
            });
            found.push(Contrast { first, second, auroc, warning });
        }
    }
    found
}

/// By logistic regression on the mean colors, cross-validated; nothing if there are too few images.
fn auroc(first: &[&Image], second: &[&Image]) -> Option<f64> {
    let folds = FOLDS.min(first.len()).min(second.len());
    let labels = [vec![0; first.len()], vec![1; second.len()]].concat();
    let colors: Vec<f64> =
        first.iter().chain(second).flat_map(|image| image.planes().map(mean)).collect();
    let x = Array2::from_shape_vec((labels.len(), colors.len() / labels.len()), colors).ok()?;
    let folds = Folds::stratified(&labels, folds, 0).ok()?;
    let classifier =
        Pipeline::new(LogisticRegression::default()).with_step(StandardScaler::default());
    let said = cross_validate(&classifier, x.view(), &labels, &folds).ok()?;
    let scores = said.score(&labels, &folds, Score::Auroc).ok()?;
    Some(scores.iter().sum::<f64>() / scores.len() as f64)
}

fn mean(plane: &[f32]) -> f64 {
    plane.iter().map(|&value| f64::from(value)).sum::<f64>() / plane.len() as f64
}
