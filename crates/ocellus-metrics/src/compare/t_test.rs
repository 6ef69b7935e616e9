use crate::{
    Error, Interval, Result, check,
    intervals::mean_and_variance,
    special::{student_quantile, student_two_sided},
};

/// Two models compared over folds or seeds; see [`paired_t_test`] and [`corrected_t_test`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TTest {
    /// The mean of first less second.
    pub difference: f64,
    /// The standard error of the difference.
    pub standard_error: f64,
    /// `difference / standard_error`.
    pub t: f64,
    /// The number of pairs less one.
    pub degrees_of_freedom: f64,
    /// The two-sided p-value: how often chance alone makes at least that difference.
    pub p_value: f64,
}

impl TTest {
    /// The interval of the difference.
    ///
    /// # Errors
    ///
    /// If the confidence is not between 0 and 1.
    pub fn interval(&self, confidence: f64) -> Result<Interval> {
        check::confidence(confidence)?;
        let half = student_quantile(confidence, self.degrees_of_freedom) * self.standard_error;
        let (lower, upper) = (self.difference - half, self.difference + half);
        Ok(Interval { estimate: self.difference, lower, upper, confidence })
    }
}

/// Student's paired t-test of two models on independent data sets.
///
/// ```text
/// t = mean d / √(var d / n)
/// ```
///
/// The folds of a cross-validation are not independent: there it finds differences that are none.
/// Take [`corrected_t_test`].
///
/// # Examples
///
/// ```
/// let test = ocellus_metrics::paired_t_test(&[0.9, 0.8, 0.85], &[0.8, 0.75, 0.7])?;
/// assert!((test.t - 12f64.sqrt()).abs() < 1e-12);
/// assert_eq!(test.degrees_of_freedom, 2.);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices differ in length or hold fewer than two values, a value is not finite, or all
/// differences are the same.
pub fn paired_t_test(first: &[f64], second: &[f64]) -> Result<TTest> {
    corrected_t_test(first, second, 0.)
}

/// The t-test of two models over the folds of a cross-validation, or over random splits, corrected
/// for the training data that these share.
///
/// ```text
/// t = mean d / √((1/n + n_test/n_train) var d)                                         [1]
/// ```
///
/// `test_to_train` is `n_test / n_train`: `1 / (k − 1)` for k folds. The folds of a cross-validation that is
/// repeated with other seeds are all given at once.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::corrected_t_test;
///
/// let proposed = [0.94, 0.92, 0.95, 0.93, 0.96];
/// let plain = [0.92, 0.91, 0.92, 0.92, 0.94];
/// let test = corrected_t_test(&proposed, &plain, 1. / 4.)?;
/// assert!((test.difference - 0.018).abs() < 1e-12);
/// assert!((test.p_value - 0.0327).abs() < 1e-4);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// As [`paired_t_test`], or if `test_to_train` is negative or not finite.
///
/// # References
///
/// 1. C. Nadeau and Y. Bengio. *Inference for the generalization error.* Machine Learning 52 (2003).
pub fn corrected_t_test(first: &[f64], second: &[f64], test_to_train: f64) -> Result<TTest> {
    check::paired(("first", first), ("second", second))?;
    check::finite("first", first)?;
    check::finite("second", second)?;
    if !(test_to_train >= 0. && test_to_train.is_finite()) {
        let remedy = "give the size of the test set over that of the training set";
        return Err(Error::setting("test_to_train", test_to_train, remedy));
    }
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let (difference, variance) = mean_and_variance("the differences", &differences)?;
    // Equal differences of decimal numbers, 0.9 − 0.8 and 0.8 − 0.7, differ in their last bits.
    let largest = first.iter().chain(second).fold(0f64, |m, v| m.max(v.abs()));
    if differences.iter().all(|d| (d - difference).abs() <= 4. * f64::EPSILON * largest) {
        let reason = format!("all differences are {difference}, without any spread");
        return Err(Error::undefined("the t-test", reason));
    }
    let n = differences.len() as f64;
    let standard_error = ((1. / n + test_to_train) * variance).sqrt();
    let t = difference / standard_error;
    let degrees_of_freedom = n - 1.;
    let p_value = student_two_sided(t, degrees_of_freedom);
    Ok(TTest { difference, standard_error, t, degrees_of_freedom, p_value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, close, number, numbers};

    #[test]
    fn matches_scipy() {
        for case in golden::read("tests")["t_test"].as_array().unwrap() {
            let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
            let plain = paired_t_test(&first, &second).unwrap();
            let expected = numbers(&case["paired"]);
            close(plain.t, expected[0], 1e-11);
            close(plain.p_value, expected[1], 1e-11);
            let interval = plain.interval(0.95).unwrap();
            close(interval.lower, expected[2], 1e-11);
            close(interval.upper, expected[3], 1e-11);
            let corrected = corrected_t_test(&first, &second, number(&case["test_to_train"]));
            let (corrected, expected) = (corrected.unwrap(), numbers(&case["corrected"]));
            close(corrected.t, expected[0], 1e-11);
            close(corrected.p_value, expected[1], 1e-11);
        }
    }

    #[test]
    fn the_undefined_is_an_error() {
        let same = paired_t_test(&[0.5, 0.75], &[0.25, 0.5]).unwrap_err().to_string();
        assert!(same.contains("all differences are 0.25"), "{same}");
        assert!(paired_t_test(&[0.9, 0.8, 0.7], &[0.8, 0.7, 0.6]).is_err());
        assert!(paired_t_test(&[0.9], &[0.8]).is_err());
        assert!(paired_t_test(&[], &[]).is_err());
        assert!(paired_t_test(&[0.9, f64::NAN], &[0.8, 0.7]).is_err());
        assert!(corrected_t_test(&[0.9, 0.8], &[0.8, 0.9], -0.1).is_err());
    }

    #[test]
    fn the_correction_is_cautious() {
        let (first, second) = ([0.9, 0.8, 0.85, 0.95], [0.8, 0.75, 0.84, 0.9]);
        let plain = paired_t_test(&first, &second).unwrap();
        let corrected = corrected_t_test(&first, &second, 1. / 3.).unwrap();
        assert!(corrected.p_value > plain.p_value);
    }
}
