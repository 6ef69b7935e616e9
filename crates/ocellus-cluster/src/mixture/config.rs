use ndarray::{Array2, ArrayView2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::covariance::{CovarianceType, Whitening};
use super::density::{normalize, weighted_log_densities};
use super::maximization::{Estimate, Maximization};
use super::model::GaussianMixtureModel;
use crate::table::Table;
use crate::{Error, Fit, Float, KMeans, Result, check, moments};

/// Which responsibilities the first components are estimated of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum MixtureInit {
    /// The clusters of one run of [`KMeans`].
    #[default]
    KMeans,
    /// Uniform random numbers.
    Random,
    /// A component for each sample: there is a single run.
    Labels(Vec<usize>),
}

/// A mixture of Gaussians, fitted by expectation maximization.
///
/// ```text
/// p(x) = Σₖ wₖ N(x; μₖ, Σₖ)
/// ```
///
/// Iterations end when the mean log-likelihood changes by less than `tolerance`; of `n_init` runs
/// that with the highest is kept. That the last allowed iteration was reached is told by
/// [`GaussianMixtureModel::converged`]. All is computed in double precision, whatever the samples'.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, GaussianMixture, Predict};
///
/// let x = array![[0., 0.], [0., 1.], [1., 0.], [5., 5.], [5., 6.], [6., 5.], [9., 0.]];
/// let model = GaussianMixture::new(2).with_seed(3).fit(x.view())?;
/// let near = model.predict(array![[0., 0.]].view())?[0];
/// assert!((model.weights()[near] - 3. / 7.).abs() < 1e-6);
/// assert!((model.means()[[1 - near, 0]] - 6.25).abs() < 1e-6);
/// assert!(model.converged());
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Complexity
///
/// O(samples · components · features²) for an iteration with full or tied covariances, · features
/// with others; a copy of the samples in double precision.
///
/// # References
///
/// 1. A. P. Dempster, N. M. Laird, D. B. Rubin. *Maximum likelihood from incomplete data via the EM
///    algorithm.* Journal of the Royal Statistical Society B 39, 1977.
/// 2. <https://scikit-learn.org/stable/modules/generated/sklearn.mixture.GaussianMixture.html>
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GaussianMixture {
    /// How many Gaussians.
    pub components: usize,
    /// What their covariances may be; full by default.
    pub covariance: CovarianceType,
    /// What the first estimate is of; k-means by default.
    pub init: MixtureInit,
    /// Runs from different starts; 1 by default.
    pub n_init: usize,
    /// The most iterations of a run; 100 by default.
    pub max_iterations: usize,
    /// The change of the mean log-likelihood below which a run ends; 1e-3 by default.
    pub tolerance: f64,
    /// Added to each variance, so that covariances of few samples can be inverted; 1e-6 by default.
    pub regularization: f64,
    /// The seed of the draws; 0 by default.
    pub seed: u64,
}

impl GaussianMixture {
    /// That many Gaussians with full covariances, from the clusters of k-means.
    #[must_use]
    pub fn new(components: usize) -> Self {
        Self {
            components,
            covariance: CovarianceType::default(),
            init: MixtureInit::default(),
            n_init: 1,
            max_iterations: 100,
            tolerance: 1e-3,
            regularization: 1e-6,
            seed: 0,
        }
    }

    /// Sets what the covariances may be.
    #[must_use]
    pub fn with_covariance(mut self, covariance: CovarianceType) -> Self {
        self.covariance = covariance;
        self
    }

    /// Sets what the first estimate is of.
    #[must_use]
    pub fn with_init(mut self, init: MixtureInit) -> Self {
        self.init = init;
        self
    }

    /// Sets how many runs there are.
    #[must_use]
    pub fn with_n_init(mut self, n_init: usize) -> Self {
        self.n_init = n_init;
        self
    }

    /// Sets the most iterations of a run.
    #[must_use]
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the change of the mean log-likelihood below which a run ends; 0 for never.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Sets what is added to each variance.
    #[must_use]
    pub fn with_regularization(mut self, regularization: f64) -> Self {
        self.regularization = regularization;
        self
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn check<T: Float>(&self, x: ArrayView2<'_, T>) -> Result<()> {
        check::samples(x)?;
        check::positive("components", self.components)?;
        let (found, needed) = (x.nrows(), self.components.max(2));
        if found < needed {
            let remedy = "give more samples, or ask for fewer components".to_owned();
            return Err(Error::TooFew { what: "samples", found, needed, remedy });
        }
        check::positive("n_init", self.n_init)?;
        check::positive("max_iterations", self.max_iterations)?;
        check::not_negative("tolerance", self.tolerance)?;
        check::not_negative("regularization", self.regularization)?;
        let MixtureInit::Labels(labels) = &self.init else { return Ok(()) };
        check::one_label_each(x, labels)?;
        match labels.iter().find(|label| **label >= self.components) {
            None => Ok(()),
            Some(label) => {
                let remedy = "number the components from 0, less than `components`";
                Err(Error::setting("an initial label", label, remedy))
            }
        }
    }

    /// The responsibilities that a run starts from.
    fn start(&self, x: &Table<f64>, run: usize) -> Result<Array2<f64>> {
        let size = (x.len(), self.components);
        let labels = match &self.init {
            MixtureInit::Labels(labels) => labels.clone(),
            MixtureInit::KMeans => {
                let seed = self.seed.wrapping_add(run as u64);
                let clusters = KMeans::new(self.components).with_n_init(1).with_seed(seed);
                clusters.fit(x.view())?.labels().to_vec()
            }
            MixtureInit::Random => {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(run as u64);
                let mut draws = Array2::from_shape_simple_fn(size, || rng.random::<f64>());
                for mut row in draws.outer_iter_mut() {
                    let sum = row.sum();
                    row /= sum;
                }
                return Ok(draws);
            }
        };
        Ok(Array2::from_shape_fn(size, |(i, k)| if labels[i] == k { 1. } else { 0. }))
    }

    fn run(&self, maximization: &Maximization<'_>, x: &Table<f64>, run: usize) -> Result<Run> {
        let mut estimate = maximization.estimate(self.start(x, run)?.view())?;
        let mut previous = f64::NEG_INFINITY;
        for iteration in 1..=self.max_iterations {
            let Estimate { weights, means, covariances } = &estimate;
            let whitening = Whitening::new(covariances, means.view())?;
            let mut densities = weighted_log_densities(x, weights, means.view(), &whitening);
            let log_likelihoods = normalize(&mut densities);
            let lower_bound = log_likelihoods.iter().sum::<f64>() / x.len() as f64;
            estimate = maximization.estimate(densities.view())?;
            let converged = (lower_bound - previous).abs() < self.tolerance;
            if converged || iteration == self.max_iterations {
                return Ok(Run { estimate, lower_bound, iterations: iteration, converged });
            }
            previous = lower_bound;
        }
        Err(Error::setting("max_iterations", 0, "give 1 or more"))
    }
}

struct Run {
    estimate: Estimate,
    lower_bound: f64,
    iterations: usize,
    converged: bool,
}

impl<T: Float> Fit<T> for GaussianMixture {
    type Model = GaussianMixtureModel;

    fn fit(&self, x: ArrayView2<'_, T>) -> Result<GaussianMixtureModel> {
        self.check(x)?;
        let origin = moments::means(x);
        let x = Table::centered(x, &origin);
        let maximization = Maximization::new(&x, self.covariance, self.regularization)?;
        let runs = if matches!(self.init, MixtureInit::Labels(_)) { 1 } else { self.n_init };
        let mut best = self.run(&maximization, &x, 0)?;
        for run in 1..runs {
            let next = self.run(&maximization, &x, run)?;
            if next.lower_bound > best.lower_bound {
                best = next;
            }
        }
        let Run { mut estimate, lower_bound, iterations, converged } = best;
        for mut mean in estimate.means.outer_iter_mut() {
            mean.iter_mut().zip(&origin).for_each(|(mean, origin)| *mean += origin);
        }
        GaussianMixtureModel::new(estimate, self.covariance, lower_bound, iterations, converged)
    }
}
