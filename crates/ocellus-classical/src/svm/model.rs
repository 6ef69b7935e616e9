use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use ocellus_cluster::{Error, Float, Predict, Result, check, linalg::product_by_rows};
use rayon::prelude::*;

use super::{
    PlattScaling,
    coupling::couple,
    kernel::{Function, centered, squared_norms},
};
use crate::{ClassifierModel, Real, Stored, model::to_document, scores};

/// Rows of kernel values in memory at a time.
const ROWS: usize = 1024;

/// The pairs (a, b), a < b, of classes, in the order of decisions.
pub(super) fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| (a, b)))
}

/// The model of an [`Svm`](crate::Svm).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SvmModel<T> {
    pub(super) decisions: Decisions<T>,
    pub(super) support: Vec<usize>,
    pub(super) platt: Option<Vec<PlattScaling>>,
    pub(super) break_ties: bool,
    pub(super) objectives: Vec<f64>,
    pub(super) iterations: Vec<usize>,
    pub(super) converged: bool,
}

impl<T: Real> SvmModel<T> {
    /// The samples that are support vectors, those of class 0 first.
    #[must_use]
    pub fn support(&self) -> &[usize] {
        &self.support
    }

    /// The support vectors, (support vectors, features).
    #[must_use]
    pub fn support_vectors(&self) -> ArrayView2<'_, T> {
        self.decisions.vectors.view()
    }

    /// How many support vectors each class has.
    #[must_use]
    pub fn support_counts(&self) -> &[usize] {
        &self.decisions.support_counts
    }

    /// yᵢ αᵢ of the support vectors, (classes − 1, support vectors), as scikit-learn's `dual_coef_`:
    /// that of a vector of class a against b is in row b − 1 for b > a, in row b for b < a. Of two
    /// classes the second is the positive one, of more the first of each pair.
    #[must_use]
    pub fn dual_coefficients(&self) -> Array2<f64> {
        self.sign() * &self.decisions.coefficients
    }

    /// The intercept of each pair of classes, with the sign of [`dual_coefficients`](Self::dual_coefficients).
    #[must_use]
    pub fn intercepts(&self) -> Vec<f64> {
        self.decisions.intercepts.iter().map(|b| self.sign() * b).collect()
    }

    /// The objective ½ αᵀQα − Σ α of each pair of classes.
    #[must_use]
    pub fn objectives(&self) -> &[f64] {
        &self.objectives
    }

    /// The iterations of each pair of classes.
    #[must_use]
    pub fn iterations(&self) -> &[usize] {
        &self.iterations
    }

    /// Whether the tolerance was reached for all pairs.
    #[must_use]
    pub const fn converged(&self) -> bool {
        self.converged
    }

    /// The scalings of the pairs of classes, where probabilities were asked for.
    #[must_use]
    pub fn platt_scalings(&self) -> Option<&[PlattScaling]> {
        self.platt.as_deref()
    }

    fn class_count(&self) -> usize {
        self.decisions.support_counts.len()
    }

    fn sign(&self) -> f64 {
        if self.class_count() == 2 { -1. } else { 1. }
    }

    /// The decision of each pair of classes, (samples, pairs): (0, 1), (0, 2), …, (1, 2), …. For two
    /// classes it is positive for class 1, for more it is positive for the first of the pair.
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    pub fn decision_one_vs_one(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        Ok(self.sign() * self.decisions.of(x)?)
    }

    /// A decision for each class, (samples, classes): its votes, and less than a half from its summed
    /// decisions. For two classes that of class 1 in one column.
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    pub fn decision_one_vs_rest(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let decisions = self.decisions.of(x)?;
        if self.class_count() == 2 {
            return Ok(-decisions);
        }
        let mut result = Array2::zeros((x.nrows(), self.class_count()));
        for (mut to, from) in result.outer_iter_mut().zip(decisions.outer_iter()) {
            let mut sums = Array1::<f64>::zeros(to.len());
            for ((a, b), &decision) in pairs(to.len()).zip(from) {
                to[if decision < 0. { b } else { a }] += 1.;
                sums[a] += decision;
                sums[b] -= decision;
            }
            to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum / (3. * (sum.abs() + 1.)));
        }
        Ok(result)
    }

    /// The class with the most votes, the first of several.
    fn vote(&self, decisions: ArrayView1<'_, f64>) -> usize {
        let mut votes = vec![0; self.class_count()];
        for ((a, b), &decision) in pairs(votes.len()).zip(decisions) {
            votes[if decision > 0. { a } else { b }] += 1;
        }
        let most = votes.iter().copied().max().unwrap_or(0);
        votes.iter().position(|&v| v == most).unwrap_or(0)
    }
}

impl<T: Real> Predict<T> for SvmModel<T> {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        if self.break_ties && self.class_count() > 2 {
            return Ok(scores::largest(&self.decision_one_vs_rest(x)?));
        }
        Ok(self.decisions.of(x)?.outer_iter().map(|row| self.vote(row)).collect())
    }
}

impl<T: Real> ClassifierModel<T> for SvmModel<T> {
    fn classes(&self) -> usize {
        self.class_count()
    }

    fn features(&self) -> usize {
        self.decisions.vectors.ncols()
    }

    fn parameter_count(&self) -> usize {
        let Decisions { vectors, coefficients, intercepts, .. } = &self.decisions;
        let platt = self.platt.as_ref().map_or(0, |platt| 2 * platt.len());
        vectors.len() + coefficients.len() + intercepts.len() + platt
    }

    /// By Platt scaling of each pair of classes, and coupling where there are more than two. The
    /// likeliest class need not be the predicted one.
    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let Some(scalings) = &self.platt else {
            return Err(Error::InvalidSetting {
                name: "probability_seed",
                value: "none".into(),
                remedy: "fit with `with_probability`, or take decisions",
            });
        };
        let decisions = self.decisions.of(x)?;
        let mut result = Array2::zeros((x.nrows(), self.class_count()));
        let rows = result.axis_iter_mut(Axis(0)).into_par_iter();
        rows.zip(decisions.axis_iter(Axis(0))).for_each(|(mut to, from)| {
            let mut pairwise = Array2::zeros((to.len(), to.len()));
            for (((a, b), &decision), scaling) in pairs(to.len()).zip(from).zip(scalings) {
                let p = scaling.probability(decision);
                (pairwise[[a, b]], pairwise[[b, a]]) = (p, 1. - p);
            }
            to.assign(&couple(&pairwise));
        });
        Ok(result)
    }

    /// The decisions one against the rest, those of class 1 and their negatives for two classes.
    fn scores(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let decisions = self.decision_one_vs_rest(x)?;
        if self.class_count() > 2 {
            return Ok(decisions);
        }
        let sign = |j| if j == 0 { -1. } else { 1. };
        Ok(Array2::from_shape_fn((x.nrows(), 2), |(i, j)| sign(j) * decisions[[i, 0]]))
    }

    fn to_document(&self) -> Result<String> {
        to_document(self)
    }
}

impl<T: Real> Stored for SvmModel<T> {
    const KIND: &'static str = "svm";
    const PRECISION: Option<&'static str> = Some(T::NAME);

    fn check(&self) -> std::result::Result<(), String> {
        let (classes, vectors) = (self.class_count(), self.support.len());
        let pairs = classes * classes.saturating_sub(1) / 2;
        let d = &self.decisions;
        let fits = classes >= 2
            && d.support_counts.iter().sum::<usize>() == vectors
            && d.vectors.nrows() == vectors
            && d.coefficients.dim() == (classes - 1, vectors)
            && d.intercepts.len() == pairs
            && d.origin.as_ref().is_none_or(|origin| origin.len() == d.vectors.ncols())
            && self.platt.as_ref().is_none_or(|platt| platt.len() == pairs);
        if fits { Ok(()) } else { Err("support vectors and coefficients differ in size".into()) }
    }
}

/// What decides between the classes of each pair: positive for the first.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Decisions<T> {
    pub(super) kernel: Function,
    pub(super) origin: Option<Vec<T>>,
    pub(super) vectors: Array2<T>,
    pub(super) support_counts: Vec<usize>,
    pub(super) coefficients: Array2<f64>,
    pub(super) intercepts: Vec<f64>,
}

impl<T: Float> Decisions<T> {
    /// (samples, pairs), each row in bits that do not depend on the others.
    pub(super) fn of(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        check::features(x, self.vectors.ncols())?;
        let origin = self.origin.as_deref();
        let vectors = centered(self.vectors.view(), origin);
        let norms = squared_norms(vectors.view());
        let mut result = Array2::zeros((x.nrows(), self.intercepts.len()));
        for start in (0..x.nrows()).step_by(ROWS) {
            let end = x.nrows().min(start + ROWS);
            let block = centered(x.slice(s![start..end, ..]), origin);
            let block_norms = squared_norms(block.view());
            let products = product_by_rows(block.view(), None, vectors.t())?;
            let mut to = result.slice_mut(s![start..end, ..]);
            to.axis_iter_mut(Axis(0))
                .into_par_iter()
                .zip(products.axis_iter(Axis(0)))
                .zip(&block_norms)
                .for_each(|((to, products), &norm)| {
                    let mut values = vec![0.; norms.len()];
                    let products = products.to_slice().unwrap_or_default();
                    self.kernel.of_products(products, norm, &norms, &mut values);
                    self.decide(&values, to);
                });
        }
        Ok(result)
    }

    /// Sums of kernel values with the support vectors.
    fn decide(&self, values: &[f64], mut to: ndarray::ArrayViewMut1<'_, f64>) {
        let mut starts = vec![0];
        for count in &self.support_counts {
            starts.push(starts[starts.len() - 1] + count);
        }
        let sum = |class: usize, row: usize| {
            let range = starts[class]..starts[class + 1];
            let coefficients = self.coefficients.slice(s![row, range.clone()]);
            coefficients.iter().zip(&values[range]).map(|(c, k)| c * k).sum::<f64>()
        };
        for (pair, (a, b)) in pairs(self.support_counts.len()).enumerate() {
            to[pair] = sum(a, b - 1) + sum(b, a) + self.intercepts[pair];
        }
    }
}
