use super::mean::Mean;
use crate::{Result, check};

/// The Brier score: the mean squared error of probabilities of the positive class.
///
/// ```text
/// B = mean (p − y)²,  y ∈ {0, 1}
/// ```
///
/// An accumulator: parts of a data set merge to the whole, up to rounding.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::BrierScore;
///
/// let mut score = BrierScore::default();
/// score.add_all(&[true, false], &[0.75, 0.5])?;
/// assert_eq!(score.value(), Some((0.0625 + 0.25) / 2.));
/// assert_eq!(BrierScore::default().value(), None);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct BrierScore(Mean);

impl BrierScore {
    /// Adds a batch of probabilities of the positive class. After an error nothing is changed.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length or a probability is outside 0 to 1.
    pub fn add_all(&mut self, labels: &[bool], probabilities: &[f64]) -> Result<()> {
        self.0.add_all(labels, probabilities, |y, p| square(p - f64::from(y)))
    }

    /// Adds what another accumulator saw.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// The score, between 0 and 1, lower is better; `None` without samples.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.0.value()
    }
}

/// The Brier score of class probabilities, row-major `(samples, classes)`.
///
/// ```text
/// B = mean Σ_c (p_c − y_c)²,  y one-hot
/// ```
///
/// Between 0 and 2. With two classes it is twice the [`BrierScore`] of one of them.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::brier_score_multiclass;
///
/// let score = brier_score_multiclass(&[0, 2], &[0.5, 0.5, 0., 0., 0., 1.], 3)?;
/// assert_eq!(score, 0.25);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths do not fit, a label is no class, or a row is no distribution (within 1e-5).
pub fn brier_score_multiclass(
    labels: &[usize],
    probabilities: &[f64],
    classes: usize,
) -> Result<f64> {
    check::probability_table(labels, probabilities, classes)?;
    let of_row = |(&label, row): (&usize, &[f64])| -> f64 {
        let error = |(class, p): (usize, &f64)| p - f64::from(class == label);
        row.iter().enumerate().map(error).map(square).sum()
    };
    let rows = labels.iter().zip(probabilities.chunks_exact(classes));
    Ok(rows.map(of_row).sum::<f64>() / labels.len() as f64)
}

fn square(error: f64) -> f64 {
    error * error
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, Multiclass, close, number};

    #[test]
    fn matches_scikit_learn() {
        for (labels, scores, case) in golden::binary() {
            let mut score = BrierScore::default();
            score.add_all(&labels, &scores).unwrap();
            close(score.value().unwrap(), number(&case["brier"]), 1e-12);
        }
        for Multiclass { classes, truth: labels, scores, expected: case, .. } in
            golden::multiclass()
        {
            let score = brier_score_multiclass(&labels, &scores, classes).unwrap();
            close(score, number(&case["brier"]), 1e-12);
        }
    }

    #[test]
    fn raw_scores_are_refused() {
        let mut score = BrierScore::default();
        let error = score.add_all(&[true, false], &[0.5, 18.]).unwrap_err().to_string();
        assert_eq!(
            error,
            "probabilities[1] is 18, outside 0 to 1: give probabilities, not raw scores"
        );
        assert_eq!(score, BrierScore::default());
        assert!(score.add_all(&[], &[]).is_err());
        assert!(score.add_all(&[true], &[f64::NAN]).is_err());
        let error = brier_score_multiclass(&[0], &[0.5, 0.2], 2).unwrap_err().to_string();
        assert_eq!(error, "row 0 of the probabilities sums to 0.7, not 1: apply a softmax first");
    }

    proptest! {
        #[test]
        fn parts_merge_to_the_whole(
            pairs in prop::collection::vec((any::<bool>(), 0f64..=1.), 2..60), cut in 1usize..59,
        ) {
            let cut = cut.min(pairs.len() - 1);
            let (labels, p): (Vec<bool>, Vec<f64>) = pairs.into_iter().unzip();
            let [mut whole, mut a, mut b] = [BrierScore::default(); 3];
            whole.add_all(&labels, &p).unwrap();
            a.add_all(&labels[..cut], &p[..cut]).unwrap();
            b.add_all(&labels[cut..], &p[cut..]).unwrap();
            a.merge(&b);
            prop_assert!((a.value().unwrap() - whole.value().unwrap()).abs() < 1e-14);
        }
    }
}
