/// How the scale of a coupling is kept within bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Clamp {
    /// `log σ = α · tanh(s)`: FrEIA 0.2, CFLOW-AD, and anomalib up to 2.7.
    #[default]
    Scaled,
    /// `log σ = α · tanh(s / α)`: FrEIA since August 2023; the identity for small s.
    SoftLimit,
}

/// Settings of [`coupling`](crate::coupling()).
///
/// # Examples
///
/// ```
/// use ocellus_ops::{Clamp, CouplingConfig};
///
/// let config = CouplingConfig::new(1.9).with_clamp(Clamp::SoftLimit).with_permutation(vec![1, 0]);
/// assert_eq!(config.alpha, 1.9);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CouplingConfig {
    /// The bound α of the logarithm of the scale.
    pub alpha: f64,
    /// How the bound is kept.
    pub clamp: Clamp,
    /// Output channel i is channel `permutation[i]` of the coupling; none leaves them in place.
    pub permutation: Option<Vec<u32>>,
}

impl CouplingConfig {
    /// That bound, as FrEIA 0.2 keeps it, and no permutation.
    #[must_use]
    pub fn new(alpha: f64) -> Self {
        Self { alpha, clamp: Clamp::default(), permutation: None }
    }

    /// Sets how the bound is kept.
    #[must_use]
    pub fn with_clamp(self, clamp: Clamp) -> Self {
        Self { clamp, ..self }
    }

    /// Sets the order of the output channels.
    #[must_use]
    pub fn with_permutation(self, permutation: Vec<u32>) -> Self {
        Self { permutation: Some(permutation), ..self }
    }
}
