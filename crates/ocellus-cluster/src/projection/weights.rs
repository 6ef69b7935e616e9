use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{Error, Result};

/// What a random projection is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ProjectionWeights {
    /// ±√(1 / (density · dims)) with probability density / 2 each, else 0.
    Sparse {
        /// The share of weights that are not 0; 1/√features if `None`.
        density: Option<f64>,
    },
    /// Normal with variance 1 / dims.
    Gaussian,
    /// Uniform within ±1/√features: a linear layer as PyTorch draws it, without a bias.
    Uniform,
}

/// To how many features a random projection leads.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ProjectionDims {
    /// That many.
    Fixed(usize),
    /// As many as [`johnson_lindenstrauss_dims`] says for the number of samples.
    JohnsonLindenstrauss {
        /// How much squared distances may be off.
        epsilon: f64,
    },
}

/// How many random features keep all squared distances between samples within 1 ± ε, whatever
/// number of features the samples have.
///
/// ```text
/// dims = ⌊4 ln(samples) / (ε²/2 − ε³/3)⌋, at least 1
/// ```
///
/// # Examples
///
/// ```
/// use ocellus_cluster::johnson_lindenstrauss_dims;
///
/// assert_eq!(johnson_lindenstrauss_dims(163_856, 0.9)?, 296);
/// assert_eq!(johnson_lindenstrauss_dims(1_000_000, 0.5)?, 663);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If ε is not between 0 and 1, or there are no samples.
///
/// # References
///
/// S. Dasgupta, A. Gupta: An elementary proof of a theorem of Johnson and Lindenstrauss, 2003.
pub fn johnson_lindenstrauss_dims(samples: usize, epsilon: f64) -> Result<usize> {
    if !(epsilon > 0. && epsilon < 1.) {
        return Err(Error::InvalidSetting {
            name: "epsilon",
            value: epsilon.to_string(),
            remedy: "give a distortion between 0 and 1, both excluded",
        });
    }
    if samples == 0 {
        return Err(Error::Empty { what: "the data", rows: 0, columns: 1 });
    }
    let denominator = epsilon.powi(2) / 2. - epsilon.powi(3) / 3.;
    Ok(((4. * (samples as f64).ln() / denominator) as usize).max(1))
}

impl ProjectionWeights {
    pub(super) fn draw(
        self,
        dims: usize,
        features: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Array2<f32>> {
        match self {
            Self::Sparse { density } => {
                let density = density.unwrap_or(1. / (features as f64).sqrt());
                if !(density > 0. && density <= 1.) {
                    return Err(Error::InvalidSetting {
                        name: "density",
                        value: density.to_string(),
                        remedy: "give a share of more than 0 and at most 1",
                    });
                }
                let size = (1. / (density * dims as f64)).sqrt() as f32;
                Ok(Array2::from_shape_simple_fn((dims, features), || {
                    let (nonzero, positive) = (rng.random_bool(density), rng.random_bool(0.5));
                    match (nonzero, positive) {
                        (false, _) => 0.,
                        (true, true) => size,
                        (true, false) => -size,
                    }
                }))
            }
            Self::Gaussian => {
                let size = 1. / (dims as f64).sqrt();
                let mut normal = || -> f64 { StandardNormal.sample(rng) };
                Ok(Array2::from_shape_simple_fn((dims, features), || (normal() * size) as f32))
            }
            Self::Uniform => {
                let size = 1. / (features as f64).sqrt();
                let mut uniform = || -> f64 { rng.random_range(-1. ..1.) };
                Ok(Array2::from_shape_simple_fn((dims, features), || (uniform() * size) as f32))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn draw(weights: ProjectionWeights) -> Array2<f32> {
        weights.draw(200, 400, &mut ChaCha8Rng::seed_from_u64(1)).unwrap()
    }

    #[test]
    fn sparse_weights_have_two_sizes_and_the_density() {
        let weights = draw(ProjectionWeights::Sparse { density: None });
        let size = (20f32 / 200.).sqrt();
        assert!(weights.iter().all(|&w| w == 0. || (w.abs() - size).abs() < 1e-7));
        // 80,000 draws of probability 1/20: four standard deviations are 247.
        let count = weights.iter().filter(|&&w| w != 0.).count();
        assert!(count.abs_diff(4000) < 250, "{count}");
        let positive = weights.iter().filter(|&&w| w > 0.).count();
        assert!(positive.abs_diff(count / 2) < 130, "{positive} of {count}");
        let dense = draw(ProjectionWeights::Sparse { density: Some(1.) });
        assert!(dense.iter().all(|&w| w != 0.));
    }

    #[test]
    fn dense_weights_have_their_variance() {
        let variance = |weights| draw(weights).iter().map(|w| f64::from(w * w)).sum::<f64>() / 8e4;
        assert!((variance(ProjectionWeights::Gaussian) * 200. - 1.).abs() < 0.03);
        assert!((variance(ProjectionWeights::Uniform) * 3. * 400. - 1.).abs() < 0.03);
        assert!(draw(ProjectionWeights::Uniform).iter().all(|w| w.abs() <= 0.05));
    }

    #[test]
    fn the_lemma_wants_a_distortion_and_samples() {
        for epsilon in [0., 1., -0.1, f64::NAN] {
            assert!(johnson_lindenstrauss_dims(10, epsilon).is_err(), "{epsilon}");
        }
        assert!(johnson_lindenstrauss_dims(0, 0.5).is_err());
        assert_eq!(johnson_lindenstrauss_dims(1, 0.5).unwrap(), 1);
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        for density in [0., 1.1, f64::NAN] {
            let weights = ProjectionWeights::Sparse { density: Some(density) };
            assert!(weights.draw(2, 2, &mut rng).is_err(), "{density}");
        }
    }
}
