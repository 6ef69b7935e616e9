//! Paired tests between classifiers on the same images.

use anyhow::Result;
use ocellus::{
    figures::{Cell, Section, Table},
    metrics::{McNemar, corrected_t_test, delong_test, holm},
};
use serde::Serialize;

use super::{
    contender::Contender,
    predictions::{Prediction, labels_and_scores},
};

/// How two classifiers differ.
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

/// Compares each of the others with the proposed one.
pub(crate) fn against<'a>(
    proposed: &Contender,
    others: impl IntoIterator<Item = &'a Contender>,
    positive: usize,
) -> Vec<Comparison> {
    let pair = |other| pair(other, proposed, positive);
    let mut all: Vec<Comparison> = others.into_iter().map(pair).collect();
    let p: Option<Vec<f64>> = all.iter().map(|c| c.mcnemar_p).collect();
    if let Some(corrected) = p.and_then(|p| holm(&p).ok()) {
        all.iter_mut().zip(corrected).for_each(|(c, p)| c.mcnemar_p_holm = Some(p));
    }
    all
}

fn pair(a: &Contender, b: &Contender, positive: usize) -> Comparison {
    let areas = |c: &Contender| -> Option<Vec<f64>> {
        c.figures(positive).into_iter().map(|f| f.auroc).collect()
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
        first: a.name.clone(),
        second: b.name.clone(),
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

/// The tests as a table.
pub(crate) fn section(comparisons: &[Comparison]) -> Result<Section> {
    let names =
        ["Network", "against", "Δ AUROC", "t-test p", "DeLong p", "McNemar p", "after Holm"];
    let mut table = Table::new(&names).with_caption(
        "Paired tests on the same images: corrected resampled t-test over folds (Nadeau and Bengio), \
         DeLong on all scores, McNemar (exact) on all decisions.",
    );
    let number = |v: Option<f64>, digits| v.map_or_else(Cell::missing, |v| Cell::number(v, digits));
    for c in comparisons {
        table = table.with_row([
            Cell::from(c.second.as_str()),
            Cell::from(c.first.as_str()),
            number(c.auroc_difference, 3),
            number(c.t_test_p, 3),
            number(c.delong_p, 3),
            number(c.mcnemar_p, 3),
            number(c.mcnemar_p_holm, 3),
        ]);
    }
    Ok(Section::new("Did it help?").with_table(table)?)
}
