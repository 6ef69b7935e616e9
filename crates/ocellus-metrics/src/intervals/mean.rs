use super::Interval;
use crate::{Error, Result, check, special::student_quantile};

/// Student's interval of the mean of a few values, one a fold or one a seed.
///
/// ```text
/// mean ± t · s / √n
/// ```
///
/// It takes the values to be independent. Those of cross-validation share training data, so their
/// interval is too narrow: see [`corrected_t_test`](crate::corrected_t_test) to compare models.
///
/// # Examples
///
/// ```
/// let folds = [0.91, 0.94, 0.92, 0.95, 0.93];
/// let interval = ocellus_metrics::mean_interval(&folds, 0.95)?;
/// assert_eq!(interval.to_string(), "0.930 (0.910 to 0.950)");
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If there are fewer than two values, one is not finite, or the confidence is not between 0 and 1.
pub fn mean_interval(values: &[f64], confidence: f64) -> Result<Interval> {
    check::confidence(confidence)?;
    let (mean, variance) = mean_and_variance("values", values)?;
    let n = values.len() as f64;
    let half = student_quantile(confidence, n - 1.) * (variance / n).sqrt();
    Ok(Interval { estimate: mean, lower: mean - half, upper: mean + half, confidence })
}

/// The mean and the unbiased variance.
pub(crate) fn mean_and_variance(what: &'static str, values: &[f64]) -> Result<(f64, f64)> {
    check::not_empty(what, values)?;
    check::finite(what, values)?;
    if values.len() == 1 {
        return Err(Error::undefined("the spread", format!("{what} holds one value; give more")));
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.);
    Ok((mean, variance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, close, number, numbers};

    #[test]
    fn matches_scipy() {
        for case in golden::read("tests")["mean"].as_array().unwrap() {
            let values = numbers(&case["values"]);
            let interval = mean_interval(&values, number(&case["confidence"])).unwrap();
            let expected = numbers(&case["interval"]);
            close(interval.lower, expected[0], 1e-11);
            close(interval.upper, expected[1], 1e-11);
        }
    }

    #[test]
    fn one_value_has_no_spread() {
        assert!(mean_interval(&[0.9], 0.95).unwrap_err().to_string().contains("one value"));
        assert!(mean_interval(&[], 0.95).is_err());
        assert!(mean_interval(&[0.9, f64::NAN], 0.95).is_err());
        assert!(mean_interval(&[0.9, 0.8], 1.5).is_err());
    }
}
