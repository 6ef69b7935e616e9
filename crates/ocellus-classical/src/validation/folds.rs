use std::cmp::Reverse;

use ocellus_cluster::{Error, Result};
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Which part of the samples is left out when: each sample is in one fold.
///
/// # Examples
///
/// ```
/// use ocellus_classical::Folds;
///
/// let folds = Folds::stratified(&[0, 0, 1, 1, 1, 1], 2, 7)?;
/// let (train, test) = folds.split(0);
/// assert_eq!((train.len(), test.len()), (3, 3)); // One of class 0 and two of class 1.
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    of: Vec<usize>,
    count: usize,
}

impl Folds {
    /// Given folds, 0 to k − 1, one for each sample.
    ///
    /// # Errors
    ///
    /// If there are fewer than two, or one has no sample.
    pub fn new(of: Vec<usize>) -> Result<Self> {
        let largest = of.iter().copied().max().unwrap_or(0);
        if largest == 0 || largest >= of.len() {
            return Err(Error::InvalidSetting {
                name: "the largest fold",
                value: largest.to_string(),
                remedy: "number two folds or more from 0, none of them empty",
            });
        }
        let mut seen = vec![false; largest + 1];
        of.iter().for_each(|&fold| seen[fold] = true);
        match seen.iter().position(|seen| !seen) {
            Some(class) => Err(Error::InvalidSetting {
                name: "a fold without samples",
                value: class.to_string(),
                remedy: "take fewer folds, or larger groups apart",
            }),
            None => Ok(Self { of, count: largest + 1 }),
        }
    }

    /// Folds whose shares of each class differ by one sample at most.
    ///
    /// # Errors
    ///
    /// If there are fewer than two folds, or fewer samples of a class than folds.
    pub fn stratified(labels: &[usize], folds: usize, seed: u64) -> Result<Self> {
        enough(folds)?;
        let classes = classes(labels)?;
        if let Some(class) = classes.iter().find(|members| members.len() < folds) {
            let label = labels[class[0]];
            return Err(Error::TooFew {
                what: "samples of a class",
                found: class.len(),
                needed: folds,
                remedy: format!("take fewer folds, or more samples of class {label}"),
            });
        }
        Self::new(deal(labels.len(), classes, folds, &mut ChaCha8Rng::seed_from_u64(seed)))
    }

    /// Folds that keep the samples of a group together, as even in each class as the groups allow.
    ///
    /// Groups are any numbers, such as those of patients or of images that were augmented.
    ///
    /// # Errors
    ///
    /// If there are fewer than two folds, fewer groups than folds, or labels and groups differ in
    /// number; or if all groups of a class are in one fold, so that one training part lacks it.
    pub fn grouped(labels: &[usize], groups: &[usize], folds: usize, seed: u64) -> Result<Self> {
        enough(folds)?;
        if labels.len() != groups.len() {
            let (left, right) = ("labels", "groups");
            let (left_len, right_len) = (labels.len(), groups.len());
            return Err(Error::LengthMismatch { left, left_len, right, right_len });
        }
        let classes = classes(labels)?;
        let members = classes_of(groups);
        if members.len() < folds {
            let remedy = format!("take {} folds or fewer", members.len());
            let (what, found) = ("groups", members.len());
            return Err(Error::TooFew { what, found, needed: folds, remedy });
        }
        let of = spread(&members, &classes, folds, &mut ChaCha8Rng::seed_from_u64(seed));
        for class in classes {
            if class.iter().all(|&i| of[i] == of[class[0]]) {
                return Err(Error::TooFew {
                    what: "folds with samples of a class",
                    found: 1,
                    needed: 2,
                    remedy: format!("give more groups of class {}", labels[class[0]]),
                });
            }
        }
        Self::new(of)
    }

    /// How many folds there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The fold of each sample.
    #[must_use]
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    /// The samples to learn from when a fold is left out, and those of the fold, both ascending.
    #[must_use]
    pub fn split(&self, fold: usize) -> (Vec<usize>, Vec<usize>) {
        (0..self.of.len()).partition(|&i| self.of[i] != fold)
    }
}

fn enough(folds: usize) -> Result<()> {
    if folds >= 2 {
        return Ok(());
    }
    let remedy = "take 2 or more";
    Err(Error::InvalidSetting { name: "folds", value: folds.to_string(), remedy })
}

fn classes(labels: &[usize]) -> Result<Vec<Vec<usize>>> {
    if labels.is_empty() {
        return Err(Error::Empty { what: "labels", rows: 0, columns: 1 });
    }
    Ok(classes_of(labels))
}

/// The samples of each value, in the order of the values.
fn classes_of(values: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by_key(|&i| values[i]);
    order.chunk_by(|&a, &b| values[a] == values[b]).map(<[usize]>::to_vec).collect()
}

/// Deals the samples of each class to the folds in turn, in random order.
pub(crate) fn deal(
    samples: usize,
    classes: Vec<Vec<usize>>,
    folds: usize,
    rng: &mut impl Rng,
) -> Vec<usize> {
    let (mut of, mut dealt) = (vec![0; samples], 0);
    for mut members in classes {
        members.shuffle(rng);
        for i in members {
            of[i] = dealt % folds;
            dealt += 1;
        }
    }
    of
}

/// Puts each group, the large ones first, where it raises the squares of the classes' shares least.
fn spread(
    groups: &[Vec<usize>],
    classes: &[Vec<usize>],
    folds: usize,
    rng: &mut impl Rng,
) -> Vec<usize> {
    let samples = classes.iter().map(Vec::len).sum();
    let mut class_of = vec![0; samples];
    for (class, members) in classes.iter().enumerate() {
        members.iter().for_each(|&i| class_of[i] = class);
    }
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.shuffle(rng);
    order.sort_by_key(|&group| Reverse(groups[group].len()));
    let mut shares = vec![vec![0.; classes.len()]; folds];
    let mut sizes = vec![0; folds];
    let mut of = vec![0; samples];
    for group in order {
        let mut added = vec![0.; classes.len()];
        for &i in &groups[group] {
            added[class_of[i]] += 1. / classes[class_of[i]].len() as f64;
        }
        let rise = |fold: usize| -> f64 {
            shares[fold].iter().zip(&added).map(|(have, add)| add * (2. * have + add)).sum()
        };
        let cost = |fold: usize| ((rise(fold) * 1e9).round() as u64, sizes[fold], fold);
        let best = (0..folds).min_by_key(|&fold| cost(fold)).unwrap_or(0);
        shares[best].iter_mut().zip(&added).for_each(|(have, add)| *have += add);
        sizes[best] += groups[group].len();
        groups[group].iter().for_each(|&i| of[i] = best);
    }
    of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_of_classes_differ_by_one(
            labels in prop::collection::vec(0usize..3, 30..90), folds in 2usize..5, seed: u64,
        ) {
            let counts: Vec<usize> =
                (0..3).map(|c| labels.iter().filter(|&&l| l == c).count()).collect();
            prop_assume!(counts.iter().all(|&n| n >= folds));
            let split = Folds::stratified(&labels, folds, seed).unwrap();
            for (class, count) in counts.iter().enumerate() {
                for fold in 0..folds {
                    let part = (split.of().iter().zip(&labels))
                        .filter(|&(&f, &l)| f == fold && l == class).count();
                    prop_assert!(part == count / folds || part == count.div_ceil(folds));
                }
            }
            let (train, test) = split.split(folds - 1);
            prop_assert_eq!(train.len() + test.len(), labels.len());
        }

        #[test]
        fn groups_stay_together(sizes in prop::collection::vec(1usize..6, 12..40), seed: u64) {
            let groups: Vec<usize> =
                sizes.iter().enumerate().flat_map(|(g, &n)| vec![g * 1000; n]).collect();
            let labels: Vec<usize> = groups.iter().map(|g| g / 1000 % 2).collect();
            let folds = Folds::grouped(&labels, &groups, 3, seed).unwrap();
            for (&a, &f) in groups.iter().zip(folds.of()) {
                prop_assert!(groups.iter().zip(folds.of()).all(|(&b, &g)| a != b || f == g));
            }
            let size = |fold| folds.split(fold).1.len();
            let (least, most) = ((0..3).map(size).min().unwrap(), (0..3).map(size).max().unwrap());
            prop_assert!(most - least <= 12, "{} to {}", least, most);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let message = |folds: Result<Folds>| folds.unwrap_err().to_string();
        for (message, part) in [
            (message(Folds::stratified(&[0, 0, 1], 2, 0)), "more samples of class 1"),
            (message(Folds::stratified(&[0, 1], 1, 0)), "folds is 1"),
            (message(Folds::stratified(&[], 2, 0)), "labels is empty"),
            (message(Folds::grouped(&[0, 1], &[1], 2, 0)), "labels has 2"),
            (message(Folds::grouped(&[0, 1, 1], &[1, 1, 1], 2, 0)), "take 1 folds or fewer"),
            (message(Folds::grouped(&[0, 1, 1], &[1, 2, 3], 2, 0)), "more groups of class 0"),
            (message(Folds::new(vec![0, 0])), "the largest fold is 0"),
            (message(Folds::new(vec![0, 2, 2])), "a fold without samples is 1"),
            (message(Folds::new(vec![0, usize::MAX])), "none of them empty"),
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}
