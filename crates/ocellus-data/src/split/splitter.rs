use std::collections::BTreeMap;

use crate::{
    Error, Result, SampleSet,
    split::{
        assign::assign,
        holdout::{Fractions, Holdout},
    },
};

/// Splits samples so that every part has the classes in the same ratio, and no group is torn apart.
///
/// Images of one patient look alike: with some of them in training and some in the test, a model is
/// praised for recognizing the patient. So groups are kept on one side wherever they are known.
/// Within that, a part's count of each class is as near to its share as a greedy assignment gets:
/// the largest groups first, each to the part that misses it most. Without groups each count is its
/// share rounded up or down.
///
/// Same samples, same seed, same split.
///
/// # Examples
///
/// Five folds, and within the first fold's training samples a validation part that was never
/// tested on:
///
/// ```
/// use ocellus_data::{Fractions, Splitter};
///
/// let labels: Vec<usize> = (0..100).map(|i| i % 2).collect();
/// let patients: Vec<usize> = (0..100).map(|i| i / 4).collect();
/// let splitter = Splitter::new(&labels).with_groups(&patients)?.with_seed(7);
/// let folds = splitter.k_fold(5)?;
/// assert_eq!(folds.iter().map(|fold| fold.test.len()).sum::<usize>(), 100);
///
/// let inner = splitter.within(&folds[0].train)?.holdout(Fractions::new(0.8, 0.2, 0.)?)?;
/// assert!(inner.validation.iter().all(|i| folds[0].train.contains(i)));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splitter {
    labels: Vec<usize>,
    groups: Vec<usize>,
    indices: Vec<usize>,
    seed: u64,
    allow_missing: bool,
}

/// One fold of a cross-validation: indices, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fold {
    /// All other folds' samples.
    pub train: Vec<usize>,
    /// The fold's own samples.
    pub test: Vec<usize>,
}

impl Splitter {
    /// A splitter of samples with these labels, each a group of its own, with seed 0.
    #[must_use]
    pub fn new(labels: &[usize]) -> Self {
        Self {
            labels: labels.to_vec(),
            groups: (0..labels.len()).collect(),
            indices: (0..labels.len()).collect(),
            seed: 0,
            allow_missing: false,
        }
    }

    /// A splitter of a data set, by its labels and groups.
    #[must_use]
    pub fn of(set: &SampleSet) -> Self {
        Self { groups: set.group_ids(), ..Self::new(&set.labels()) }
    }

    /// Sets each sample's group.
    ///
    /// # Errors
    ///
    /// If there are not as many groups as labels.
    pub fn with_groups(mut self, groups: &[usize]) -> Result<Self> {
        if groups.len() != self.labels.len() {
            return Err(Error::Split(format!(
                "{} groups for {} samples: give one a sample",
                groups.len(),
                self.labels.len()
            )));
        }
        self.groups = groups.to_vec();
        Ok(self)
    }

    /// Sets the seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets whether a part may lack a class. Off by default: most metrics are undefined then.
    #[must_use]
    pub fn with_missing_classes(mut self, allow: bool) -> Self {
        self.allow_missing = allow;
        self
    }

    /// The number of samples of the whole.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// The same splitter restricted to these samples, for a split within a split. Results keep the
    /// indices of the whole.
    ///
    /// # Errors
    ///
    /// If an index is beyond the samples or comes twice.
    pub fn within(&self, indices: &[usize]) -> Result<Self> {
        let mut indices = indices.to_vec();
        indices.sort_unstable();
        if let Some(&beyond) = indices.last().filter(|&&i| i >= self.labels.len()) {
            let count = self.labels.len();
            return Err(Error::Split(format!("no sample {beyond} among {count}")));
        }
        if let Some(pair) = indices.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::Split(format!("sample {} comes twice", pair[0])));
        }
        Ok(Self { indices, ..self.clone() })
    }

    /// Parts for training, validation and test.
    ///
    /// # Errors
    ///
    /// If a part would lack a class, unless that is allowed.
    pub fn holdout(&self, fractions: Fractions) -> Result<Holdout> {
        let names = ["training", "validation", "test"];
        let parts = self.parts(&fractions.shares(), &|part| format!("the {} part", names[part]))?;
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        Ok(Holdout { train: next(), validation: next(), test: next() })
    }

    /// That many folds; every sample is tested in exactly one.
    ///
    /// # Errors
    ///
    /// If there are fewer than two folds or fewer groups than folds, or a fold would lack a class,
    /// unless that is allowed.
    pub fn k_fold(&self, folds: usize) -> Result<Vec<Fold>> {
        let groups = self.members().len();
        if folds < 2 || groups < folds {
            return Err(Error::Split(format!(
                "{folds} folds of {groups} groups ({} samples): give from 2 folds to as many as \
                 there are groups",
                self.indices.len()
            )));
        }
        let shares = vec![1. / folds as f64; folds];
        let parts = self.parts(&shares, &|part| format!("fold {part}"))?;
        let train = |fold: usize| {
            let others = parts.iter().enumerate().filter(|(part, _)| *part != fold);
            let mut train: Vec<_> = others.flat_map(|(_, part)| part.iter().copied()).collect();
            train.sort_unstable();
            train
        };
        Ok((0..folds).map(|fold| Fold { train: train(fold), test: parts[fold].clone() }).collect())
    }

    /// The samples of each group, in the order of the first.
    fn members(&self) -> Vec<Vec<usize>> {
        let mut place = BTreeMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for &i in &self.indices {
            let at = *place.entry(self.groups[i]).or_insert(members.len());
            if at == members.len() {
                members.push(Vec::new());
            }
            members[at].push(i);
        }
        members
    }

    fn parts(&self, shares: &[f64], name: &dyn Fn(usize) -> String) -> Result<Vec<Vec<usize>>> {
        if self.indices.is_empty() {
            return Err(Error::Split("no samples to split".to_owned()));
        }
        let classes = self.labels.iter().max().map_or(0, |&label| label + 1);
        let members = self.members();
        let parts = assign(&members, &self.labels, classes, shares, self.seed);
        if !self.allow_missing {
            self.require_all_classes(&parts, shares, classes, members.len(), name)?;
        }
        Ok(parts)
    }

    fn require_all_classes(
        &self,
        parts: &[Vec<usize>],
        shares: &[f64],
        classes: usize,
        groups: usize,
        name: &dyn Fn(usize) -> String,
    ) -> Result<()> {
        for class in 0..classes {
            let of_class =
                |part: &[usize]| part.iter().filter(|&&i| self.labels[i] == class).count();
            let total = of_class(&self.indices);
            let lacking = parts
                .iter()
                .zip(shares)
                .position(|(part, &share)| total > 0 && share > 0. && of_class(part) == 0);
            if let Some(part) = lacking {
                return Err(Error::Split(format!(
                    "class {class} is missing in {}: it has {total} samples, in all there are \
                     {groups} groups; ask for fewer or larger parts, or allow missing classes",
                    name(part)
                )));
            }
        }
        Ok(())
    }
}
