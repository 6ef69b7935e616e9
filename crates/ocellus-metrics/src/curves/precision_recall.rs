use super::sweep::Sweep;
use crate::Result;

/// Precision against recall at each threshold.
///
/// In scikit-learn's order: thresholds rise, recall falls, and both `precisions` and `recalls` have
/// one entry more than `thresholds`, the end point (recall 0, precision 1), which belongs to none.
/// A score at or above the threshold predicts the positive class.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::PrCurve;
///
/// let curve = PrCurve::new(&[false, false, true, true], &[0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(curve.thresholds, [0.1, 0.35, 0.4, 0.8]);
/// assert_eq!(curve.precisions, [0.5, 2. / 3., 0.5, 1., 1.]);
/// assert_eq!(curve.recalls, [1., 1., 0.5, 0.5, 0.]);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PrCurve {
    /// The distinct scores, rising.
    pub thresholds: Vec<f64>,
    /// The precision at each threshold, and 1 at the end.
    pub precisions: Vec<f64>,
    /// The recall at each threshold, and 0 at the end.
    pub recalls: Vec<f64>,
}

impl PrCurve {
    /// The curve through every distinct score (scikit-learn's `drop_intermediate=False`).
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, a score is not finite or all labels are the
    /// same.
    ///
    /// # Complexity
    ///
    /// O(n log n).
    pub fn new(labels: &[bool], scores: &[f64]) -> Result<Self> {
        let sweep = Sweep::new("the precision-recall curve", labels, scores)?;
        Ok(Self::through(&sweep, |_| true))
    }

    /// The curve without points strictly between the ends of a vertical run of equal recall
    /// (scikit-learn's `drop_intermediate=True`).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Complexity
    ///
    /// O(n log n).
    pub fn corners(labels: &[bool], scores: &[f64]) -> Result<Self> {
        let sweep = Sweep::new("the precision-recall curve", labels, scores)?;
        let steps = &sweep.steps;
        Ok(Self::through(&sweep, |i| {
            let (Some(before), Some(after)) = (i.checked_sub(1), steps.get(i + 1)) else {
                return true; // An end.
            };
            steps[before].tp != steps[i].tp || steps[i].tp != after.tp
        }))
    }

    fn through(sweep: &Sweep, keep: impl Fn(usize) -> bool) -> Self {
        let kept = || (0..sweep.steps.len()).rev().filter(|&i| keep(i)).map(|i| sweep.steps[i]);
        let precision = kept().map(|s| s.tp as f64 / (s.tp + s.fp) as f64);
        let recall = kept().map(|s| s.tp as f64 / sweep.positives as f64);
        Self {
            thresholds: kept().map(|s| s.threshold).collect(),
            precisions: precision.chain([1.]).collect(),
            recalls: recall.chain([0.]).collect(),
        }
    }
}

/// Average precision: the precision at each threshold, weighted by the recall gained there.
///
/// ```text
/// AP = Σ (R_i − R_{i−1}) P_i
/// ```
///
/// Not the trapezoidal area under the curve, which is too optimistic.
///
/// # Examples
///
/// ```
/// let labels = [false, false, true, true, false, true, false, true];
/// let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];
/// let ap = ocellus_metrics::average_precision(&labels, &scores)?;
/// assert!((ap - 0.9166667).abs() < 1e-7);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length, a score is not finite or all labels are the same.
///
/// # Complexity
///
/// O(n log n) for n scores, which it needs all at once.
pub fn average_precision(labels: &[bool], scores: &[f64]) -> Result<f64> {
    Ok(mean_precision(&Sweep::new("average precision", labels, scores)?))
}

/// Average precision of a sweep.
pub(crate) fn mean_precision(sweep: &Sweep) -> f64 {
    let mut found = 0;
    let mut sum = 0.;
    for step in &sweep.steps {
        sum += (step.tp - found) as f64 * (step.tp as f64 / (step.tp + step.fp) as f64);
        found = step.tp;
    }
    sum / sweep.positives as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, all_close, close, number, numbers};

    #[test]
    fn matches_scikit_learn() {
        for (labels, scores, case) in golden::binary() {
            for (curve, key) in [
                (PrCurve::new(&labels, &scores).unwrap(), "pr"),
                (PrCurve::corners(&labels, &scores).unwrap(), "pr_dropped"),
            ] {
                let expected = &case[key];
                all_close(&curve.thresholds, &numbers(&expected["thresholds"]), 0.);
                all_close(&curve.precisions, &numbers(&expected["precision"]), 1e-12);
                all_close(&curve.recalls, &numbers(&expected["recall"]), 1e-12);
            }
            let ap = average_precision(&labels, &scores).unwrap();
            close(ap, number(&case["average_precision"]), 1e-12);
        }
    }

    #[test]
    fn one_class_is_an_error() {
        for label in [true, false] {
            assert!(PrCurve::new(&[label; 3], &[1., 2., 3.]).is_err());
            let error = average_precision(&[label; 3], &[1., 2., 3.]).unwrap_err().to_string();
            assert!(error.starts_with("average precision is undefined: all 3"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_perfect_order_has_precision_one(positives in 1usize..20, negatives in 1usize..20) {
            let labels: Vec<bool> = (0..positives + negatives).map(|i| i >= negatives).collect();
            let scores: Vec<f64> = (0..positives + negatives).map(|i| i as f64 * 50.).collect();
            prop_assert_eq!(average_precision(&labels, &scores), Ok(1.));
        }

        #[test]
        fn recall_falls_along_the_curve(
            pairs in prop::collection::vec((any::<bool>(), -9i32..9), 0..50),
        ) {
            let ends = [(true, 0), (false, 1)];
            let (labels, scores): (Vec<bool>, Vec<f64>) =
                pairs.into_iter().chain(ends).map(|(l, s)| (l, f64::from(s))).unzip();
            let curve = PrCurve::new(&labels, &scores).unwrap();
            prop_assert!(curve.thresholds.is_sorted_by(|a, b| a < b));
            prop_assert!(curve.recalls.is_sorted_by(|a, b| a >= b));
            prop_assert!(curve.precisions.iter().all(|p| (0. ..=1.).contains(p)));
        }
    }
}
