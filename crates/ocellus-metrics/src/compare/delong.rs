use super::ranks::doubled_ranks;
use crate::{
    Error, Interval, Result, check,
    special::{normal_quantile, normal_two_sided},
};

/// Below this a variance is rounding: a single swap among 10⁶ positives and negatives makes 1e-25.
const ZERO: f64 = 1e-30;

const NEEDS_TWO: &str = "it needs two or more samples of each class";

/// An AUROC with its variance by DeLong's method, which takes no resampling.
///
/// ```text
/// var = var(V⁺)/m + var(V⁻)/n                                                          [1]
/// ```
///
/// for the share V⁺ of the n negatives that each of the m positives beats, and the share V⁻ of the
/// positives that beat each negative. The samples must be independent: for several images of a
/// patient, [`bootstrap`](crate::bootstrap) whole groups instead.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::DeLong;
///
/// let labels = [false, false, true, true, false, true, false, true];
/// let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];
/// let area = DeLong::new(&labels, &scores)?;
/// assert_eq!(area.auroc, 0.90625);
/// let interval = area.interval(0.95)?;
/// assert!((interval.lower - 0.688).abs() < 1e-3 && interval.upper == 1.);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # References
///
/// 1. E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson. *Comparing the areas under two or more
///    correlated receiver operating characteristic curves.* Biometrics 44 (1988).
/// 2. X. Sun and W. Xu. *Fast implementation of DeLong's algorithm for comparing the areas under
///    correlated receiver operating characteristic curves.* IEEE Signal Processing Letters 21 (2014).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeLong {
    /// The area under the receiver operating characteristic.
    pub auroc: f64,
    /// The variance of the area.
    pub variance: f64,
}

impl DeLong {
    /// The area and its variance.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length, a score is not finite, or there are fewer than
    /// two samples of either class.
    ///
    /// # Complexity
    ///
    /// O(n log n).
    pub fn new(labels: &[bool], scores: &[f64]) -> Result<Self> {
        let shares = Shares::new("DeLong's variance", labels, scores)?;
        Ok(Self {
            auroc: shares.auroc,
            variance: squared_error(&shares.of_positives) + squared_error(&shares.of_negatives),
        })
    }

    /// The interval `AUROC ± z √var`, cut to 0 and 1.
    ///
    /// # Errors
    ///
    /// If the variance is zero, as with classes that are perfectly separated (an interval without
    /// width would claim certainty), or the confidence is not between 0 and 1.
    pub fn interval(&self, confidence: f64) -> Result<Interval> {
        check::confidence(confidence)?;
        if self.variance <= ZERO {
            let reason = "the variance is zero, as with perfectly separated classes";
            return Err(Error::undefined("DeLong's interval", reason));
        }
        let half = normal_quantile((1. + confidence) / 2.) * self.variance.sqrt();
        let (lower, upper) = ((self.auroc - half).max(0.), (self.auroc + half).min(1.));
        Ok(Interval { estimate: self.auroc, lower, upper, confidence })
    }
}

/// Two models on the same samples, compared by AUROC; see [`delong_test`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DeLongTest {
    /// The areas of the first and the second model.
    pub aurocs: [f64; 2],
    /// First less second.
    pub difference: f64,
    /// The standard error of the difference.
    pub standard_error: f64,
    /// `difference / standard_error`.
    pub z: f64,
    /// The two-sided p-value: how often chance alone makes at least that difference.
    pub p_value: f64,
}

impl DeLongTest {
    /// The interval of the difference.
    ///
    /// # Errors
    ///
    /// If the confidence is not between 0 and 1.
    pub fn interval(&self, confidence: f64) -> Result<Interval> {
        check::confidence(confidence)?;
        let half = normal_quantile((1. + confidence) / 2.) * self.standard_error;
        let (lower, upper) = (self.difference - half, self.difference + half);
        Ok(Interval { estimate: self.difference, lower, upper, confidence })
    }
}

/// DeLong's paired test: do two models differ in AUROC on the same samples?
///
/// # Examples
///
/// ```
/// use ocellus_metrics::delong_test;
///
/// let labels = [false, false, true, true, false, true, false, true];
/// let first = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];
/// let second = [0.3, 0.4, 0.2, 0.9, 0.6, 0.5, 0.7, 0.8];
/// let test = delong_test(&labels, &first, &second)?;
/// assert_eq!(test.aurocs, [0.90625, 0.625]);
/// assert!(test.p_value > 0.05); // Eight samples prove little.
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the lengths differ, a score is not finite, there are fewer than two samples of either class,
/// or the difference has no variance (both models rank the samples alike, say).
///
/// # Complexity
///
/// O(n log n).
pub fn delong_test(labels: &[bool], first: &[f64], second: &[f64]) -> Result<DeLongTest> {
    let a = Shares::new("DeLong's test", labels, first)?;
    let b = Shares::new("DeLong's test", labels, second)?;
    let aurocs = [a.auroc, b.auroc];
    let difference = aurocs[0] - aurocs[1];
    let variance = squared_error(&subtract(&a.of_positives, &b.of_positives))
        + squared_error(&subtract(&a.of_negatives, &b.of_negatives));
    if variance <= ZERO {
        let reason = format!(
            "the difference {difference} has no variance: the models rank the samples alike, or \
             one of them without a mistake or without any order; bootstrap it"
        );
        return Err(Error::undefined("DeLong's test", reason));
    }
    let standard_error = variance.sqrt();
    let z = difference / standard_error;
    Ok(DeLongTest { aurocs, difference, standard_error, z, p_value: normal_two_sided(z) })
}

/// The share of the other class that each sample is on the right side of; ties count half.
struct Shares {
    auroc: f64,
    of_positives: Vec<f64>,
    of_negatives: Vec<f64>,
}

impl Shares {
    fn new(metric: &'static str, labels: &[bool], scores: &[f64]) -> Result<Self> {
        check::paired(("labels", labels), ("scores", scores))?;
        check::finite("scores", scores)?;
        let (positives, negatives) = check::both_classes(metric, labels)?;
        if positives < 2 || negatives < 2 {
            return Err(Error::undefined(metric, NEEDS_TWO));
        }
        let overall = doubled_ranks(scores);
        // Twice the number of the other class below each sample: its rank among all less its rank
        // in its own class.
        let below = |class: bool| -> Vec<u64> {
            let of_class = |i: &usize| labels[*i] == class;
            let own: Vec<f64> = (0..labels.len()).filter(of_class).map(|i| scores[i]).collect();
            let all = (0..labels.len()).filter(of_class).map(|i| overall[i]);
            all.zip(doubled_ranks(&own)).map(|(all, own)| all - own).collect()
        };
        let share = |count: u64, others: usize| count as f64 / (2 * others) as f64;
        let (m, n) = (positives, negatives);
        let wins = below(true);
        let twice_wins: u128 = wins.iter().map(|&c| u128::from(c)).sum();
        let auroc = twice_wins as f64 / (2. * m as f64 * n as f64);
        let of_positives = wins.into_iter().map(|c| share(c, n)).collect();
        let of_negatives = below(false).into_iter().map(|c| share(2 * m as u64 - c, m)).collect();
        Ok(Self { auroc, of_positives, of_negatives })
    }
}

fn subtract(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The squared standard error of the mean.
fn squared_error(values: &[f64]) -> f64 {
    let (mean, n) = (mean(values), values.len() as f64);
    values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.) / n
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        auroc,
        golden::{self, close, flags, number, numbers},
    };

    #[test]
    fn matches_the_definition_and_a_published_implementation() {
        for case in golden::read("tests")["delong"].as_array().unwrap() {
            let labels = flags(&case["labels"]);
            let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
            let area = DeLong::new(&labels, &first).unwrap();
            close(area.auroc, number(&case["auroc"]), 1e-12);
            close(area.variance, number(&case["variance"]), 1e-12);
            // The published implementation works in single precision.
            close(area.variance, number(&case["published_variance"]), 1e-6);
            let test = delong_test(&labels, &first, &second).unwrap();
            close(test.z, number(&case["z"]), 1e-10);
            close(test.p_value, number(&case["p_value"]), 1e-10);
        }
    }

    #[test]
    fn certainty_is_not_claimed() {
        let labels = [false, false, true, true];
        let perfect = [18., 20., 25., 41.];
        let area = DeLong::new(&labels, &perfect).unwrap();
        assert_eq!((area.auroc, area.variance), (1., 0.));
        assert!(area.interval(0.95).unwrap_err().to_string().contains("perfectly separated"));
        let error = delong_test(&labels, &perfect, &[1., 2., 3., 4.]).unwrap_err().to_string();
        assert!(error.contains("has no variance"), "{error}");
    }

    #[test]
    fn a_constant_difference_has_no_variance() {
        let labels = [true, true, false, false, false];
        let tied = [2.; 5];
        let area = DeLong::new(&labels, &tied).unwrap();
        assert_eq!((area.auroc, area.variance), (0.5, 0.));
        assert!(area.interval(0.95).is_err());
        let error = delong_test(&labels, &[9., 8., 3., 2., 1.], &tied).unwrap_err().to_string();
        assert!(error.contains("the difference 0.5 has no variance"), "{error}");
    }

    #[test]
    fn too_few_samples_are_an_error() {
        let error = DeLong::new(&[true, false, false], &[1., 0., 0.]).unwrap_err().to_string();
        assert!(error.contains("two or more samples of each class"), "{error}");
        assert!(DeLong::new(&[true, true], &[1., 0.]).is_err());
        assert!(delong_test(&[true, false], &[1., 0.], &[1.]).is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_auroc_and_is_antisymmetric(
            rows in prop::collection::vec((any::<bool>(), -6i32..6, -6i32..6), 0..40),
        ) {
            let ends = [(true, 0, 1), (false, 1, 1), (true, 2, -3), (false, 0, 2)];
            let (mut labels, mut a, mut b) = (vec![], vec![], vec![]);
            for (label, x, y) in rows.into_iter().chain(ends) {
                labels.push(label);
                a.push(f64::from(x));
                b.push(f64::from(y));
            }
            let area = DeLong::new(&labels, &a).unwrap();
            prop_assert_eq!(area.auroc, auroc(&labels, &a).unwrap());
            if let (Ok(one), Ok(two)) = (delong_test(&labels, &a, &b), delong_test(&labels, &b, &a)) {
                prop_assert!((one.z + two.z).abs() < 1e-9);
                prop_assert!((one.p_value - two.p_value).abs() < 1e-12);
            }
        }
    }
}
