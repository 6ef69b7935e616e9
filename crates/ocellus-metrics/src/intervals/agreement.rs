use super::{BootstrapConfig, BootstrapInterval, Resampling, bootstrap};
use crate::{ConfusionMatrix, KappaWeights, Result};

/// Accuracy and Cohen's kappa of predicted classes, with bootstrap intervals.
///
/// The intervals say how far the figures depend on the samples that were tested. How far they
/// depend on the seed of the training is another question: put the figure of each seed into
/// [`mean_interval`](crate::mean_interval).
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{Agreement, BootstrapConfig, KappaWeights, Resampling};
///
/// let truth = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2];
/// let grades = [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 1];
/// let config = BootstrapConfig::seeded(7);
/// let samples = Resampling::Stratified(&truth);
/// let found = Agreement::new(&truth, &grades, 3, KappaWeights::Unweighted, samples, &config)?;
/// assert_eq!(found.accuracy.interval.estimate, 0.75);
/// assert_eq!(format!("{:.2}", found.kappa.interval), "0.61 (0.22 to 1.00)");
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Agreement {
    /// The share of right predictions.
    pub accuracy: BootstrapInterval,
    /// Agreement beyond chance: see [`ConfusionMatrix::kappa`].
    pub kappa: BootstrapInterval,
}

impl Agreement {
    /// Compares classes, given as indices below `classes`, sample by sample.
    ///
    /// # Errors
    ///
    /// If the slices are empty, differ in length or hold what is no class, kappa is undefined (one
    /// class only), or as [`bootstrap`].
    pub fn new(
        truth: &[usize],
        predicted: &[usize],
        classes: usize,
        weights: KappaWeights,
        resampling: Resampling<'_>,
        config: &BootstrapConfig,
    ) -> Result<Self> {
        let mut empty = ConfusionMatrix::new(classes)?;
        empty.add_all(truth, predicted)?; // Whatever is wrong is wrong now.
        empty = ConfusionMatrix::new(classes)?;
        let of = |figure: &dyn Fn(&ConfusionMatrix) -> Option<f64>| {
            bootstrap(resampling, config, |rows| {
                let mut matrix = empty.clone();
                for &row in rows {
                    matrix.count_one(*truth.get(row)?, *predicted.get(row)?);
                }
                figure(&matrix)
            })
        };
        let accuracy = of(&ConfusionMatrix::accuracy)?;
        let kappa = of(&|matrix| matrix.kappa(weights))?;
        Ok(Self { accuracy, kappa })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Error, golden};

    /// The large-sample standard error of kappa: J. L. Fleiss, J. Cohen and B. S. Everitt, 1969.
    fn standard_error(matrix: &ConfusionMatrix) -> f64 {
        let n = matrix.total() as f64;
        let rows: Vec<f64> = matrix.truth_totals().iter().map(|&t| t as f64 / n).collect();
        let columns: Vec<f64> = matrix.predicted_totals().iter().map(|&p| p as f64 / n).collect();
        let observed = matrix.accuracy().unwrap();
        let chance: f64 = rows.iter().zip(&columns).map(|(r, c)| r * c).sum();
        let (mut a, mut b) = (0., 0.);
        for (i, row) in matrix.rows().enumerate() {
            for (j, &count) in row.iter().enumerate() {
                let p = count as f64 / n;
                let both = rows[j] + columns[i];
                if i == j {
                    a += p * (1. - chance - (rows[i] + columns[i]) * (1. - observed)).powi(2);
                } else {
                    b += p * both * both;
                }
            }
        }
        let b = (1. - observed).powi(2) * b;
        let c = (observed * chance - 2. * chance + observed).powi(2);
        ((a + b - c) / n).sqrt() / (1. - chance).powi(2)
    }

    #[test]
    fn standard_errors_are_those_of_large_samples() {
        let counts: [[u64; 3]; 3] = [[60, 15, 5], [20, 90, 30], [10, 40, 130]];
        let (mut truth, mut predicted) = (Vec::new(), Vec::new());
        for (t, row) in counts.iter().enumerate() {
            for (p, &count) in row.iter().enumerate() {
                truth.extend(std::iter::repeat_n(t, count as usize));
                predicted.extend(std::iter::repeat_n(p, count as usize));
            }
        }
        let config = BootstrapConfig::seeded(3);
        let samples = Resampling::Samples(truth.len());
        let weights = KappaWeights::Unweighted;
        let found = Agreement::new(&truth, &predicted, 3, weights, samples, &config).unwrap();
        let matrix = ConfusionMatrix::from_rows(&counts).unwrap();
        golden::close(found.kappa.interval.estimate, matrix.kappa(weights).unwrap(), 0.);
        let p = matrix.accuracy().unwrap();
        let of_accuracy = (p * (1. - p) / truth.len() as f64).sqrt();
        golden::close(found.accuracy.standard_error / of_accuracy, 1., 0.06);
        golden::close(found.kappa.standard_error / standard_error(&matrix), 1., 0.06);
        let interval = found.kappa.interval;
        golden::close(interval.upper - interval.lower, 3.92 * standard_error(&matrix), 0.01);
    }

    #[test]
    fn whole_groups_widen_the_interval() {
        // Ten images of each of 12 patients, all alike.
        let truth: Vec<usize> = (0..120).map(|i| i / 10 % 2).collect();
        let predicted: Vec<usize> = (0..120).map(|i| if i < 30 { 1 } else { i / 10 % 2 }).collect();
        let patients: Vec<usize> = (0..120).map(|i| i / 10).collect();
        let width = |resampling| {
            let config = BootstrapConfig::seeded(1).with_resamples(400);
            let weights = KappaWeights::Quadratic;
            let found = Agreement::new(&truth, &predicted, 2, weights, resampling, &config);
            let interval = found.unwrap().kappa.interval;
            interval.upper - interval.lower
        };
        assert!(width(Resampling::Grouped(&patients)) > 1.5 * width(Resampling::Samples(120)));
    }

    #[test]
    fn the_undefined_and_the_wrong_are_errors() {
        let config = BootstrapConfig::seeded(1).with_resamples(20);
        let of = |truth: &[usize], predicted: &[usize], classes| {
            let samples = Resampling::Samples(truth.len());
            Agreement::new(truth, predicted, classes, KappaWeights::Linear, samples, &config)
        };
        assert!(matches!(of(&[0, 0], &[0, 0], 2), Err(Error::Undefined { .. })));
        assert!(matches!(of(&[0, 2], &[0, 1], 2), Err(Error::UnknownClass { .. })));
        assert!(matches!(of(&[0, 1], &[0], 2), Err(Error::LengthMismatch { .. })));
        assert!(of(&[], &[], 2).is_err());
    }
}
