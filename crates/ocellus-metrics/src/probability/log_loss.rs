use super::mean::Mean;
use crate::{Result, check};

/// The log loss of probabilities of the positive class: the mean of −ln p of what happened.
///
/// ```text
/// L = −mean (y ln p + (1 − y) ln (1 − p))
/// ```
///
/// Probabilities are kept 2.2e-16 away from 0 and 1, as in scikit-learn, so that one sure and wrong
/// prediction adds 36.04 and not infinity. An accumulator: parts of a data set merge to the whole,
/// up to rounding.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::LogLoss;
///
/// let mut loss = LogLoss::default();
/// loss.add_all(&[true, false], &[0.5, 0.5])?;
/// assert!((loss.value().unwrap() - 2f64.ln()).abs() < 1e-15);
/// assert_eq!(LogLoss::default().value(), None);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LogLoss(Mean);

impl LogLoss {
    /// Adds a batch of probabilities of the positive class. After an error nothing is changed.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length or a probability is outside 0 to 1.
    pub fn add_all(&mut self, labels: &[bool], probabilities: &[f64]) -> Result<()> {
        self.0.add_all(labels, probabilities, |y, p| surprise(if y { p } else { 1. - p }))
    }

    /// Adds what another accumulator saw.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// The loss, lower is better; `None` without samples.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.0.value()
    }
}

/// The log loss of class probabilities, row-major `(samples, classes)`: the mean of −ln p of the
/// true class, with p kept 2.2e-16 away from 0 and 1.
///
/// # Examples
///
/// ```
/// let loss = ocellus_metrics::log_loss_multiclass(&[2], &[0.25, 0.25, 0.5], 3)?;
/// assert!((loss - 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths do not fit, a label is no class, or a row is no distribution (within 1e-5).
pub fn log_loss_multiclass(labels: &[usize], probabilities: &[f64], classes: usize) -> Result<f64> {
    check::probability_table(labels, probabilities, classes)?;
    let rows = labels.iter().zip(probabilities.chunks_exact(classes));
    Ok(rows.map(|(&label, row)| surprise(row[label])).sum::<f64>() / labels.len() as f64)
}

fn surprise(p: f64) -> f64 {
    -p.clamp(f64::EPSILON, 1. - f64::EPSILON).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, Multiclass, close, number};

    #[test]
    fn matches_scikit_learn() {
        for (labels, scores, case) in golden::binary() {
            let mut loss = LogLoss::default();
            loss.add_all(&labels, &scores).unwrap();
            close(loss.value().unwrap(), number(&case["log_loss"]), 1e-12);
        }
        for Multiclass { classes, truth: labels, scores, expected: case, .. } in
            golden::multiclass()
        {
            let loss = log_loss_multiclass(&labels, &scores, classes).unwrap();
            close(loss, number(&case["log_loss"]), 1e-12);
        }
    }

    #[test]
    fn a_sure_and_wrong_prediction_costs_36() {
        let mut loss = LogLoss::default();
        loss.add_all(&[true, false], &[0., 1.]).unwrap();
        close(loss.value().unwrap(), 36.04365338911715, 1e-14);
        let mut right = LogLoss::default();
        right.add_all(&[true, false], &[1., 0.]).unwrap();
        assert!(right.value().unwrap() < 1e-15);
        right.merge(&loss);
        close(right.value().unwrap(), 36.04365338911715 / 2., 1e-14);
    }

    #[test]
    fn raw_scores_are_refused() {
        assert!(LogLoss::default().add_all(&[true], &[-0.1]).is_err());
        assert!(LogLoss::default().add_all(&[true], &[0.1, 0.2]).is_err());
        assert!(log_loss_multiclass(&[0], &[3., -2.], 2).is_err());
        assert!(log_loss_multiclass(&[], &[], 2).is_err());
    }
}
