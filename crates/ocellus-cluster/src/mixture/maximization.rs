use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::covariance::{CovarianceType, Covariances};
use crate::linalg::{add_gram, gram, product};
use crate::table::Table;
use crate::{Error, Result};

/// Samples that are weighted at a time.
const ROWS: usize = 4096;

/// Weights, means and covariances that maximize the likelihood for given responsibilities.
pub(super) struct Maximization<'a> {
    x: &'a Table<f64>,
    covariance: CovarianceType,
    regularization: f64,
    /// XᵀX, which tied covariances all begin with.
    scatter: Option<Array2<f64>>,
}

/// What the samples say of the components.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    pub(super) weights: Vec<f64>,
    pub(super) means: Array2<f64>,
    pub(super) covariances: Covariances,
}

impl<'a> Maximization<'a> {
    /// Of samples around their mean.
    pub(super) fn new(
        x: &'a Table<f64>,
        covariance: CovarianceType,
        regularization: f64,
    ) -> Result<Self> {
        let tied = covariance == CovarianceType::Tied;
        let scatter = tied.then(|| gram(x.view())).transpose()?;
        Ok(Self { x, covariance, regularization, scatter })
    }

    /// `responsibilities` are (samples, components).
    pub(super) fn estimate(&self, responsibilities: ArrayView2<'_, f64>) -> Result<Estimate> {
        let ones = Array2::<f64>::ones((1, self.x.len()));
        let masses = product(ones.view(), responsibilities)?;
        let masses: Vec<f64> = masses.iter().map(|mass| mass + 10. * f64::EPSILON).collect();
        let mut means = product(responsibilities.t(), self.x.view())?;
        for (mut mean, mass) in means.outer_iter_mut().zip(&masses) {
            mean /= *mass;
        }
        let covariances = match self.covariance {
            CovarianceType::Full => {
                let of = |(k, mass): (usize, &f64)| {
                    self.matrix(
                        responsibilities.slice(s![.., k..=k]),
                        means.slice(s![k..=k, ..]),
                        *mass,
                    )
                };
                Covariances::Full(masses.iter().enumerate().map(of).collect::<Result<_>>()?)
            }
            CovarianceType::Tied => Covariances::Tied(self.tied(&masses, &means)?),
            CovarianceType::Diagonal => {
                Covariances::Diagonal(self.variances(responsibilities, &masses, &means))
            }
            CovarianceType::Spherical => {
                let variances = self.variances(responsibilities, &masses, &means);
                let means = variances.outer_iter().map(|row| row.sum() / row.len() as f64);
                Covariances::Spherical(means.collect())
            }
        };
        let total: f64 = masses.iter().sum();
        let weights = masses.iter().map(|mass| mass / total).collect();
        if !means.iter().all(|mean| mean.is_finite()) {
            let remedy = "scale the features: their squares are not finite";
            return Err(Error::setting("the data", "too large", remedy));
        }
        Ok(Estimate { weights, means, covariances })
    }

    /// Σ rᵢ (xᵢ − μ)(xᵢ − μ)ᵀ / Σ rᵢ, and the regularization.
    fn matrix(
        &self,
        responsibilities: ArrayView2<'_, f64>,
        mean: ArrayView2<'_, f64>,
        mass: f64,
    ) -> Result<Array2<f64>> {
        let features = self.x.columns();
        let mut sum = Array2::zeros((features, features));
        for start in (0..self.x.len()).step_by(ROWS) {
            let rows = start..self.x.len().min(start + ROWS);
            let mut block = &self.x.view().slice(s![rows.clone(), ..]) - &mean;
            let roots = responsibilities.slice(s![rows, ..]).mapv(f64::sqrt);
            block *= &roots;
            add_gram(1., block.view(), sum.view_mut())?;
        }
        sum /= mass;
        sum.diag_mut().mapv_inplace(|variance| variance + self.regularization);
        Ok(sum)
    }

    /// (XᵀX − Σₖ nₖ μₖμₖᵀ) / n, and the regularization.
    fn tied(&self, masses: &[f64], means: &Array2<f64>) -> Result<Array2<f64>> {
        let mut weighted = means.clone();
        for (mut mean, mass) in weighted.outer_iter_mut().zip(masses) {
            mean *= mass.sqrt();
        }
        let between = gram(weighted.view())?;
        let mut within = match &self.scatter {
            Some(scatter) => scatter - &between,
            None => gram(self.x.view())? - &between,
        };
        within /= masses.iter().sum::<f64>();
        within.diag_mut().mapv_inplace(|variance| variance + self.regularization);
        Ok(within)
    }

    /// Σ rᵢ (xᵢ − μ)² / Σ rᵢ of each feature, and the regularization.
    fn variances(
        &self,
        responsibilities: ArrayView2<'_, f64>,
        masses: &[f64],
        means: &Array2<f64>,
    ) -> Array2<f64> {
        let starts: Vec<usize> = (0..self.x.len()).step_by(ROWS).collect();
        let parts = starts.into_par_iter().map(|start| {
            let mut sums = Array2::<f64>::zeros(means.dim());
            for i in start..self.x.len().min(start + ROWS) {
                let of_sample = sums.outer_iter_mut().zip(means.outer_iter());
                for ((mut sums, means), r) in of_sample.zip(responsibilities.row(i)) {
                    for ((sum, mean), x) in sums.iter_mut().zip(means).zip(self.x.row(i)) {
                        *sum += r * (x - mean).powi(2);
                    }
                }
            }
            sums
        });
        let parts: Vec<Array2<f64>> = parts.collect();
        let mut sums = parts.iter().fold(Array2::zeros(means.dim()), |sum, part| sum + part);
        for (mut row, mass) in sums.axis_iter_mut(Axis(0)).zip(masses) {
            row.mapv_inplace(|sum| sum / mass + self.regularization);
        }
        sums
    }
}
