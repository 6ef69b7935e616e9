use std::collections::BTreeMap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Interval, bca, quantile};
use crate::{Error, Result, check};

/// What is drawn again and again, with replacement, by [`bootstrap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resampling<'a> {
    /// This many samples, all alike.
    Samples(usize),
    /// Samples within each stratum (the class, say), so that its size stays the same. Holds the
    /// stratum of each sample.
    Stratified(&'a [usize]),
    /// Whole groups: all images of a patient come together or not at all. Holds the group of each
    /// sample. Intervals that ignore groups are too narrow.
    Grouped(&'a [usize]),
}

/// How the ends of the interval follow from the resampled statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum BootstrapMethod {
    /// The quantiles of the resampled statistics.
    #[default]
    Percentile,
    /// Bias-corrected and accelerated: quantiles moved by the bias and the skewness. Costs one more
    /// statistic for each sample (or group), left out in turn.
    Bca,
}

/// Configuration of [`bootstrap`].
///
/// # Examples
///
/// ```
/// use ocellus_metrics::BootstrapConfig;
///
/// let config = BootstrapConfig::seeded(7).with_resamples(1000).with_confidence(0.9);
/// assert_eq!((config.resamples, config.confidence), (1000, 0.9));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BootstrapConfig {
    /// The seed of the draws: the same seed gives the same interval.
    pub seed: u64,
    /// How often to resample; 2000 by default.
    pub resamples: usize,
    /// The confidence level; 0.95 by default.
    pub confidence: f64,
    /// How the interval follows from the resampled statistics.
    pub method: BootstrapMethod,
}

impl BootstrapConfig {
    /// 2000 resamples from that seed, 95 % percentile interval.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, resamples: 2000, confidence: 0.95, method: BootstrapMethod::default() }
    }

    /// Sets how often to resample.
    #[must_use]
    pub fn with_resamples(mut self, resamples: usize) -> Self {
        self.resamples = resamples;
        self
    }

    /// Sets the confidence level.
    #[must_use]
    pub fn with_confidence(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }

    /// Sets how the interval follows from the resampled statistics.
    #[must_use]
    pub fn with_method(mut self, method: BootstrapMethod) -> Self {
        self.method = method;
        self
    }
}

/// What [`bootstrap`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BootstrapInterval {
    /// The statistic of the whole sample and its interval.
    pub interval: Interval,
    /// The standard deviation of the resampled statistics.
    pub standard_error: f64,
    /// How many resamples were drawn.
    pub resamples: usize,
    /// On how many of them the statistic was undefined (a resample of one class, say). They are
    /// left out. If there are many, the interval is doubtful: resample within strata.
    pub undefined: usize,
}

/// The bootstrap interval of any statistic.
///
/// `statistic` gets the indices of the samples in a resample, some of them repeated; it returns
/// `None` where it is undefined. To compare two models, return the difference of their metrics on
/// the same indices.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::{BootstrapConfig, Resampling, auroc, bootstrap, gather};
///
/// let labels = [false, false, true, true, false, true, false, true];
/// let scores = [0.1, 0.4, 0.35, 0.8, 0.35, 0.7, 0.2, 0.9];
/// let strata = labels.map(usize::from);
/// let config = BootstrapConfig::seeded(42);
/// let found = bootstrap(Resampling::Stratified(&strata), &config, |rows| {
///     auroc(&gather(&labels, rows), &gather(&scores, rows)).ok()
/// })?;
/// assert_eq!(found.interval.estimate, 0.90625);
/// assert!(found.interval.lower < 0.7 && found.interval.upper == 1.);
/// assert_eq!(found.undefined, 0);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If there are no samples, the statistic of the whole sample is undefined, fewer than two
/// resamples are defined, the confidence is not between 0 and 1, or the BCa interval does not
/// exist (the statistic does not vary, or is undefined with one sample left out).
///
/// # Complexity
///
/// As many statistics as there are resamples; BCa needs one more for each sample or group.
///
/// # References
///
/// 1. B. Efron and R. J. Tibshirani. *An introduction to the bootstrap.* Chapman & Hall, 1993.
pub fn bootstrap(
    resampling: Resampling<'_>,
    config: &BootstrapConfig,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Result<BootstrapInterval> {
    let BootstrapConfig { seed, resamples, confidence, method } = *config;
    check::confidence(confidence)?;
    let plan = Plan::new(resampling)?;
    let statistic = |rows: &[usize]| statistic(rows).filter(|value| value.is_finite());
    let all: Vec<usize> = (0..plan.samples).collect();
    let Some(estimate) = statistic(&all) else {
        let reason = "the statistic of the whole sample is undefined";
        return Err(Error::undefined("the bootstrap interval", reason));
    };

    let mut values = Vec::new();
    let mut rows = Vec::with_capacity(plan.samples);
    for resample in 0..resamples {
        // A stream for each resample: its draws depend on nothing before it.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(resample as u64);
        plan.draw(&mut rng, &mut rows);
        values.extend(statistic(&rows));
    }
    let undefined = resamples - values.len();
    if values.len() < 2 {
        let reason = format!(
            "{undefined} of {resamples} resamples are undefined; draw more, or within strata"
        );
        return Err(Error::undefined("the bootstrap interval", reason));
    }
    values.sort_unstable_by(f64::total_cmp);

    let alpha = (1. - confidence) / 2.;
    let (low, high) = match method {
        BootstrapMethod::Percentile => (alpha, 1. - alpha),
        BootstrapMethod::Bca => {
            let jackknife = plan.jackknife(statistic)?;
            bca::shares(estimate, &values, &jackknife, alpha)?
        }
    };
    let (lower, upper) = (quantile(&values, low), quantile(&values, high));
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    Ok(BootstrapInterval {
        interval: Interval { estimate, lower, upper, confidence },
        standard_error: (squares / (values.len() - 1) as f64).sqrt(),
        resamples,
        undefined,
    })
}

/// The values at these indices, in their order; indices out of range are left out.
///
/// ```
/// assert_eq!(ocellus_metrics::gather(&[10, 20, 30], &[2, 0, 2]), [30, 10, 30]);
/// ```
#[must_use]
pub fn gather<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().filter_map(|&row| values.get(row).copied()).collect()
}

/// What is drawn together: `units` hold samples; each of `pools` holds units, and as many are drawn
/// from it as it holds.
struct Plan {
    samples: usize,
    units: Vec<Vec<usize>>,
    pools: Vec<Vec<usize>>,
}

impl Plan {
    fn new(resampling: Resampling<'_>) -> Result<Self> {
        let collect = |keys: &[usize]| -> Vec<Vec<usize>> {
            let mut sets: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for (row, &key) in keys.iter().enumerate() {
                sets.entry(key).or_default().push(row);
            }
            sets.into_values().collect()
        };
        let single = |n: usize| (0..n).map(|row| vec![row]).collect();
        let plan = match resampling {
            Resampling::Samples(n) => {
                Self { samples: n, units: single(n), pools: vec![(0..n).collect()] }
            }
            Resampling::Stratified(strata) => {
                let n = strata.len();
                Self { samples: n, units: single(n), pools: collect(strata) }
            }
            Resampling::Grouped(groups) => {
                let units = collect(groups);
                let pool = (0..units.len()).collect();
                Self { samples: groups.len(), units, pools: vec![pool] }
            }
        };
        if plan.samples == 0 {
            return Err(Error::Empty { what: "the sample" });
        }
        Ok(plan)
    }

    fn draw(&self, rng: &mut impl Rng, rows: &mut Vec<usize>) {
        rows.clear();
        for pool in &self.pools {
            for _ in pool {
                let unit = pool[rng.random_range(0..pool.len())];
                rows.extend(&self.units[unit]);
            }
        }
    }

    /// The statistic without each unit in turn.
    fn jackknife(&self, statistic: impl Fn(&[usize]) -> Option<f64>) -> Result<Vec<f64>> {
        let mut without = Vec::with_capacity(self.units.len());
        for left_out in 0..self.units.len() {
            let mut rows: Vec<usize> = Vec::with_capacity(self.samples);
            for (unit, members) in self.units.iter().enumerate() {
                if unit != left_out {
                    rows.extend(members);
                }
            }
            let Some(value) = statistic(&rows) else {
                let reason = format!(
                    "the statistic is undefined without sample or group {left_out}; take the \
                     percentile interval"
                );
                return Err(Error::undefined("the BCa interval", reason));
            };
            without.push(value);
        }
        Ok(without)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean(values: &[f64]) -> impl Fn(&[usize]) -> Option<f64> {
        |rows| Some(rows.iter().map(|&row| values[row]).sum::<f64>() / rows.len() as f64)
    }

    #[test]
    fn the_interval_of_a_mean_is_about_two_standard_errors_wide() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i * 7919 % 400)).collect();
        let config = BootstrapConfig::seeded(1).with_resamples(4000);
        let error = 400f64 / 12f64.sqrt() / 20.;
        for method in [BootstrapMethod::Percentile, BootstrapMethod::Bca] {
            let config = config.with_method(method);
            let found = bootstrap(Resampling::Samples(400), &config, mean(&values)).unwrap();
            assert!((found.standard_error / error - 1.).abs() < 0.05);
            let width = found.interval.upper - found.interval.lower;
            assert!((width / (2. * 1.96 * error) - 1.).abs() < 0.06, "{width} {error}");
        }
    }

    #[test]
    fn strata_keep_their_sizes_and_groups_stay_together() {
        let strata = [0, 0, 0, 1, 1];
        let config = BootstrapConfig::seeded(3).with_resamples(50);
        let share = |rows: &[usize]| Some(rows.iter().filter(|&&row| row > 2).count() as f64);
        let found = bootstrap(Resampling::Stratified(&strata), &config, share).unwrap();
        assert_eq!((found.interval.lower, found.interval.upper), (2., 2.));
        let together = |rows: &[usize]| {
            let count = |row| rows.iter().filter(|&&r| r == row).count();
            Some(f64::from(count(0) == count(1) && count(1) == count(2) && count(3) == count(4)))
        };
        let found = bootstrap(Resampling::Grouped(&strata), &config, together).unwrap();
        assert_eq!(found.interval.lower, 1.);
    }

    #[test]
    fn undefined_resamples_are_counted() {
        let labels = [true, false, false];
        let statistic = |rows: &[usize]| {
            let positives = rows.iter().filter(|&&row| labels[row]).count();
            (positives > 0).then_some(positives as f64)
        };
        let config = BootstrapConfig::seeded(5).with_resamples(1000);
        let found = bootstrap(Resampling::Samples(3), &config, statistic).unwrap();
        let expected = 1000. * 8. / 27.;
        assert!((found.undefined as f64 - expected).abs() < 60., "{}", found.undefined);
        let bca = config.with_method(BootstrapMethod::Bca);
        let error = bootstrap(Resampling::Samples(3), &bca, statistic).unwrap_err().to_string();
        assert!(error.contains("undefined without sample or group 0"), "{error}");
    }

    #[test]
    fn what_has_no_interval_is_an_error() {
        let config = BootstrapConfig::seeded(0);
        let none = bootstrap(Resampling::Samples(3), &config, |_| None);
        assert!(none.unwrap_err().to_string().contains("whole sample is undefined"));
        let nan = bootstrap(Resampling::Samples(3), &config, |_| Some(f64::NAN));
        assert!(nan.is_err());
        assert!(bootstrap(Resampling::Samples(0), &config, |_| Some(1.)).is_err());
        assert!(bootstrap(Resampling::Grouped(&[]), &config, |_| Some(1.)).is_err());
        let never = config.with_resamples(0);
        assert!(bootstrap(Resampling::Samples(3), &never, |_| Some(1.)).is_err());
        let certain = config.with_confidence(1.);
        assert!(bootstrap(Resampling::Samples(3), &certain, |_| Some(1.)).is_err());
        let constant = config.with_method(BootstrapMethod::Bca);
        assert!(bootstrap(Resampling::Samples(3), &constant, |_| Some(1.)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_seed_decides(values in prop::collection::vec(-5f64..5., 3..20), seed: u64) {
            let run = |seed| {
                let config = BootstrapConfig::seeded(seed).with_resamples(100);
                bootstrap(Resampling::Samples(values.len()), &config, mean(&values)).unwrap()
            };
            prop_assert_eq!(run(seed), run(seed));
            prop_assert!(run(seed) != run(seed.wrapping_add(1)));
        }
    }
}
