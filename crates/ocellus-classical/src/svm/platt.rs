use ocellus_cluster::{Float, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{fit::Pair, model::Decisions};
use crate::validation::deal;
/// The probability of the first class of a pair from its decision value.
///
/// ```text
/// p = 1 / (1 + exp(A·d + B))
/// ```
///
/// # References
///
/// H.-T. Lin, C.-J. Lin and R. C. Weng, *A note on Platt's probabilistic outputs for support vector
/// machines*, Machine Learning 68, 2007.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PlattScaling {
    /// A
    pub slope: f64,
    /// B
    pub intercept: f64,
}

impl PlattScaling {
    /// The scaling of greatest likelihood for targets (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2).
    ///
    /// `positive` tells which decisions are of samples of the first class; of two slices that differ in
    /// length the rest of the longer one is left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_classical::PlattScaling;
    ///
    /// let scaling = PlattScaling::fit(&[-1., -0.5, 0.5, 1.], &[false, true, false, true]);
    /// assert!((scaling.probability(0.) - 0.5).abs() < 1e-6);
    /// assert!(scaling.probability(1.) > 0.5);
    /// ```
    #[must_use]
    pub fn fit(decisions: &[f64], positive: &[bool]) -> Self {
        let samples = || decisions.iter().zip(positive);
        let positives = samples().filter(|(_, positive)| **positive).count() as f64;
        let negatives = samples().count() as f64 - positives;
        let (high, low) = ((positives + 1.) / (positives + 2.), 1. / (negatives + 2.));
        let targets: Vec<(f64, f64)> =
            samples().map(|(&d, &positive)| (d, if positive { high } else { low })).collect();
        let start = ((negatives + 1.) / (positives + 1.)).ln();
        newton(&targets, Self { slope: 0., intercept: start })
    }

    /// The probability of the first class, within 1e-7 of neither 0 nor 1.
    #[must_use]
    pub fn probability(&self, decision: f64) -> f64 {
        sigmoid(self.exponent(decision)).clamp(1e-7, 1. - 1e-7)
    }

    fn exponent(&self, decision: f64) -> f64 {
        decision * self.slope + self.intercept
    }

    /// −ln of the likelihood.
    fn loss(&self, targets: &[(f64, f64)]) -> f64 {
        let term = |&(d, t): &(f64, f64)| {
            let z = self.exponent(d);
            if z >= 0. { t * z + (-z).exp().ln_1p() } else { (t - 1.) * z + z.exp().ln_1p() }
        };
        targets.iter().map(term).sum()
    }
}

/// 1 / (1 + eᶻ) without overflow.
fn sigmoid(z: f64) -> f64 {
    if z >= 0. { (-z).exp() / (1. + (-z).exp()) } else { 1. / (1. + z.exp()) }
}

/// Newton's method with backtracking.
fn newton(targets: &[(f64, f64)], start: PlattScaling) -> PlattScaling {
    const ITERATIONS: usize = 100;
    const SMALLEST_STEP: f64 = 1e-10;
    const RIDGE: f64 = 1e-12;
    const GRADIENT: f64 = 1e-5;
    let (mut at, mut loss) = (start, start.loss(targets));
    for _ in 0..ITERATIONS {
        let (mut h11, mut h22, mut h21, mut g1, mut g2) = (RIDGE, RIDGE, 0., 0., 0.);
        for &(d, t) in targets {
            let p = sigmoid(at.exponent(d));
            let weight = p * (1. - p);
            h11 += d * d * weight;
            h22 += weight;
            h21 += d * weight;
            g1 += d * (t - p);
            g2 += t - p;
        }
        if g1.abs() < GRADIENT && g2.abs() < GRADIENT {
            break;
        }
        let determinant = h11 * h22 - h21 * h21;
        let slope = -(h22 * g1 - h21 * g2) / determinant;
        let intercept = -(h11 * g2 - h21 * g1) / determinant;
        let descent = g1 * slope + g2 * intercept;
        let mut step = 1.;
        loop {
            let next = PlattScaling {
                slope: at.slope + step * slope,
                intercept: at.intercept + step * intercept,
            };
            let next_loss = next.loss(targets);
            if next_loss < loss + 1e-4 * step * descent {
                (at, loss) = (next, next_loss);
                break;
            }
            step /= 2.;
            if step < SMALLEST_STEP {
                return at;
            }
        }
    }
    at
}

/// The scaling of decisions on samples that were left out of the fit, in five stratified folds.
pub(super) fn cross_validated<T: Float>(
    pair: &Pair<T>,
    seed: u64,
    number: u64,
) -> Result<PlattScaling> {
    const FOLDS: usize = 5;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let samples = pair.positive.len();
    let (first, second) = (0..samples).partition(|&i| pair.positive[i]);
    let fold = deal(samples, vec![first, second], FOLDS, &mut rng);
    let folds: Vec<Vec<(usize, f64)>> = (0..FOLDS)
        .into_par_iter()
        .map(|left_out| {
            let (test, train): (Vec<usize>, Vec<usize>) =
                (0..samples).partition(|&i| fold[i] == left_out);
            let decisions = decisions(&pair.select(&train), &pair.select(&test))?;
            Ok(test.into_iter().zip(decisions).collect())
        })
        .collect::<Result<_>>()?;
    let mut decisions = vec![0.; samples];
    folds.into_iter().flatten().for_each(|(i, decision)| decisions[i] = decision);
    Ok(PlattScaling::fit(&decisions, &pair.positive))
}

fn decisions<T: Float>(train: &Pair<T>, test: &Pair<T>) -> Result<Vec<f64>> {
    let positives = train.positive.iter().filter(|&&positive| positive).count();
    let negatives = train.positive.len() - positives;
    if positives == 0 || negatives == 0 {
        let only = if positives > 0 {
            1.
        } else if negatives > 0 {
            -1.
        } else {
            0.
        };
        return Ok(vec![only; test.positive.len()]);
    }
    let solution = train.solve()?;
    let support: Vec<usize> =
        (0..train.positive.len()).filter(|&i| solution.coefficients[i] != 0.).collect();
    let coefficients: Vec<f64> = support.iter().map(|&i| solution.coefficients[i]).collect();
    // The samples of the first class come first.
    let first = support.iter().filter(|&&i| train.positive[i]).count();
    let vectors = train.select(&support).x;
    let decisions = Decisions {
        kernel: train.kernel,
        origin: train.kernel.origin(vectors.view()),
        support_counts: vec![first, support.len() - first],
        coefficients: ndarray::Array2::from_shape_fn((1, support.len()), |(_, j)| coefficients[j]),
        vectors,
        intercepts: vec![solution.intercept],
    };
    if test.positive.is_empty() {
        return Ok(Vec::new());
    }
    Ok(decisions.of(test.x.view())?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_zero_at_the_optimum() {
        let decisions: Vec<f64> = (0..60).map(|i| ((i * 37) % 60) as f64 / 15. - 2.).collect();
        let positive: Vec<bool> =
            (0..60).map(|i| decisions[i] + ((i % 7) as f64 - 3.) / 2. > 0.).collect();
        let scaling = PlattScaling::fit(&decisions, &positive);
        let count = positive.iter().filter(|p| **p).count() as f64;
        let (high, low) = ((count + 1.) / (count + 2.), 1. / (62. - count));
        let residual = |i: usize| {
            let target = if positive[i] { high } else { low };
            target - sigmoid(scaling.exponent(decisions[i]))
        };
        assert!((0..60).map(residual).sum::<f64>().abs() < 1e-4);
        assert!((0..60).map(|i| residual(i) * decisions[i]).sum::<f64>().abs() < 1e-4);
        assert!(scaling.slope < 0.);
    }

    #[test]
    fn separate_and_extreme_decisions_give_finite_scalings() {
        for scale in [1e-300, 1., 1e6, 1e100] {
            let decisions = [-scale, -scale / 2., scale, 2. * scale];
            let scaling = PlattScaling::fit(&decisions, &[false, false, true, true]);
            for decision in decisions {
                let p = scaling.probability(decision);
                assert!((0. ..=1.).contains(&p), "{scaling:?} gives {p} at {decision}");
            }
        }
    }
}
