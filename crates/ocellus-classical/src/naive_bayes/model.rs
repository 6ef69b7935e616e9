use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{Float, Predict, Result, check};
use rayon::prelude::*;

use crate::{ClassifierModel, Stored, model::to_document, scores};

/// The model of [`GaussianNaiveBayes`](crate::GaussianNaiveBayes).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GaussianNaiveBayesModel {
    pub(super) priors: Vec<f64>,
    pub(super) means: Array2<f64>,
    pub(super) variances: Array2<f64>,
}

impl GaussianNaiveBayesModel {
    /// The probability of each class before anything is seen.
    #[must_use]
    pub fn priors(&self) -> &[f64] {
        &self.priors
    }

    /// (classes, features).
    #[must_use]
    pub fn means(&self) -> ArrayView2<'_, f64> {
        self.means.view()
    }

    /// With the smoothing, (classes, features).
    #[must_use]
    pub fn variances(&self) -> ArrayView2<'_, f64> {
        self.variances.view()
    }

    /// ln p(y = c, x) of each sample and class, (samples, classes).
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    pub fn joint_log_likelihood<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        check::features(x, self.means.ncols())?;
        let constants: Vec<f64> = (self.priors.iter().zip(self.variances.outer_iter()))
            .map(|(prior, row)| prior.ln() - 0.5 * row.iter().map(|v| (TAU * v).ln()).sum::<f64>())
            .collect();
        let mut joint = Array2::zeros((x.nrows(), self.priors.len()));
        joint.axis_iter_mut(Axis(0)).into_par_iter().zip(x.axis_iter(Axis(0))).for_each(
            |(mut row, sample)| {
                for (class, value) in row.iter_mut().enumerate() {
                    let gaussians = self.means.row(class);
                    let squares = (sample.iter().zip(gaussians).zip(self.variances.row(class)))
                        .map(|((x, mean), variance)| (x.widen() - mean).powi(2) / variance);
                    *value = constants[class] - 0.5 * squares.sum::<f64>();
                }
            },
        );
        Ok(joint)
    }

    /// ln p(y = c | x) of each sample and class, (samples, classes).
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    pub fn predict_log_proba<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        Ok(scores::log_softmax(self.joint_log_likelihood(x)?))
    }
}

impl<T: Float> Predict<T> for GaussianNaiveBayesModel {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        Ok(scores::largest(&self.joint_log_likelihood(x)?))
    }
}

impl<T: Float> ClassifierModel<T> for GaussianNaiveBayesModel {
    fn classes(&self) -> usize {
        self.priors.len()
    }

    fn features(&self) -> usize {
        self.means.ncols()
    }

    fn parameter_count(&self) -> usize {
        2 * self.means.len() + self.means.nrows()
    }

    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        Ok(scores::softmax(self.joint_log_likelihood(x)?))
    }

    fn scores(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        self.joint_log_likelihood(x)
    }

    fn to_document(&self) -> Result<String> {
        to_document(self)
    }
}

impl Stored for GaussianNaiveBayesModel {
    const KIND: &'static str = "gaussian-naive-bayes";

    fn check(&self) -> std::result::Result<(), String> {
        let fits = self.means.dim() == self.variances.dim()
            && self.means.nrows() == self.priors.len()
            && !self.means.is_empty();
        if fits { Ok(()) } else { Err("means, variances and priors differ in size".into()) }
    }
}
