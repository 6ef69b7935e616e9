use ndarray::{Array2, ArrayView2};

use super::covariance::{CovarianceType, Covariances, Whitening};
use super::density::{normalize, weighted_log_densities};
use super::maximization::Estimate;
use crate::table::Table;
use crate::{Float, Predict, Result, check};

/// A fitted [`GaussianMixture`](crate::GaussianMixture).
///
/// It predicts the component of which a sample most probably is. What is computed for a sample does
/// not depend on the others.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, GaussianMixture};
///
/// let x = array![[-1.], [1.], [-1.], [1.]];
/// let model = GaussianMixture::new(1).with_regularization(0.).fit(x.view())?;
/// let normal = |x: f64| -0.5 * (x * x + std::f64::consts::TAU.ln());
/// assert!((model.score_samples(array![[2.]].view())?[0] - normal(2.)).abs() < 1e-12);
/// assert_eq!(model.predict_proba(array![[2.]].view())?, array![[1.]]);
/// assert!((model.bic(x.view())? - (-8. * normal(1.) + 2. * 4f64.ln())).abs() < 1e-12);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Parts", into = "Parts"))]
pub struct GaussianMixtureModel {
    parts: Parts,
    whitening: Whitening,
}

/// What a model consists of.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Parts {
    weights: Vec<f64>,
    means: Array2<f64>,
    covariance: CovarianceType,
    covariances: Covariances,
    lower_bound: f64,
    iterations: usize,
    converged: bool,
}

impl GaussianMixtureModel {
    pub(super) fn new(
        estimate: Estimate,
        covariance: CovarianceType,
        lower_bound: f64,
        iterations: usize,
        converged: bool,
    ) -> Result<Self> {
        let Estimate { weights, means, covariances } = estimate;
        let whitening = Whitening::new(&covariances, means.view())?;
        let parts =
            Parts { weights, means, covariance, covariances, lower_bound, iterations, converged };
        Ok(Self { parts, whitening })
    }

    /// The share of each component.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.parts.weights
    }

    /// (components, features).
    #[must_use]
    pub fn means(&self) -> ArrayView2<'_, f64> {
        self.parts.means.view()
    }

    /// The covariances of the components.
    #[must_use]
    pub fn covariances(&self) -> &Covariances {
        &self.parts.covariances
    }

    /// Their inverses.
    #[must_use]
    pub fn precisions(&self) -> Covariances {
        self.whitening.precisions(&self.parts.covariances)
    }

    /// The mean log-likelihood of the samples before the last step of the run that was kept.
    #[must_use]
    pub fn lower_bound(&self) -> f64 {
        self.parts.lower_bound
    }

    /// Iterations of that run.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.parts.iterations
    }

    /// Whether its log-likelihood settled before its last allowed iteration.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.parts.converged
    }

    /// How many numbers the model is free to choose.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let (components, features) = self.parts.means.dim();
        self.parts.covariance.parameters(components, features) + components * features + components
            - 1
    }

    /// ln p(x) of each sample.
    ///
    /// # Errors
    ///
    /// If `x` has another number of features than the model, or holds what is not finite.
    pub fn score_samples<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Vec<f64>> {
        Ok(normalize(&mut self.densities(x)?))
    }

    /// The mean of ln p(x); NaN for no samples.
    ///
    /// # Errors
    ///
    /// As [`GaussianMixtureModel::score_samples`].
    pub fn score<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<f64> {
        let scores = self.score_samples(x)?;
        Ok(scores.iter().sum::<f64>() / scores.len() as f64)
    }

    /// The probability of each component for each sample, (samples, components).
    ///
    /// # Errors
    ///
    /// As [`GaussianMixtureModel::score_samples`].
    pub fn predict_proba<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let mut densities = self.densities(x)?;
        normalize(&mut densities);
        Ok(densities)
    }

    /// The Bayesian information criterion, −2 Σ ln p(x) + parameters · ln samples: the lower the
    /// better.
    ///
    /// # Errors
    ///
    /// As [`GaussianMixtureModel::score_samples`].
    pub fn bic<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<f64> {
        let samples = x.nrows() as f64;
        Ok(-2. * self.score(x)? * samples + self.parameters() as f64 * samples.ln())
    }

    /// The Akaike information criterion, −2 Σ ln p(x) + 2 · parameters: the lower the better.
    ///
    /// # Errors
    ///
    /// As [`GaussianMixtureModel::score_samples`].
    pub fn aic<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<f64> {
        Ok(-2. * self.score(x)? * x.nrows() as f64 + 2. * self.parameters() as f64)
    }

    fn densities<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let features = self.parts.means.ncols();
        check::features(x, features)?;
        let x = Table::centered(x, &vec![0.; features]);
        let Parts { weights, means, .. } = &self.parts;
        Ok(weighted_log_densities(&x, weights, means.view(), &self.whitening))
    }
}

impl<T: Float> Predict<T> for GaussianMixtureModel {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        let most = |row: ndarray::ArrayView1<'_, f64>| {
            let first = (0, f64::NEG_INFINITY);
            let better = |best: (usize, f64), (k, &value): (usize, &f64)| {
                if value > best.1 { (k, value) } else { best }
            };
            row.iter().enumerate().fold(first, better).0
        };
        Ok(self.densities(x)?.outer_iter().map(most).collect())
    }
}

#[cfg(feature = "serde")]
mod stored {
    use super::{Covariances, GaussianMixtureModel, Parts, Whitening};
    use crate::{Error, Result};

    impl TryFrom<Parts> for GaussianMixtureModel {
        type Error = Error;

        fn try_from(parts: Parts) -> Result<Self> {
            let (components, features) = parts.means.dim();
            let square = |matrix: &ndarray::Array2<f64>| matrix.dim() == (features, features);
            let fits = match &parts.covariances {
                Covariances::Full(all) => all.len() == components && all.iter().all(square),
                Covariances::Tied(matrix) => square(matrix),
                Covariances::Diagonal(rows) => rows.dim() == (components, features),
                Covariances::Spherical(variances) => variances.len() == components,
            };
            if !fits || components == 0 || features == 0 || parts.weights.len() != components {
                let value = format!("{components} components of {features} features");
                let remedy = "its weights, means and covariances differ in size: fit it again";
                return Err(Error::setting("a stored mixture", value, remedy));
            }
            let whitening = Whitening::new(&parts.covariances, parts.means.view())?;
            Ok(Self { parts, whitening })
        }
    }

    impl From<GaussianMixtureModel> for Parts {
        fn from(model: GaussianMixtureModel) -> Self {
            model.parts
        }
    }
}
