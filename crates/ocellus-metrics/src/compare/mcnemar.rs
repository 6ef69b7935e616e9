use crate::{
    Result, check,
    special::{incomplete_beta, normal_two_sided},
};

/// McNemar's test: do two models err equally often on the same samples?
///
/// Only the samples on which one is right and the other wrong say anything.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::McNemar;
///
/// let first = [true, true, true, true, true, true, true, false];
/// let second = [false, false, false, false, false, false, true, true];
/// let test = McNemar::new(&first, &second)?;
/// assert_eq!((test.only_first_right, test.only_second_right), (6, 1));
/// assert!((test.exact() - 0.125).abs() < 1e-12);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # References
///
/// 1. Q. McNemar. *Note on the sampling error of the difference between correlated proportions or
///    percentages.* Psychometrika 12 (1947).
/// 2. M. W. Fagerland, S. Lydersen and P. Laake. *The McNemar test for binary matched-pairs data:
///    mid-p and asymptotic are better than exact conditional.* BMC Medical Research Methodology 13
///    (2013).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct McNemar {
    /// Samples that the first model gets right and the second wrong.
    pub only_first_right: u64,
    /// Samples that the second model gets right and the first wrong.
    pub only_second_right: u64,
}

/// A chi-squared statistic of one degree of freedom.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChiSquaredTest {
    /// χ².
    pub statistic: f64,
    /// How often chance alone makes at least that statistic.
    pub p_value: f64,
}

impl McNemar {
    /// Counts on which samples each model is right.
    ///
    /// # Errors
    ///
    /// If the slices are empty or differ in length.
    pub fn new(first_right: &[bool], second_right: &[bool]) -> Result<Self> {
        check::paired(("first_right", first_right), ("second_right", second_right))?;
        let mut test = Self::default();
        for (&first, &second) in first_right.iter().zip(second_right) {
            test.only_first_right += u64::from(first && !second);
            test.only_second_right += u64::from(second && !first);
        }
        Ok(test)
    }

    /// The two-sided p-value of the exact binomial test; right for any number of samples, and
    /// conservative. It is 1 if the models never differ.
    #[must_use]
    pub fn exact(&self) -> f64 {
        (2. * self.at_most(self.fewer())).min(1.)
    }

    /// The two-sided mid-p value: the exact one less the probability of what was observed. Less
    /// conservative than [`exact`](Self::exact), and recommended by Fagerland et al.
    #[must_use]
    pub fn mid_p(&self) -> f64 {
        let fewer = self.fewer();
        let below = if fewer == 0 { 0. } else { self.at_most(fewer - 1) };
        (self.at_most(fewer) + below).min(1.)
    }

    /// The chi-squared test with continuity correction, for 25 or more samples that differ.
    ///
    /// ```text
    /// χ² = max(|b − c| − 1, 0)² / (b + c)
    /// ```
    ///
    /// `None` if the models never differ.
    ///
    /// # Deviations
    ///
    /// For b = c the statistic is 0, as in R; statsmodels has 1 / (b + c).
    #[must_use]
    pub fn chi_squared(&self) -> Option<ChiSquaredTest> {
        self.chi_squared_less(1.)
    }

    /// The chi-squared test without continuity correction; `None` if the models never differ.
    #[must_use]
    pub fn chi_squared_uncorrected(&self) -> Option<ChiSquaredTest> {
        self.chi_squared_less(0.)
    }

    fn chi_squared_less(&self, correction: f64) -> Option<ChiSquaredTest> {
        let n = self.differing();
        let gap = self.only_first_right.abs_diff(self.only_second_right) as f64;
        let root = (gap - correction).max(0.) / n.sqrt();
        let test = || ChiSquaredTest { statistic: root * root, p_value: normal_two_sided(root) };
        (n > 0.).then(test)
    }

    fn differing(&self) -> f64 {
        self.only_first_right as f64 + self.only_second_right as f64
    }

    fn fewer(&self) -> u64 {
        self.only_first_right.min(self.only_second_right)
    }

    /// `P(X ≤ k)` of a binomial variable with probability ½ and as many trials as samples differ.
    fn at_most(&self, k: u64) -> f64 {
        let (n, k) = (self.differing(), k as f64);
        if k >= n { 1. } else { incomplete_beta(n - k, k + 1., 0.5) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{self, close, number, numbers};

    #[test]
    fn matches_statsmodels() {
        for case in golden::read("tests")["mcnemar"].as_array().unwrap() {
            let test = McNemar {
                only_first_right: number(&case["b"]) as u64,
                only_second_right: number(&case["c"]) as u64,
            };
            close(test.exact(), number(&case["exact"]), 1e-12);
            close(test.mid_p(), number(&case["mid_p"]), 1e-12);
            let expected = numbers(&case["corrected"]);
            let found = test.chi_squared().unwrap();
            close(found.statistic, expected[0], 1e-12);
            close(found.p_value, expected[1], 1e-12);
            let expected = numbers(&case["uncorrected"]);
            let found = test.chi_squared_uncorrected().unwrap();
            close(found.statistic, expected[0], 1e-12);
            close(found.p_value, expected[1], 1e-12);
        }
    }

    #[test]
    fn models_that_never_differ_show_no_difference() {
        let test = McNemar::new(&[true, false], &[true, false]).unwrap();
        assert_eq!((test.exact(), test.mid_p()), (1., 1.));
        assert_eq!(test.chi_squared(), None);
        assert_eq!(test.chi_squared_uncorrected(), None);
        assert!(McNemar::new(&[], &[]).is_err());
        assert!(McNemar::new(&[true], &[]).is_err());
    }

    #[test]
    fn equal_counts_are_no_evidence() {
        let test = McNemar { only_first_right: 4, only_second_right: 4 };
        let found = test.chi_squared().unwrap();
        assert_eq!((found.statistic, found.p_value), (0., 1.));
        close(test.exact(), 1., 1e-14);
        close(test.mid_p(), 1., 1e-12);
    }

    proptest! {
        #[test]
        fn the_order_of_the_models_does_not_matter(b in 0u64..300, c in 0u64..300) {
            let one = McNemar { only_first_right: b, only_second_right: c };
            let two = McNemar { only_first_right: c, only_second_right: b };
            prop_assert_eq!(one.exact(), two.exact());
            prop_assert_eq!(one.chi_squared(), two.chi_squared());
            prop_assert!(one.mid_p() <= one.exact() + 1e-12);
        }
    }
}
