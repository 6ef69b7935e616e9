use ndarray::ArrayView2;
use ocellus_cluster::{Error, FitLabeled, Float, Result, check};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::grow::Grower;
use super::ranked::columns;
use super::split::Member;
use super::{Criterion, DecisionTreeModel};
use crate::weights::{ClassWeights, counts};

/// How many features are looked at for each split.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum MaxFeatures {
    /// All.
    #[default]
    All,
    /// ⌊√features⌋.
    Sqrt,
    /// ⌊log₂ features⌋.
    Log2,
    /// ⌊share · features⌋, a share in 0..=1.
    Share(f64),
    /// So many.
    Count(usize),
}

impl MaxFeatures {
    fn of(self, features: usize) -> Result<usize> {
        let count = match self {
            Self::All => features,
            Self::Sqrt => features.isqrt(),
            Self::Log2 => features.ilog2() as usize,
            Self::Share(share) if share > 0. && share <= 1. => (share * features as f64) as usize,
            Self::Share(share) => {
                let remedy = "give a share above 0, 1 at most";
                return Err(setting("the share of features", share, remedy));
            }
            Self::Count(count) if (1..=features).contains(&count) => count,
            Self::Count(count) => {
                let remedy = "give 1 or more, at most as many as there are";
                return Err(setting("the number of features", count, remedy));
            }
        };
        Ok(count.max(1))
    }
}

pub(super) fn setting(name: &'static str, value: impl ToString, remedy: &'static str) -> Error {
    Error::InvalidSetting { name, value: value.to_string(), remedy }
}

/// A decision tree (CART): each node parts the samples at a threshold of one feature, so that both
/// sides are as pure as can be.
///
/// Meanings and defaults are those of scikit-learn's `DecisionTreeClassifier`. A node is a leaf if
/// it is pure, too deep, has too few samples, or its samples are all equal; thresholds lie midway
/// between two values. Features are looked at until there are `max_features` and one that is not
/// constant. Of equally good splits that of the feature that is looked at first is taken, which is
/// the first feature if all are.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{ClassifierModel, DecisionTree, FitLabeled, Predict};
///
/// let x = array![[0., 1.], [1., 0.], [0., 0.], [1., 1.]];
/// let model = DecisionTree::default().fit(x.view(), &[1, 1, 0, 0])?;
/// assert_eq!(model.predict(x.view())?, [1, 1, 0, 0]);
/// assert_eq!((model.nodes(), model.depth()), (7, 2));
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
///
/// # Errors
///
/// If a value is not finite, labels are missing or of one class only, or a setting is out of its
/// range.
///
/// # Deviations
///
/// Missing values are an error. scikit-learn computes in `f32` and parts no values that are nearer
/// than 1e-7; here any two different values can be parted.
///
/// # References
///
/// 1. L. Breiman, J. Friedman, R. Olshen and C. Stone. *Classification and Regression Trees.* 1984.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct DecisionTree {
    /// What a split lowers.
    pub criterion: Criterion,
    /// Splits from the root to a leaf, at most.
    pub max_depth: Option<usize>,
    /// Samples that a node needs to be parted.
    pub min_samples_split: usize,
    /// Samples that each side of a split needs.
    pub min_samples_leaf: usize,
    /// How many features are looked at for each split.
    pub max_features: MaxFeatures,
    /// How much the samples of each class count.
    pub class_weights: ClassWeights,
    /// Of the features that are looked at, where these are not all.
    pub seed: u64,
}

impl Default for DecisionTree {
    fn default() -> Self {
        Self {
            criterion: Criterion::Gini,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: MaxFeatures::All,
            class_weights: ClassWeights::Equal,
            seed: 0,
        }
    }
}

impl DecisionTree {
    /// What a split lowers: Gini by default.
    #[must_use]
    pub const fn with_criterion(mut self, criterion: Criterion) -> Self {
        self.criterion = criterion;
        self
    }

    /// Splits from the root to a leaf, at most: any number by default.
    #[must_use]
    pub const fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = Some(depth);
        self
    }

    /// Samples that a node needs to be parted: 2 by default.
    #[must_use]
    pub const fn with_min_samples_split(mut self, samples: usize) -> Self {
        self.min_samples_split = samples;
        self
    }

    /// Samples that each side of a split needs: 1 by default.
    #[must_use]
    pub const fn with_min_samples_leaf(mut self, samples: usize) -> Self {
        self.min_samples_leaf = samples;
        self
    }

    /// How many features are looked at for each split: all by default.
    #[must_use]
    pub const fn with_max_features(mut self, features: MaxFeatures) -> Self {
        self.max_features = features;
        self
    }

    /// How much the samples of each class count: all the same by default.
    #[must_use]
    pub fn with_class_weights(mut self, weights: ClassWeights) -> Self {
        self.class_weights = weights;
        self
    }

    /// The seed of the features that are looked at, where these are not all: 0 by default.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many features are looked at, of so many.
    pub(super) fn tries(&self, features: usize) -> Result<usize> {
        if self.max_depth == Some(0) {
            return Err(setting("the depth", 0, "give 1 or more, or no bound"));
        }
        if self.min_samples_split < 2 {
            let remedy = "give 2 or more: fewer cannot be parted";
            return Err(setting("the samples of a split", self.min_samples_split, remedy));
        }
        check::positive("the samples of a leaf", self.min_samples_leaf)?;
        self.max_features.of(features)
    }
}

/// Errs where samples or features cannot be counted in 32 bits.
pub(super) fn check_size<T: Float>(x: ArrayView2<'_, T>) -> Result<()> {
    let largest = x.nrows().max(x.ncols());
    if u32::try_from(largest).is_ok_and(|largest| largest < u32::MAX) {
        return Ok(());
    }
    Err(setting("the number of samples or features", largest, "give fewer than 2³² − 1"))
}

impl<T: Float> FitLabeled<T> for DecisionTree {
    type Model = DecisionTreeModel;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<DecisionTreeModel> {
        let classes = check::labels(x, y)?;
        check_size(x)?;
        let tries = self.tries(x.ncols())?;
        let weights = self.class_weights.resolve(&counts(y, classes))?;
        let columns = columns(x);
        let member = |&class: &usize| Member { class: class as u32, weight: weights[class] };
        let members = y.iter().map(member).collect();
        let samples = (0..y.len() as u32).collect();
        let rng = ChaCha8Rng::seed_from_u64(self.seed);
        Ok(Grower::new(self, &columns, tries, classes, rng).grow(members, samples))
    }
}
