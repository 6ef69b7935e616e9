use ndarray::ArrayView2;
use ocellus_cluster::{Error, FitLabeled, Result, check};

use super::{Kernel, SvmModel, fit::fit};
use crate::{ClassWeights, Real};

/// A support vector machine: C-SVC by sequential minimal optimization, one against one.
///
/// ```text
/// min ½ αᵀQα − Σ αᵢ,   Qᵢⱼ = yᵢ yⱼ k(xᵢ, xⱼ),   0 ≤ αᵢ ≤ C · weight,   Σ yᵢ αᵢ = 0
/// ```
///
/// Working sets are of the second order [1, WSS 2], samples at a bound are left out while they stay
/// there, and the rows of Q used last are kept, in single precision as LIBSVM and scikit-learn have it;
/// products and exponentials are of the data's precision and better.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{FitLabeled, Predict, Svm};
///
/// let x = array![[0f64, 0.], [1., 1.], [1., 0.], [0., 1.]];
/// let model = Svm::default().with_c(10.).fit(x.view(), &[0, 0, 1, 1])?; // Exclusive or.
/// assert_eq!(model.predict(array![[0.1, 0.1], [0.9, 0.2]].view())?, [0, 1]);
/// assert_eq!(model.support(), [0, 1, 2, 3]);
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
///
/// # Complexity
///
/// O(n · features) for each row of Q that is needed, O(n) for each iteration.
///
/// # References
///
/// 1. R.-E. Fan, P.-H. Chen and C.-J. Lin, *Working set selection using second order information for
///    training support vector machines*, JMLR 6, 2005.
/// 2. C.-C. Chang and C.-J. Lin, *LIBSVM: a library for support vector machines*, ACM TIST 2, 2011.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Svm {
    /// The penalty C of violations.
    pub c: f64,
    /// The kernel.
    pub kernel: Kernel,
    /// What C is multiplied with for the samples of each class.
    pub class_weights: ClassWeights,
    /// How far the conditions of the optimum may be violated.
    pub tolerance: f64,
    /// The bytes of kernel rows that are kept for each pair of classes.
    pub cache_bytes: usize,
    /// Whether samples at a bound are left out meanwhile.
    pub shrinking: bool,
    /// The iterations of each pair of classes; by default 10⁷, or a hundred times the samples.
    pub max_iterations: Option<usize>,
    /// The seed of the folds that probabilities are learned on; none: no probabilities.
    pub probability_seed: Option<u64>,
    /// Whether the summed decisions tell which class it is where several have as many votes.
    pub break_ties: bool,
}

impl Default for Svm {
    /// scikit-learn's: C = 1, RBF, tolerance 1e-3, 200 MB.
    fn default() -> Self {
        Self {
            c: 1.,
            kernel: Kernel::default(),
            class_weights: ClassWeights::Equal,
            tolerance: 1e-3,
            cache_bytes: 200 << 20,
            shrinking: true,
            max_iterations: None,
            probability_seed: None,
            break_ties: false,
        }
    }
}

impl Svm {
    /// The penalty C of violations: 1 by default.
    #[must_use]
    pub const fn with_c(mut self, c: f64) -> Self {
        self.c = c;
        self
    }

    /// The kernel: RBF by default.
    #[must_use]
    pub const fn with_kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// What C is multiplied with for the samples of each class.
    #[must_use]
    pub fn with_class_weights(mut self, weights: ClassWeights) -> Self {
        self.class_weights = weights;
        self
    }

    /// How far the conditions of the optimum may be violated: 1e-3 by default.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// The bytes of kernel rows that are kept for each pair of classes: 200 MB by default.
    #[must_use]
    pub const fn with_cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Whether samples at a bound are left out meanwhile: yes by default.
    #[must_use]
    pub const fn with_shrinking(mut self, shrinking: bool) -> Self {
        self.shrinking = shrinking;
        self
    }

    /// The most iterations of each pair of classes.
    #[must_use]
    pub const fn with_max_iterations(mut self, iterations: usize) -> Self {
        self.max_iterations = Some(iterations);
        self
    }

    /// Learns probabilities too, by Platt scaling on five folds: see [`PlattScaling`](crate::PlattScaling).
    /// Six fits instead of one. The folds are stratified, where LIBSVM's are not.
    #[must_use]
    pub const fn with_probability(mut self, seed: u64) -> Self {
        self.probability_seed = Some(seed);
        self
    }

    /// Whether the summed decisions tell which class it is where several have as many votes; by
    /// default it is the first of them.
    #[must_use]
    pub const fn with_break_ties(mut self, break_ties: bool) -> Self {
        self.break_ties = break_ties;
        self
    }

    fn check(&self) -> Result<()> {
        for (name, value) in [("C", self.c), ("tolerance", self.tolerance)] {
            if !(value > 0. && value.is_finite()) {
                let remedy = "give a finite number above 0";
                return Err(Error::InvalidSetting { name, value: value.to_string(), remedy });
            }
        }
        Ok(())
    }
}

impl<T: Real> FitLabeled<T> for Svm {
    type Model = SvmModel<T>;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<SvmModel<T>> {
        let classes = check::labels(x, y)?;
        self.check()?;
        fit(self, x, y, classes)
    }
}
