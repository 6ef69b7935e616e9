use serde::{Deserialize, Serialize};

/// How a trained network is refined on part of a new scene.
///
/// # Examples
///
/// ```
/// use ocellus_satellite::Refinement;
///
/// assert_eq!((Refinement::small().share, Refinement::large().share), (0.07, 0.15));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refinement {
    /// The share of the scene that is annotated; the rest is evaluated.
    pub share: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Passes over the annotated part.
    pub epochs: usize,
}

impl Refinement {
    /// "About 7 percent (small)" at a rate of 10⁻⁴ for 100 epochs.
    #[must_use]
    pub const fn small() -> Self {
        Self { share: 0.07, learning_rate: 1e-4, epochs: 100 }
    }

    /// "15 percent (large)".
    #[must_use]
    pub const fn large() -> Self {
        Self { share: 0.15, ..Self::small() }
    }

    /// Sets the share of the scene that is annotated.
    #[must_use]
    pub const fn with_share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Sets the learning rate.
    #[must_use]
    pub const fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// Sets the passes over the annotated part.
    #[must_use]
    pub const fn with_epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }
}
