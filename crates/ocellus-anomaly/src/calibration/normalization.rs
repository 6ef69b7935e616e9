use candle_core::{DType, Device, Tensor, cpu::erf::erfc_f64};

use crate::{Error, Result, ScoreDistribution, on_cpu::on_cpu};

/// Scores on a scale that people read: 0.5 at the threshold, or standard deviations.
///
/// # Examples
///
/// ```
/// use ocellus_anomaly::{Normalization, ScoreDistribution};
///
/// let mut normal = ScoreDistribution::exact();
/// normal.add(&[10., 20., 30.])?;
/// let percent = Normalization::min_max(&normal, 25.)?;
/// assert_eq!(percent.apply(25.), 0.5);
/// assert_eq!(percent.apply(30.), 0.75);
/// assert_eq!(percent.apply(99.), 1.);
/// assert_eq!(Normalization::z_score(&normal)?.apply(40.), 2.);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Normalization {
    /// `(s − threshold) / (max − min) + ½`, kept in [0, 1]: anomalib's. Where all scores are the
    /// same, 0 below the threshold, ½ at it and 1 above.
    MinMax {
        /// The least score.
        min: f64,
        /// The greatest score.
        max: f64,
        /// The score that becomes ½.
        threshold: f64,
    },
    /// `(s − mean) / std`.
    ZScore {
        /// The mean score.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
    /// `Φ((ln s − ln threshold) / std)` with the standard deviation of the logarithms of normal
    /// scores: the `cdf` normalization of anomalib before 2.0. 0 for scores that are not positive.
    LogNormal {
        /// The standard deviation of the logarithms.
        std: f64,
        /// The score that becomes ½.
        threshold: f64,
    },
}

impl Normalization {
    /// ½ at the threshold, 1 where the range of the scores lies between.
    ///
    /// anomalib takes the range of all validation images, anomalous ones too.
    ///
    /// # Errors
    ///
    /// If there is no score, or the threshold is not finite.
    pub fn min_max(scores: &ScoreDistribution, threshold: f64) -> Result<Self> {
        check(scores, 1, threshold)?;
        Ok(Self::MinMax { min: scores.min(), max: scores.max(), threshold })
    }

    /// Standard deviations from the mean of normal scores.
    ///
    /// # Errors
    ///
    /// If there are fewer than two scores, or all are the same.
    pub fn z_score(normal: &ScoreDistribution) -> Result<Self> {
        check(normal, 2, 0.)?;
        if normal.std() == 0. {
            return Err(Error::Value(format!(
                "all {} scores are {}: there is no standard deviation to divide by",
                normal.count(),
                normal.mean()
            )));
        }
        Ok(Self::ZScore { mean: normal.mean(), std: normal.std() })
    }

    /// ½ at the threshold, by the spread of the logarithms of normal scores.
    ///
    /// # Errors
    ///
    /// If there are fewer than two scores, one or the threshold is not positive, or all are the
    /// same.
    pub fn log_normal(normal: &ScoreDistribution, threshold: f64) -> Result<Self> {
        check(normal, 2, threshold)?;
        if normal.min() <= 0. || threshold <= 0. || normal.min() == normal.max() {
            return Err(Error::Value(format!(
                "logarithms of scores of {} to {} with a threshold of {threshold}: all must be \
                 positive, and not all the same",
                normal.min(),
                normal.max()
            )));
        }
        let n = normal.count() as f64;
        let sum = |f: &dyn Fn(f64) -> f64| -> f64 {
            normal.scores().map(|(score, count)| f(score.ln()) * count as f64).sum()
        };
        let mean = sum(&|log| log) / n;
        let std = (sum(&|log| (log - mean).powi(2)) / (n - 1.)).sqrt();
        Ok(Self::LogNormal { std, threshold })
    }

    /// The score on the scale.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        match *self {
            Self::MinMax { min, max, threshold } if max > min => {
                ((score - threshold) / (max - min) + 0.5).clamp(0., 1.)
            }
            Self::MinMax { threshold, .. } => match score.partial_cmp(&threshold) {
                Some(order) => 0.5 + 0.5 * f64::from(order as i8),
                None => score,
            },
            Self::ZScore { mean, std } => (score - mean) / std,
            Self::LogNormal { .. } if score <= 0. => 0.,
            Self::LogNormal { std, threshold } => {
                let z = (score.ln() - threshold.ln()) / std;
                0.5 * erfc_f64(-z / std::f64::consts::SQRT_2)
            }
        }
    }

    /// A tensor of scores, such as a map, on the scale.
    ///
    /// # Errors
    ///
    /// If it cannot be read from its device.
    pub fn apply_tensor(&self, scores: &Tensor) -> Result<Tensor> {
        let values = on_cpu(scores, DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let values: Vec<f64> = values.into_iter().map(|score| self.apply(score)).collect();
        let normalized = Tensor::from_vec(values, scores.shape(), &Device::Cpu)?;
        Ok(normalized.to_dtype(scores.dtype())?.to_device(scores.device())?)
    }

    /// The raw score from which on an image is anomalous at a sensitivity of 0 to 1: the one that
    /// becomes 1 − `sensitivity`. At ½ it is the threshold, at more it is lower, at less higher.
    ///
    /// # Errors
    ///
    /// If the scale has no ½ (a z-score), all scores were the same, or the sensitivity is not
    /// between 0 and 1.
    pub fn threshold_at(&self, sensitivity: f64) -> Result<f64> {
        if !(sensitivity > 0. && sensitivity < 1.) {
            return Err(Error::Setting(format!(
                "a sensitivity of {sensitivity}: give one between 0 and 1, ½ for the threshold itself"
            )));
        }
        match *self {
            Self::MinMax { min, max, threshold } if max > min => {
                Ok(threshold + (0.5 - sensitivity) * (max - min))
            }
            Self::LogNormal { std, threshold } => {
                let z = -std::f64::consts::SQRT_2
                    * candle_core::cpu::erf::erf_inv(2. * sensitivity - 1.);
                Ok((threshold.ln() + std * z).exp())
            }
            _ => Err(Error::Setting(
                "a sensitivity of scores without a ½: take `min_max` or `log_normal`".to_owned(),
            )),
        }
    }
}

fn check(scores: &ScoreDistribution, least: u64, threshold: f64) -> Result<()> {
    if scores.count() < least || !threshold.is_finite() {
        return Err(Error::Value(format!(
            "normalizing by {} scores and a threshold of {threshold}: give {least} at least, and a \
             finite threshold",
            scores.count()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: &[f32]) -> ScoreDistribution {
        let mut scores = ScoreDistribution::exact();
        scores.add(values).unwrap();
        scores
    }

    #[test]
    fn equals_anomalib_by_hand() -> Result<()> {
        let scale = Normalization::min_max(&scores(&[2., 10., 4.]), 6.)?;
        for (score, expected) in [(2., 0.), (4., 0.25), (6., 0.5), (10., 1.), (-50., 0.)] {
            assert_eq!(scale.apply(score), expected);
        }
        let flat = Normalization::min_max(&scores(&[3.]), 3.)?;
        assert_eq!([2., 3., 4.].map(|score| flat.apply(score)), [0., 0.5, 1.]);
        Ok(())
    }

    #[test]
    fn sensitivity_moves_the_threshold_both_ways() -> Result<()> {
        let normal = scores(&[2., 10., 4.]);
        for scale in [Normalization::min_max(&normal, 6.)?, Normalization::log_normal(&normal, 6.)?]
        {
            assert!((scale.threshold_at(0.5)? - 6.).abs() < 1e-9);
            for sensitivity in [0.2, 0.45, 0.7] {
                let threshold = scale.threshold_at(sensitivity)?;
                assert_eq!(threshold < 6., sensitivity > 0.5);
                assert!((scale.apply(threshold) - (1. - sensitivity)).abs() < 1e-9);
            }
            assert!(scale.threshold_at(1.).is_err());
        }
        assert!(Normalization::z_score(&normal)?.threshold_at(0.5).is_err());
        Ok(())
    }

    #[test]
    fn logarithms_equal_the_normal_distribution() -> Result<()> {
        let e = std::f32::consts::E;
        let scale = Normalization::log_normal(&scores(&[1., e, e * e]), f64::from(e))?;
        assert!((scale.apply(f64::from(e * e)) - 0.841_344_746).abs() < 1e-6); // Φ(1)
        assert_eq!(scale.apply(0.), 0.);
        Ok(())
    }

    #[test]
    fn tensors_are_scaled_entry_by_entry() -> Result<()> {
        let scale = Normalization::z_score(&scores(&[1., 3.]))?;
        let map = Tensor::new(&[[2f32, 2. + 2f32.sqrt()]], &Device::Cpu)?;
        let scaled = scale.apply_tensor(&map)?.to_vec2::<f32>()?;
        assert!(scaled[0][0] == 0. && (scaled[0][1] - 1.).abs() < 1e-6);
        Ok(())
    }

    #[test]
    fn refuses_scores_without_spread() {
        assert!(Normalization::z_score(&scores(&[2., 2.])).is_err());
        assert!(Normalization::log_normal(&scores(&[0., 2.]), 1.).is_err());
        assert!(Normalization::min_max(&ScoreDistribution::exact(), 1.).is_err());
        assert!(Normalization::min_max(&scores(&[1.]), f64::NAN).is_err());
    }
}
