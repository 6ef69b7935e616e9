use std::collections::BTreeMap;

use crate::{Result, check};

/// How often each label of one clustering meets each of another.
pub(super) struct Contingency {
    cells: Vec<(usize, usize, u64)>,
    left: Vec<u64>,
    right: Vec<u64>,
    samples: u64,
}

impl Contingency {
    /// Labels may be any numbers.
    pub(super) fn new(
        left: (&'static str, &[usize]),
        right: (&'static str, &[usize]),
    ) -> Result<Self> {
        check::paired(left, right)?;
        let (left_of, right_of) = (ranks(left.1), ranks(right.1));
        let mut cells = BTreeMap::new();
        let (mut left_sums, mut right_sums) = (vec![0; left_of.len()], vec![0; right_of.len()]);
        for (l, r) in left.1.iter().zip(right.1) {
            let (l, r) = (left_of[l], right_of[r]);
            *cells.entry((l, r)).or_insert(0) += 1;
            left_sums[l] += 1;
            right_sums[r] += 1;
        }
        let cells = cells.into_iter().map(|((l, r), count)| (l, r, count)).collect();
        Ok(Self { cells, left: left_sums, right: right_sums, samples: left.1.len() as u64 })
    }

    /// The mutual information, in nats.
    fn information(&self) -> f64 {
        let samples = self.samples as f64;
        let terms = self.cells.iter().map(|&(l, r, count)| {
            let chance = self.left[l] as f64 * self.right[r] as f64 / samples;
            count as f64 / samples * (count as f64 / chance).ln()
        });
        terms.sum::<f64>().max(0.)
    }
}

fn ranks(labels: &[usize]) -> BTreeMap<usize, usize> {
    let mut ranks: BTreeMap<usize, usize> = labels.iter().map(|&label| (label, 0)).collect();
    ranks.values_mut().enumerate().for_each(|(rank, value)| *value = rank);
    ranks
}

/// The adjusted Rand index of two clusterings of the same samples: how many pairs of samples they
/// agree on, 0 as by chance and 1 if they are equal but for the names. Symmetric.
///
/// ```text
/// ARI = (S − S_a S_b / P) / ((S_a + S_b) / 2 − S_a S_b / P)
/// ```
///
/// where S counts the pairs together in both, S_a and S_b those together in one, and P all pairs.
///
/// # Examples
///
/// ```
/// use ocellus_cluster::adjusted_rand_index;
///
/// assert_eq!(adjusted_rand_index(&[0, 0, 1, 1], &[5, 5, 2, 2])?, 1.);
/// assert!((adjusted_rand_index(&[0, 0, 1, 1], &[0, 0, 1, 2])? - 4. / 7.).abs() < 1e-12);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length.
///
/// # References
///
/// 1. L. Hubert and P. Arabie. *Comparing partitions.* Journal of Classification 2, 1985.
pub fn adjusted_rand_index(a: &[usize], b: &[usize]) -> Result<f64> {
    let table = Contingency::new(("a", a), ("b", b))?;
    // Exact: 2⁶⁴ samples have fewer than 2¹²⁸ pairs.
    let pairs = |count: u64| u128::from(count) * u128::from(count.saturating_sub(1)) / 2;
    let together: u128 = table.cells.iter().map(|&(_, _, count)| pairs(count)).sum();
    let in_a: u128 = table.left.iter().map(|&count| pairs(count)).sum();
    let in_b: u128 = table.right.iter().map(|&count| pairs(count)).sum();
    if together == in_a && together == in_b {
        return Ok(1.);
    }
    let all = pairs(table.samples) as f64;
    let (together, in_a, in_b) = (together as f64, in_a as f64, in_b as f64);
    let expected = in_a * in_b / all;
    Ok((together - expected) / ((in_a + in_b) / 2. - expected))
}

/// The mutual information of two clusterings, divided by the mean of their entropies: 0 if one says
/// nothing of the other, 1 if they are equal but for the names. Symmetric.
///
/// ```text
/// NMI = 2 I(a; b) / (H(a) + H(b))
/// ```
///
/// Two clusterings of one cluster each are equal: 1.
///
/// # Examples
///
/// ```
/// use ocellus_cluster::normalized_mutual_information;
///
/// let nmi = normalized_mutual_information(&[0, 0, 1, 1], &[1, 1, 0, 0])?;
/// assert!((nmi - 1.).abs() < 1e-12);
/// assert_eq!(normalized_mutual_information(&[0, 0, 1, 1], &[0, 1, 0, 1])?, 0.);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length.
pub fn normalized_mutual_information(a: &[usize], b: &[usize]) -> Result<f64> {
    let table = Contingency::new(("a", a), ("b", b))?;
    let samples = table.samples as f64;
    let entropy = |counts: &[u64]| -> f64 {
        let shares = counts.iter().map(|&count| count as f64 / samples);
        -shares.map(|share| share * share.ln()).sum::<f64>()
    };
    let (in_a, in_b) = (entropy(&table.left), entropy(&table.right));
    if in_a == 0. && in_b == 0. {
        return Ok(1.);
    }
    Ok((2. * table.information() / (in_a + in_b)).min(1.))
}

/// How much one labeling of samples tells about another, in nats. Symmetric, and not below 0.
///
/// ```text
/// I = Σ n_ab / n · ln (n n_ab / (n_a n_b))
/// ```
///
/// # Examples
///
/// ```
/// use ocellus_cluster::mutual_information;
///
/// assert!((mutual_information(&[0, 0, 1, 1], &[7, 7, 3, 3])? - 2f64.ln()).abs() < 1e-12);
/// assert_eq!(mutual_information(&[0, 0, 1, 1], &[0, 1, 0, 1])?, 0.);
/// # Ok::<(), ocellus_cluster::Error>(())
/// ```
///
/// # Errors
///
/// If the slices are empty or differ in length.
pub fn mutual_information(a: &[usize], b: &[usize]) -> Result<f64> {
    Ok(Contingency::new(("a", a), ("b", b))?.information())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::golden::{close, indices, number, read};

    #[test]
    fn matches_scikit_learn() {
        let golden = read("indices");
        for case in golden["pairs"].as_array().unwrap() {
            let (a, b) = (indices(&case["a"]), indices(&case["b"]));
            close(adjusted_rand_index(&a, &b).unwrap(), number(&case["ari"]), 1e-12);
            close(normalized_mutual_information(&a, &b).unwrap(), number(&case["nmi"]), 1e-12);
        }
    }

    #[test]
    fn single_clusters_and_single_samples_agree() {
        for (a, b) in [(vec![3, 3, 3], vec![0, 0, 0]), (vec![1], vec![2]), (vec![0, 1], vec![1, 0])]
        {
            assert_eq!(adjusted_rand_index(&a, &b).unwrap(), 1.);
            close(normalized_mutual_information(&a, &b).unwrap(), 1., 1e-12);
        }
        assert_eq!(adjusted_rand_index(&[0, 0, 0], &[0, 1, 2]).unwrap(), 0.);
    }

    #[test]
    fn rejects_what_cannot_be_compared() {
        let message = adjusted_rand_index(&[0], &[0, 1]).unwrap_err().to_string();
        assert!(message.contains("a has 1 entries, b has 2"), "{message}");
        assert!(normalized_mutual_information(&[], &[]).is_err());
    }

    proptest! {
        #[test]
        fn renaming_and_swapping_change_nothing(
            pairs in prop::collection::vec((0usize..4, 0usize..3), 2..40),
        ) {
            let (a, b): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
            let renamed: Vec<usize> = a.iter().map(|&label| 100 - 7 * label).collect();
            for index in [adjusted_rand_index, normalized_mutual_information] {
                let value = index(&a, &b).unwrap();
                prop_assert!((value - index(&renamed, &b).unwrap()).abs() < 1e-12);
                prop_assert!((value - index(&b, &a).unwrap()).abs() < 1e-12);
                prop_assert!(value <= 1.);
            }
        }
    }
}
