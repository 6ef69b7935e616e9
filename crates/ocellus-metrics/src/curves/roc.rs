use super::sweep::{Step, Sweep};
use crate::Result;

/// The receiver operating characteristic: true against false positive rate at each threshold.
///
/// The three vectors go together, from the highest threshold to the lowest. The first point is
/// (0, 0) at an infinite threshold, the last is (1, 1). A score at or above the threshold predicts
/// the positive class. (`serde_json` writes the infinite threshold as `null`.)
///
/// # Examples
///
/// ```
/// use ocellus_metrics::RocCurve;
///
/// let labels = [false, false, true, true];
/// let curve = RocCurve::new(&labels, &[0.1, 0.4, 0.35, 0.8])?;
/// assert_eq!(curve.thresholds, [f64::INFINITY, 0.8, 0.4, 0.35, 0.1]);
/// assert_eq!(curve.false_positive_rates, [0., 0., 0.5, 0.5, 1.]);
/// assert_eq!(curve.true_positive_rates, [0., 0.5, 0.5, 1., 1.]);
/// assert_eq!(curve.area(), 0.75);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RocCurve {
    /// The thresholds, falling.
    pub thresholds: Vec<f64>,
    /// The share of the negatives at or above each threshold, rising.
    pub false_positive_rates: Vec<f64>,
    /// The share of the positives at or above each threshold, rising.
    pub true_positive_rates: Vec<f64>,
}

impl RocCurve {
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
        let sweep = Sweep::new("the ROC curve", labels, scores)?;
        Ok(Self::through(&sweep, &sweep.steps))
    }

    /// The curve without points that lie evenly between their neighbors: the same picture and
    /// area, smaller to store (scikit-learn's `drop_intermediate=True`).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Complexity
    ///
    /// O(n log n).
    pub fn corners(labels: &[bool], scores: &[f64]) -> Result<Self> {
        let sweep = Sweep::new("the ROC curve", labels, scores)?;
        let steps = &sweep.steps;
        let is_corner = |i: usize| {
            let (Some(before), Some(after)) = (i.checked_sub(1), steps.get(i + 1)) else {
                return true; // An end.
            };
            let (a, b) = (steps[before], steps[i]);
            b.fp - a.fp != after.fp - b.fp || b.tp - a.tp != after.tp - b.tp
        };
        let kept: Vec<Step> =
            steps.iter().enumerate().filter(|&(i, _)| is_corner(i)).map(|(_, &s)| s).collect();
        Ok(Self::through(&sweep, &kept))
    }

    fn through(sweep: &Sweep, steps: &[Step]) -> Self {
        let origin = Step { threshold: f64::INFINITY, tp: 0, fp: 0 };
        let points = || std::iter::once(&origin).chain(steps);
        let (p, n) = (sweep.positives as f64, sweep.negatives as f64);
        Self {
            thresholds: points().map(|s| s.threshold).collect(),
            false_positive_rates: points().map(|s| s.fp as f64 / n).collect(),
            true_positive_rates: points().map(|s| s.tp as f64 / p).collect(),
        }
    }

    /// The area under the curve by the trapezoidal rule: [`auroc`](crate::auroc) up to rounding.
    #[must_use]
    pub fn area(&self) -> f64 {
        let (x, y) = (&self.false_positive_rates, &self.true_positive_rates);
        let slices = x.windows(2).zip(y.windows(2));
        slices.map(|(x, y)| (x[1] - x[0]) * (y[0] + y[1]) / 2.).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        auroc,
        golden::{self, all_close, close, numbers},
    };

    #[test]
    fn matches_scikit_learn() {
        for (labels, scores, case) in golden::binary() {
            for (curve, key) in [
                (RocCurve::new(&labels, &scores).unwrap(), "roc"),
                (RocCurve::corners(&labels, &scores).unwrap(), "roc_dropped"),
            ] {
                let expected = &case[key];
                all_close(&curve.thresholds, &numbers(&expected["thresholds"]), 0.);
                all_close(&curve.false_positive_rates, &numbers(&expected["fpr"]), 1e-12);
                all_close(&curve.true_positive_rates, &numbers(&expected["tpr"]), 1e-12);
                close(curve.area(), auroc(&labels, &scores).unwrap(), 1e-12);
            }
        }
    }

    #[test]
    fn all_scores_equal_leave_two_points() {
        let curve = RocCurve::new(&[true, false, false], &[0.3; 3]).unwrap();
        assert_eq!(curve.thresholds, [f64::INFINITY, 0.3]);
        assert_eq!(curve.area(), 0.5);
        assert!(RocCurve::new(&[true, true], &[0.3, 0.4]).is_err());
    }

    proptest! {
        #[test]
        fn rises_from_corner_to_corner(
            pairs in prop::collection::vec((any::<bool>(), -9i32..9), 0..50),
        ) {
            let ends = [(true, 0), (false, 1)];
            let (labels, scores): (Vec<bool>, Vec<f64>) =
                pairs.into_iter().chain(ends).map(|(l, s)| (l, f64::from(s))).unzip();
            let curve = RocCurve::new(&labels, &scores).unwrap();
            let (x, y) = (&curve.false_positive_rates, &curve.true_positive_rates);
            prop_assert!(curve.thresholds.is_sorted_by(|a, b| a > b));
            prop_assert!(x.is_sorted() && y.is_sorted());
            prop_assert_eq!((x[0], y[0]), (0., 0.));
            prop_assert_eq!((x.last(), y.last()), (Some(&1.), Some(&1.)));
        }
    }
}
