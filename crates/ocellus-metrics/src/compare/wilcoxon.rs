use super::ranks::doubled_ranks;
use crate::{Error, Result, check, special::normal_two_sided};

/// Up to this many pairs the p-value is counted, beyond it is the normal approximation.
const EXACT_UP_TO: usize = 50;

/// Two models compared over data sets or folds by signed ranks; see [`wilcoxon_test`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WilcoxonTest {
    /// The sum of the ranks of the pairs in which the first is greater.
    pub first_ranks: f64,
    /// The sum of the ranks of the pairs in which the second is greater.
    pub second_ranks: f64,
    /// The number of pairs that differ; equal ones are left out.
    pub pairs: usize,
    /// The two-sided p-value. Five folds cannot go below 0.0625.
    pub p_value: f64,
}

/// Wilcoxon's signed-rank test: is one model greater than the other more, and more often, than
/// chance makes it?
///
/// Pairs that are equal, to the last bit, are left out. Up to 50 pairs the p-value is exact, with tied ranks too;
/// beyond it is the normal approximation, corrected for ties.
///
/// # Examples
///
/// ```
/// use ocellus_metrics::wilcoxon_test;
///
/// let test = wilcoxon_test(&[0.94, 0.92, 0.95, 0.93, 0.96], &[0.92, 0.91, 0.9, 0.89, 0.93])?;
/// assert_eq!((test.first_ranks, test.second_ranks), (15., 0.));
/// assert_eq!(test.p_value, 0.0625);
/// # Ok::<(), ocellus_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length, a value is not finite, or all pairs are equal.
///
/// # Complexity
///
/// O(n log n); O(n³) up to 50 pairs.
///
/// # Deviations
///
/// SciPy approximates where there are ties; here they are counted, up to 50 pairs.
pub fn wilcoxon_test(first: &[f64], second: &[f64]) -> Result<WilcoxonTest> {
    check::paired(("first", first), ("second", second))?;
    check::finite("first", first)?;
    check::finite("second", second)?;
    let differences: Vec<f64> =
        first.iter().zip(second).map(|(a, b)| a - b).filter(|d| *d != 0.).collect();
    let pairs = differences.len();
    if pairs == 0 {
        let reason = format!("all {} pairs are equal", first.len());
        return Err(Error::undefined("Wilcoxon's test", reason));
    }
    let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let ranks = doubled_ranks(&sizes);
    let total: u64 = ranks.iter().sum();
    let of_first = differences.iter().zip(&ranks).filter(|(d, _)| **d > 0.).map(|(_, r)| r);
    let first_ranks: u64 = of_first.sum();
    let p_value = if pairs <= EXACT_UP_TO {
        exact(&ranks, first_ranks.min(total - first_ranks))
    } else {
        approximate(&ranks, first_ranks)
    };
    Ok(WilcoxonTest {
        first_ranks: first_ranks as f64 / 2.,
        second_ranks: (total - first_ranks) as f64 / 2.,
        pairs,
        p_value,
    })
}

/// Twice the share of all signs whose rank sum is at most `lower`.
fn exact(ranks: &[u64], lower: u64) -> f64 {
    // shares[s] is the share of the signs of the ranks so far with sum s. Both tails are alike.
    let lower = lower as usize;
    let mut shares = vec![0.; lower + 1];
    shares[0] = 1.;
    for &rank in ranks {
        let rank = rank as usize;
        for sum in (0..=lower).rev() {
            let with = if sum >= rank { shares[sum - rank] } else { 0. };
            shares[sum] = (shares[sum] + with) / 2.;
        }
    }
    (2. * shares.iter().sum::<f64>()).min(1.)
}

fn approximate(ranks: &[u64], first: u64) -> f64 {
    // The rank sum has mean Σ r / 2 and variance Σ r² / 4; ties are in the ranks already.
    let mean = ranks.iter().map(|&r| r as f64).sum::<f64>() / 2.;
    let variance = ranks.iter().map(|&r| r as f64 * r as f64).sum::<f64>() / 4.;
    normal_two_sided((first as f64 - mean) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, close, number, numbers};

    #[test]
    fn matches_scipy() {
        for case in golden::read("tests")["wilcoxon"].as_array().unwrap() {
            let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
            let test = wilcoxon_test(&first, &second).unwrap();
            close(test.first_ranks.min(test.second_ranks), number(&case["statistic"]), 0.);
            close(test.p_value, number(&case["p_value"]), 1e-11);
        }
    }

    #[test]
    fn equal_pairs_say_nothing() {
        let error = wilcoxon_test(&[0.5; 3], &[0.5; 3]).unwrap_err().to_string();
        assert_eq!(error, "Wilcoxon's test is undefined: all 3 pairs are equal");
        let test = wilcoxon_test(&[0.5, 0.9, 0.1], &[0.5, 0.8, 0.4]).unwrap();
        assert_eq!((test.pairs, test.p_value), (2, 1.));
        assert!(wilcoxon_test(&[], &[]).is_err());
        assert!(wilcoxon_test(&[0.1], &[0.1, 0.2]).is_err());
        assert!(wilcoxon_test(&[f64::INFINITY], &[0.1]).is_err());
    }
}
