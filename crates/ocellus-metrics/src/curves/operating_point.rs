use super::sweep::{Step, Sweep};
use crate::{BinaryCounts, Error, Result};

/// A threshold and what it does to the samples it was chosen on.
///
/// A threshold chosen on the data it is judged on is optimistic: choose it on validation data and
/// judge it on other data with [`BinaryCounts::from_scores`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct OperatingPoint {
    /// A score at or above this predicts the positive class.
    pub threshold: f64,
    /// The counts at the threshold.
    pub counts: BinaryCounts,
}

/// The threshold of the greatest F-beta; the highest of equally good ones.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::max_f_beta_threshold;
///
/// let labels = [false, false, true, true, false, true, false, true];
/// let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];
/// let best = max_f_beta_threshold(&labels, &scores, 1.)?;
/// assert_eq!(best.threshold, 0.7);
/// assert!((best.counts.f1().unwrap() - 0.8571429).abs() < 1e-7);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length, a score is not finite, all labels are the same, or
/// `beta` is negative or not finite.
///
/// # Complexity
///
/// O(n log n).
pub fn max_f_beta_threshold(labels: &[bool], scores: &[f64], beta: f64) -> Result<OperatingPoint> {
    max_f_beta(&Sweep::new("the maximum F-beta threshold", labels, scores)?, beta)
}

/// The best F-beta of a sweep.
pub(crate) fn max_f_beta(sweep: &Sweep, beta: f64) -> Result<OperatingPoint> {
    if !(beta >= 0. && beta.is_finite()) {
        return Err(Error::setting("beta", beta, "give a finite number, not negative"));
    }
    best(sweep, |counts| counts.f_beta(beta))
}

/// The threshold of the greatest sensitivity + specificity; the highest of equally good ones.
///
/// # Examples
///
/// ```
/// let labels = [false, false, true, true];
/// let best = ocellus_metrics::youden_threshold(&labels, &[18., 20., 25., 41.])?;
/// assert_eq!(best.threshold, 25.);
/// assert_eq!(best.counts.youden(), Some(1.));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length, a score is not finite or all labels are the same.
///
/// # Complexity
///
/// O(n log n).
pub fn youden_threshold(labels: &[bool], scores: &[f64]) -> Result<OperatingPoint> {
    let sweep = Sweep::new("Youden's threshold", labels, scores)?;
    // tp / P − fp / N in integers: equally good thresholds compare equal.
    let (p, n) = (sweep.positives as i128, sweep.negatives as i128);
    let index = |step: &Step| step.tp as i128 * n - step.fp as i128 * p;
    let mut chosen = sweep.steps.first();
    for step in &sweep.steps {
        if chosen.is_none_or(|best| index(step) > index(best)) {
            chosen = Some(step);
        }
    }
    point(&sweep, chosen.copied())
}

/// The threshold of the greatest sensitivity among those of at least that specificity.
///
/// Its threshold is infinite, its sensitivity 0, if only calling nothing positive is specific
/// enough.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::sensitivity_at_specificity;
///
/// let labels = [false, false, false, false, true, true, true];
/// let scores = [0.1, 0.2, 0.3, 0.7, 0.5, 0.8, 0.9];
/// let strict = sensitivity_at_specificity(&labels, &scores, 1.)?;
/// assert_eq!((strict.threshold, strict.counts.sensitivity()), (0.8, Some(2. / 3.)));
/// let loose = sensitivity_at_specificity(&labels, &scores, 0.75)?;
/// assert_eq!((loose.threshold, loose.counts.sensitivity()), (0.5, Some(1.)));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length, a score is not finite, all labels are the same, or
/// `specificity` is outside 0 to 1.
///
/// # Complexity
///
/// O(n log n).
pub fn sensitivity_at_specificity(
    labels: &[bool],
    scores: &[f64],
    specificity: f64,
) -> Result<OperatingPoint> {
    share("specificity", specificity)?;
    let sweep = Sweep::new("sensitivity at specificity", labels, scores)?;
    let mut chosen = Step { threshold: f64::INFINITY, tp: 0, fp: 0 };
    for &step in &sweep.steps {
        let enough = sweep.counts(step).specificity() >= Some(specificity);
        if enough && step.tp > chosen.tp {
            chosen = step;
        }
    }
    point(&sweep, Some(chosen))
}

/// The threshold of the greatest specificity among those of at least that sensitivity.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::specificity_at_sensitivity;
///
/// let labels = [false, false, false, false, true, true, true];
/// let scores = [0.1, 0.2, 0.3, 0.7, 0.5, 0.8, 0.9];
/// let screening = specificity_at_sensitivity(&labels, &scores, 0.95)?;
/// assert_eq!((screening.threshold, screening.counts.specificity()), (0.5, Some(0.75)));
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length, a score is not finite, all labels are the same, or
/// `sensitivity` is outside 0 to 1.
///
/// # Complexity
///
/// O(n log n).
pub fn specificity_at_sensitivity(
    labels: &[bool],
    scores: &[f64],
    sensitivity: f64,
) -> Result<OperatingPoint> {
    share("sensitivity", sensitivity)?;
    let sweep = Sweep::new("specificity at sensitivity", labels, scores)?;
    let nothing = Step { threshold: f64::INFINITY, tp: 0, fp: 0 };
    let mut steps = std::iter::once(nothing).chain(sweep.steps.iter().copied());
    // Specificity falls along the sweep: the first that suffices is the best.
    let chosen = steps.find(|&step| sweep.counts(step).sensitivity() >= Some(sensitivity));
    point(&sweep, chosen)
}

fn best(sweep: &Sweep, value: impl Fn(&BinaryCounts) -> Option<f64>) -> Result<OperatingPoint> {
    let mut chosen = None;
    let mut highest = None;
    for &step in &sweep.steps {
        let value = value(&sweep.counts(step));
        if value > highest {
            (chosen, highest) = (Some(step), value);
        }
    }
    point(sweep, chosen)
}

fn point(sweep: &Sweep, step: Option<Step>) -> Result<OperatingPoint> {
    match step {
        Some(step) => Ok(OperatingPoint { threshold: step.threshold, counts: sweep.counts(step) }),
        None => Err(Error::undefined("the threshold", "no threshold meets the condition")),
    }
}

fn share(name: &'static str, value: f64) -> Result<()> {
    if (0. ..=1.).contains(&value) {
        return Ok(());
    }
    Err(Error::setting(name, value, "give a share between 0 and 1"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, close, number};

    #[test]
    fn matches_scikit_learn() {
        for (labels, scores, case) in golden::binary() {
            let f1 = max_f_beta_threshold(&labels, &scores, 1.).unwrap();
            close(f1.threshold, number(&case["f1_max"]["threshold"]), 0.);
            close(f1.counts.f1().unwrap(), number(&case["f1_max"]["value"]), 1e-12);
            let youden = youden_threshold(&labels, &scores).unwrap();
            close(youden.threshold, number(&case["youden"]["threshold"]), 0.);
            close(youden.counts.youden().unwrap(), number(&case["youden"]["value"]), 1e-12);
            let strict = sensitivity_at_specificity(&labels, &scores, 0.8).unwrap();
            close(strict.counts.sensitivity().unwrap(), number(&case["tpr_at_tnr_80"]), 1e-12);
            let safe = specificity_at_sensitivity(&labels, &scores, 0.9).unwrap();
            close(safe.counts.specificity().unwrap(), number(&case["tnr_at_tpr_90"]), 1e-12);
        }
    }

    #[test]
    fn calling_nothing_positive_may_be_all_that_is_specific_enough() {
        let point = sensitivity_at_specificity(&[true, false], &[0.1, 0.9], 1.).unwrap();
        assert_eq!(point.threshold, f64::INFINITY);
        assert_eq!(point.counts.sensitivity(), Some(0.));
        let point = specificity_at_sensitivity(&[true, false], &[0.1, 0.9], 1.).unwrap();
        assert_eq!((point.threshold, point.counts.specificity()), (0.1, Some(0.)));
    }

    #[test]
    fn wrong_settings_are_errors() {
        let (labels, scores) = ([true, false], [1., 0.]);
        assert!(sensitivity_at_specificity(&labels, &scores, 1.1).is_err());
        assert!(specificity_at_sensitivity(&labels, &scores, f64::NAN).is_err());
        assert!(max_f_beta_threshold(&labels, &scores, -1.).is_err());
        assert!(youden_threshold(&[true, true], &scores).is_err());
    }

    proptest! {
        #[test]
        fn the_point_counts_what_its_threshold_does(
            pairs in prop::collection::vec((any::<bool>(), -9i32..9), 0..50),
        ) {
            let ends = [(true, 0), (false, 1)];
            let (labels, scores): (Vec<bool>, Vec<f64>) =
                pairs.into_iter().chain(ends).map(|(l, s)| (l, f64::from(s))).unzip();
            let best = max_f_beta_threshold(&labels, &scores, 2.).unwrap();
            let counts = BinaryCounts::from_scores(&labels, &scores, best.threshold).unwrap();
            prop_assert_eq!(counts, best.counts);
            for &threshold in &scores {
                let other = BinaryCounts::from_scores(&labels, &scores, threshold).unwrap();
                prop_assert!(other.f_beta(2.) <= counts.f_beta(2.));
            }
        }
    }
}
