use super::Interval;
use crate::{Error, Result, check, special::normal_quantile};

/// Wilson's score interval of a proportion: a sensitivity, a specificity, an accuracy.
///
/// ```text
/// (p + z²/2n ± z √(p (1 − p)/n + z²/4n²)) / (1 + z²/n)                              [1]
/// ```
///
/// Stays within 0 to 1 and keeps its width at 0 and 1, unlike the textbook `p ± z √(p (1 − p)/n)`.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{BinaryCounts, wilson_interval};
///
/// let counts = BinaryCounts { tp: 99, fp: 5, fn_: 0, tn: 78 };
/// let sensitivity = wilson_interval(counts.tp, counts.tp + counts.fn_, 0.95)?;
/// assert_eq!(sensitivity.estimate, 1.);
/// assert!((sensitivity.lower - 0.9626).abs() < 1e-4);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If there are no trials, more successes than trials, or the confidence is not between 0 and 1.
///
/// # References
///
/// 1. E. B. Wilson. *Probable inference, the law of succession, and statistical inference.* Journal
///    of the American Statistical Association 22 (1927).
pub fn wilson_interval(successes: u64, trials: u64, confidence: f64) -> Result<Interval> {
    check::confidence(confidence)?;
    if trials == 0 {
        return Err(Error::undefined("Wilson's interval", "there are no trials"));
    }
    if successes > trials {
        return Err(Error::setting("successes", successes, "give no more than there are trials"));
    }
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let z = normal_quantile((1. + confidence) / 2.);
    let scale = 1. + z * z / n;
    let center = (p + z * z / (2. * n)) / scale;
    let half = z / scale * (p * (1. - p) / n + z * z / (4. * n * n)).sqrt();
    let lower = if successes == 0 { 0. } else { center - half };
    let upper = if successes == trials { 1. } else { center + half };
    Ok(Interval { estimate: p, lower, upper, confidence })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, close, number, numbers};

    #[test]
    fn matches_statsmodels() {
        for case in golden::read("tests")["wilson"].as_array().unwrap() {
            let (k, n) = (number(&case["successes"]) as u64, number(&case["trials"]) as u64);
            let interval = wilson_interval(k, n, number(&case["confidence"])).unwrap();
            let expected = numbers(&case["interval"]);
            close(interval.lower, expected[0], 1e-12);
            close(interval.upper, expected[1], 1e-12);
        }
    }

    #[test]
    fn rejects_impossible_counts() {
        assert!(wilson_interval(0, 0, 0.95).is_err());
        assert!(wilson_interval(3, 2, 0.95).is_err());
        for confidence in [0., 1., -0.5, f64::NAN] {
            assert!(wilson_interval(1, 2, confidence).is_err());
        }
    }

    proptest! {
        #[test]
        fn holds_the_estimate_within_zero_to_one(n in 1u64..500, k in 0u64..500) {
            let k = k.min(n);
            let interval = wilson_interval(k, n, 0.95).unwrap();
            prop_assert!(0. <= interval.lower && interval.lower <= interval.estimate);
            prop_assert!(interval.estimate <= interval.upper && interval.upper <= 1.);
        }
    }
}
