use ndarray::ArrayView1;

use crate::{Error, Float, Result};

/// How many components are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Components {
    /// That many.
    Count(usize),
    /// The fewest that explain more than this fraction of the variance, between 0 and 1.
    Variance(f64),
}

impl Components {
    /// How many are wanted of these variances, the largest first.
    pub(super) fn among<T: Float>(self, variance: ArrayView1<'_, T>, total: f64) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Variance(fraction) => {
                let mut sum = 0.;
                let more = variance.iter().take_while(|variance| {
                    sum += variance.widen();
                    sum <= fraction * total
                });
                more.count() + 1
            }
        }
        .min(variance.len())
    }
}

impl From<usize> for Components {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

/// How the components are computed, of the centered samples X, n × d.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum PcaSolver {
    /// [`Full`](Self::Full) where n or d is at most 300; else [`Krylov`](Self::Krylov) for few
    /// components and [`Gram`](Self::Gram) for many or a fraction of the variance.
    #[default]
    Auto,
    /// The singular value decomposition of X: exact also for the smallest variances.
    Full,
    /// All eigenvalues of XᵀX, or of XXᵀ where n < d. Variances below about
    /// ε times the largest are lost in rounding (ε = 1e-7 for `f32`).
    Gram,
    /// The largest eigenvalues of XᵀX, or of XXᵀ where n < d, by block Lanczos iterations until each
    /// residual is below `tolerance` times its eigenvalue (and rounding).
    Krylov {
        /// A bound of the relative error of each explained variance.
        tolerance: f64,
    },
    /// A random projection, sharpened by power iterations \[1\]: fast and approximate.
    Randomized {
        /// Dimensions of the projection beyond the components.
        oversamples: usize,
        /// Products with XᵀX.
        iterations: usize,
    },
}

impl PcaSolver {
    /// [`Krylov`](Self::Krylov) to 1e-4.
    #[must_use]
    pub const fn krylov() -> Self {
        Self::Krylov { tolerance: 1e-4 }
    }

    /// [`Randomized`](Self::Randomized) with 10 more dimensions and 7 iterations.
    #[must_use]
    pub const fn randomized() -> Self {
        Self::Randomized { oversamples: 10, iterations: 7 }
    }
}

/// Principal component analysis: the orthogonal directions of the largest variance.
///
/// ```text
/// X = x − μ = U·diag(σ)·Vᵀ,   variances σ² / (n − 1),   transformed X·V
/// ```
///
/// Each component's entry of the largest magnitude is positive, so signs do not depend on the solver.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, Pca, Transform};
///
/// let x = array![[0f64, 0.], [1., 1.], [2., 2.]];
/// let model = Pca::new(1).fit(x.view())?;
/// assert!((model.explained_variance()[0] - 2.).abs() < 1e-12);
/// assert!((model.transform(x.view())?[[2, 0]] - 2f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Complexity
///
/// With m = min(n, d): `Full` O(ndm), `Gram` O(ndm) in fast products and O(m³), `Krylov` O(ndm) in
/// fast products and O(m²k) for each of some ten iterations, `Randomized` O(ndk) for each iteration.
///
/// # References
///
/// 1. Halko, Martinsson, Tropp (2011). Finding structure with randomness. SIAM Review 53(2).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Pca {
    /// How many components are kept.
    pub components: Components,
    /// How they are computed.
    pub solver: PcaSolver,
    /// Whether transformed features are divided by their standard deviations.
    pub whiten: bool,
    /// Of the random projection and of the start of iterations.
    pub seed: u64,
}

impl Pca {
    /// That many components, [`PcaSolver::Auto`], no whitening, seed 0.
    #[must_use]
    pub fn new(components: impl Into<Components>) -> Self {
        Self { components: components.into(), solver: PcaSolver::Auto, whiten: false, seed: 0 }
    }

    /// The fewest components that explain more than this fraction of the variance.
    #[must_use]
    pub fn with_variance(fraction: f64) -> Self {
        Self::new(Components::Variance(fraction))
    }

    /// How the components are computed.
    #[must_use]
    pub const fn with_solver(mut self, solver: PcaSolver) -> Self {
        self.solver = solver;
        self
    }

    /// Whether transformed features are divided by their standard deviations: no by default.
    #[must_use]
    pub const fn with_whiten(mut self, whiten: bool) -> Self {
        self.whiten = whiten;
        self
    }

    /// The seed of random numbers.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Errs unless that many samples and features suffice for the components.
    pub(super) fn check(&self, rows: usize, columns: usize) -> Result<()> {
        if rows < 2 {
            let (what, remedy) = ("samples", "a variance takes two".to_owned());
            return Err(Error::TooFew { what, found: rows, needed: 2, remedy });
        }
        let invalid =
            |name, value: String, remedy| Err(Error::InvalidSetting { name, value, remedy });
        match self.components {
            Components::Count(0) => {
                return invalid("components", "0".to_owned(), "keep one at least");
            }
            Components::Count(needed) if needed > rows.min(columns) => {
                let (what, found) =
                    if rows < columns { ("samples", rows) } else { ("features", columns) };
                let remedy = format!("keep {found} components at most");
                return Err(Error::TooFew { what, found, needed, remedy });
            }
            Components::Variance(fraction) if !(fraction > 0. && fraction < 1.) => {
                let remedy = "a fraction of the variance lies between 0 and 1, both excluded";
                return invalid("components", fraction.to_string(), remedy);
            }
            Components::Variance(_)
                if matches!(
                    self.solver,
                    PcaSolver::Krylov { .. } | PcaSolver::Randomized { .. }
                ) =>
            {
                let remedy = "a fraction of the variance takes all variances: use Full or Gram";
                return invalid("solver", format!("{:?}", self.solver), remedy);
            }
            Components::Count(_) | Components::Variance(_) => {}
        }
        match self.solver {
            PcaSolver::Krylov { tolerance } if !(tolerance > 0. && tolerance < 1.) => {
                invalid("tolerance", tolerance.to_string(), "give a number between 0 and 1")
            }
            _ => Ok(()),
        }
    }
}
