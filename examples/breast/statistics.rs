//! Paired tests between the rows of a table.

use ocellus::metrics::{McNemar, corrected_t_test, delong_test, holm};
use serde::Serialize;

use crate::{
    compare::RowResult,
    outcome::{Prediction, labels_and_scores},
};

/// How two networks differ on the same images.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) first: String,
    pub(crate) second: String,
    /// Mean difference of the folds' AUROC, second less first.
    pub(crate) auroc_difference: Option<f64>,
    /// Nadeau and Bengio's corrected resampled t-test over the folds' AUROC.
    pub(crate) t_test_p: Option<f64>,
    /// DeLong's test on the scores of all folds together.
    pub(crate) delong_p: Option<f64>,
    /// McNemar's exact test on the decisions of all folds together.
    pub(crate) mcnemar_p: Option<f64>,
    /// `mcnemar_p` after Holm's correction for the number of comparisons.
    pub(crate) mcnemar_p_holm: Option<f64>,
}

/// Compares every row with the last, the proposed network.
pub(crate) fn against_the_last(results: &[RowResult], positive: usize) -> Vec<Comparison> {
    let Some((last, others)) = results.split_last() else { return Vec::new() };
    let mut all: Vec<Comparison> = others.iter().map(|other| pair(other, last, positive)).collect();
    let p: Option<Vec<f64>> = all.iter().map(|c| c.mcnemar_p).collect();
    if let Some(corrected) = p.and_then(|p| holm(&p).ok()) {
        all.iter_mut().zip(corrected).for_each(|(c, p)| c.mcnemar_p_holm = Some(p));
    }
    all
}

fn pair(a: &RowResult, b: &RowResult, positive: usize) -> Comparison {
    let areas = |r: &RowResult| -> Option<Vec<f64>> {
        r.figures(positive).into_iter().map(|f| f.auroc).collect()
    };
    let areas = areas(a).zip(areas(b));
    let folds = a.folds.len();
    let t_test = areas
        .as_ref()
        .filter(|_| folds > 1)
        .and_then(|(a, b)| corrected_t_test(b, a, 1. / (folds as f64 - 1.)).ok());
    let difference =
        areas.map(|(a, b)| b.iter().zip(&a).map(|(b, a)| b - a).sum::<f64>() / folds as f64);
    let (first, second) = (a.predictions(), b.predictions());
    let (labels, scores_a) = labels_and_scores(&first, positive);
    let (_, scores_b) = labels_and_scores(&second, positive);
    let mcnemar = McNemar::new(&right(&first, positive), &right(&second, positive)).ok();
    Comparison {
        first: a.row.title(),
        second: b.row.title(),
        auroc_difference: difference,
        t_test_p: t_test.map(|t| t.p_value),
        delong_p: delong_test(&labels, &scores_b, &scores_a).ok().map(|t| t.p_value),
        mcnemar_p: mcnemar.map(|m| m.exact()),
        mcnemar_p_holm: None,
    }
}

/// Which predictions are right, positive against the rest.
fn right(predictions: &[Prediction], positive: usize) -> Vec<bool> {
    predictions.iter().map(|p| (p.class(positive) == positive) == (p.truth == positive)).collect()
}
