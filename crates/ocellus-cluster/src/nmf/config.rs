use crate::{Error, Result};

/// How the factors are improved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NmfSolver {
    /// One coordinate after the other \[2\]: fast, Frobenius only.
    #[default]
    CoordinateDescent,
    /// Multiplicative updates \[1\]. What starts as 0 stays 0: not for [`NmfInit::Nndsvd`].
    MultiplicativeUpdate,
}

/// What is minimized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Divergence {
    /// ½ Σ (x − y)²
    #[default]
    Frobenius,
    /// Σ x·ln(x / y) − x + y
    KullbackLeibler,
}

/// Where iterations start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum NmfInit {
    /// [`Nndsvda`](Self::Nndsvda), or [`Random`](Self::Random) where there are more components than
    /// samples or features.
    #[default]
    Auto,
    /// Absolute values of normal numbers, scaled to the mean of the data.
    Random,
    /// Of the singular vectors the dominant of their positive and negative parts \[3\]. Has zeros.
    Nndsvd,
    /// The same, with the mean of the data in place of zeros.
    Nndsvda,
}

/// Non-negative matrix factorization.
///
/// ```text
/// minimize  D(X, WH) + α_W·d·(ρ‖W‖₁ + ½(1 − ρ)‖W‖²) + α_H·n·(ρ‖H‖₁ + ½(1 − ρ)‖H‖²),   W, H ≥ 0
/// ```
///
/// X is n × d; the rows of H are the components. Only a local minimum is found; the model tells whether
/// iterations ended by tolerance, and what is left.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_cluster::{Fit, Nmf};
///
/// let x = array![[1., 2.], [2., 4.], [3., 6.]];
/// let model = Nmf::new(1).fit(x.view())?;
/// assert!(model.converged() && model.reconstruction_error() < 1e-6);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Complexity
///
/// O(ndk) for each iteration.
///
/// # References
///
/// 1. Lee, Seung (2001). Algorithms for non-negative matrix factorization. NIPS 13.
/// 2. Cichocki, Phan (2009). Fast local algorithms for large scale nonnegative matrix and tensor
///    factorizations. IEICE Transactions E92-A(3).
/// 3. Boutsidis, Gallopoulos (2008). SVD based initialization: A head start for nonnegative matrix
///    factorization. Pattern Recognition 41(4).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Nmf {
    /// Rows of H.
    pub components: usize,
    /// How the factors are improved.
    pub solver: NmfSolver,
    /// What is minimized.
    pub divergence: Divergence,
    /// Where iterations start.
    pub init: NmfInit,
    /// The most iterations.
    pub max_iterations: usize,
    /// Coordinate descent ends when the projected gradient is this fraction of the first;
    /// multiplicative updates when ten of them lower the error by less than this fraction of the first.
    pub tolerance: f64,
    /// α_W.
    pub alpha_w: f64,
    /// α_H.
    pub alpha_h: f64,
    /// ρ, from 0 (squares) to 1 (absolute values).
    pub l1_ratio: f64,
    /// Of the random start and of the random projection behind singular vectors.
    pub seed: u64,
}

impl Nmf {
    /// Coordinate descent from NNDSVDa, at most 200 iterations, to 1e-4, no regularization.
    #[must_use]
    pub const fn new(components: usize) -> Self {
        Self {
            components,
            solver: NmfSolver::CoordinateDescent,
            divergence: Divergence::Frobenius,
            init: NmfInit::Auto,
            max_iterations: 200,
            tolerance: 1e-4,
            alpha_w: 0.,
            alpha_h: 0.,
            l1_ratio: 0.,
            seed: 0,
        }
    }

    /// How the factors are improved.
    #[must_use]
    pub const fn with_solver(mut self, solver: NmfSolver) -> Self {
        self.solver = solver;
        self
    }

    /// What is minimized. Kullback-Leibler takes [`NmfSolver::MultiplicativeUpdate`].
    #[must_use]
    pub const fn with_divergence(mut self, divergence: Divergence) -> Self {
        self.divergence = divergence;
        self
    }

    /// Where iterations start.
    #[must_use]
    pub const fn with_init(mut self, init: NmfInit) -> Self {
        self.init = init;
        self
    }

    /// The most iterations.
    #[must_use]
    pub const fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// When iterations end; 0 makes all of them.
    #[must_use]
    pub const fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// α_W, α_H and ρ.
    #[must_use]
    pub const fn with_regularization(mut self, alpha_w: f64, alpha_h: f64, l1_ratio: f64) -> Self {
        (self.alpha_w, self.alpha_h, self.l1_ratio) = (alpha_w, alpha_h, l1_ratio);
        self
    }

    /// The seed of random numbers.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    pub(super) fn check(&self, rows: usize, columns: usize) -> Result<()> {
        let invalid = |name, value: &dyn ToString, remedy| {
            Err(Error::InvalidSetting { name, value: value.to_string(), remedy })
        };
        if self.components == 0 {
            return invalid("components", &0, "keep one at least");
        }
        if self.max_iterations == 0 {
            return invalid("max_iterations", &0, "make one at least");
        }
        if !(self.tolerance >= 0. && self.tolerance.is_finite()) {
            return invalid("tolerance", &self.tolerance, "give a finite number, 0 at least");
        }
        for (name, alpha) in [("alpha_w", self.alpha_w), ("alpha_h", self.alpha_h)] {
            if !(alpha >= 0. && alpha.is_finite()) {
                return invalid(name, &alpha, "give a finite number, 0 at least");
            }
        }
        if !(0. ..=1.).contains(&self.l1_ratio) {
            return invalid("l1_ratio", &self.l1_ratio, "give a number from 0 to 1");
        }
        let descent = self.solver == NmfSolver::CoordinateDescent;
        if descent && self.divergence == Divergence::KullbackLeibler {
            return invalid(
                "solver",
                &"CoordinateDescent",
                "Kullback-Leibler takes MultiplicativeUpdate",
            );
        }
        let svd = matches!(self.init, NmfInit::Nndsvd | NmfInit::Nndsvda);
        if svd && self.components > rows.min(columns) {
            let (what, found) =
                if rows < columns { ("samples", rows) } else { ("features", columns) };
            let remedy = format!("keep {found} components at most, or start at random");
            return Err(Error::TooFew { what, found, needed: self.components, remedy });
        }
        Ok(())
    }

    /// L1 and L2 weights of W and of H.
    pub(super) fn penalties(&self, rows: usize, columns: usize) -> [(f64, f64); 2] {
        let weights = |alpha: f64, size: usize| {
            let alpha = alpha * size as f64;
            (alpha * self.l1_ratio, alpha * (1. - self.l1_ratio))
        };
        [weights(self.alpha_w, columns), weights(self.alpha_h, rows)]
    }
}
