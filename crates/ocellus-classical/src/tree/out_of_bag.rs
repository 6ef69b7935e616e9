use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{Error, Float, Result};
use rayon::prelude::*;

use super::tree_model::ROWS;
use super::{DecisionTreeModel, RandomForest};
use crate::scores;

/// How well the trees of a forest judge the samples that they have not seen: an estimate of the
/// accuracy that needs no samples held back.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct OutOfBag {
    /// The share of `samples` whose class the others' trees predict.
    pub accuracy: f64,
    /// The samples that at least one tree has not seen: all, with more than a few trees.
    pub samples: Vec<usize>,
    /// Their mean probabilities, (these samples, classes).
    pub probabilities: Array2<f64>,
}

impl OutOfBag {
    pub(super) fn new<T: Float>(
        settings: &RandomForest,
        trees: &[DecisionTreeModel],
        x: ArrayView2<'_, T>,
        y: &[usize],
    ) -> Result<Self> {
        let seen: Vec<Vec<bool>> = (0..trees.len())
            .into_par_iter()
            .map(|tree| settings.bag(tree, y.len()).0.iter().map(|&count| count > 0).collect())
            .collect();
        let judge = |sample: usize| {
            let mut sum = vec![0.; trees[0].classes];
            let mut votes = 0.;
            for tree in trees.iter().zip(&seen).filter(|(_, seen)| !seen[sample]).map(|(t, _)| t) {
                votes += 1.;
                for (sum, share) in sum.iter_mut().zip(tree.leaf(x.row(sample))) {
                    *sum += share;
                }
            }
            sum.iter_mut().for_each(|sum| *sum /= votes);
            (votes > 0.).then_some((sample, sum))
        };
        let judged: Vec<(usize, Vec<f64>)> =
            (0..y.len()).into_par_iter().with_min_len(ROWS).filter_map(judge).collect();
        let (samples, rows): (Vec<usize>, Vec<Vec<f64>>) = judged.into_iter().unzip();
        if samples.is_empty() {
            let remedy = "fit more trees, so that a sample is left out".into();
            let what = "samples that a tree has not seen";
            return Err(Error::TooFew { what, found: 0, needed: 1, remedy });
        }
        let mut probabilities = Array2::zeros((samples.len(), trees[0].classes));
        for (mut to, row) in probabilities.axis_iter_mut(Axis(0)).zip(rows) {
            to.assign(&ndarray::ArrayView1::from(&row));
        }
        let predicted = scores::largest(&probabilities);
        let right = samples.iter().zip(predicted).filter(|&(&i, class)| y[i] == class).count();
        Ok(Self { accuracy: right as f64 / samples.len() as f64, samples, probabilities })
    }
}
