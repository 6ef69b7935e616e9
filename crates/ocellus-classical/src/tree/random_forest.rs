use ndarray::ArrayView2;
use ocellus_cluster::{FitLabeled, Float, Result, check};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::decision_tree::{check_size, setting};
use super::grow::Grower;
use super::ranked::{Column, columns};
use super::split::Member;
use super::{DecisionTree, DecisionTreeModel, MaxFeatures, OutOfBag, RandomForestModel};
use crate::weights::counts;

/// A random forest: decision trees of samples drawn with replacement, which look at a few random
/// features for each split. Their probabilities are averaged.
///
/// Meanings and defaults are those of scikit-learn's `RandomForestClassifier`: 100 trees, √features.
/// The least numbers of samples of a [`DecisionTree`] count a sample once, however often it was drawn.
/// Tree t draws from stream t of the seed: more trees never change those before.
///
/// # Examples
///
/// ```
/// use ndarray::array;
/// use ocellus_classical::{ClassifierModel, FitLabeled, Predict, RandomForest};
///
/// let x = array![[0., 3.], [1., 3.], [2., 3.], [7., 3.], [8., 3.], [9., 3.]];
/// let y = [0, 0, 0, 1, 1, 1];
/// let model = RandomForest::default().with_trees(50).with_out_of_bag(true).fit(x.view(), &y)?;
/// assert_eq!(model.predict(x.view())?, y);
/// assert_eq!(model.importances().to_vec(), [1., 0.]);
/// assert!(model.out_of_bag().is_some_and(|unseen| unseen.accuracy > 0.9));
/// # Ok::<(), ocellus_classical::Error>(())
/// ```
///
/// # Errors
///
/// Those of a [`DecisionTree`]; and if there are to be no trees, or samples that were not drawn are
/// asked for where none are drawn.
///
/// # References
///
/// 1. L. Breiman. *Random forests.* Machine Learning 45, 2001.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct RandomForest {
    /// How each tree is grown; its seed is not used.
    pub tree: DecisionTree,
    /// How many.
    pub trees: usize,
    /// Whether each tree gets as many samples as there are, drawn with replacement, and not all.
    pub bootstrap: bool,
    /// Whether samples are judged by the trees that have not seen them.
    pub out_of_bag: bool,
    /// Of all draws.
    pub seed: u64,
}

impl Default for RandomForest {
    fn default() -> Self {
        let tree = DecisionTree::default().with_max_features(MaxFeatures::Sqrt);
        Self { tree, trees: 100, bootstrap: true, out_of_bag: false, seed: 0 }
    }
}

impl RandomForest {
    /// How each tree is grown: with √features for each split by default.
    #[must_use]
    pub fn with_tree(mut self, tree: DecisionTree) -> Self {
        self.tree = tree;
        self
    }

    /// How many trees: 100 by default.
    #[must_use]
    pub const fn with_trees(mut self, trees: usize) -> Self {
        self.trees = trees;
        self
    }

    /// Whether each tree gets samples drawn with replacement: yes by default.
    #[must_use]
    pub const fn with_bootstrap(mut self, bootstrap: bool) -> Self {
        self.bootstrap = bootstrap;
        self
    }

    /// Whether samples are judged by the trees that have not seen them: no by default.
    #[must_use]
    pub const fn with_out_of_bag(mut self, out_of_bag: bool) -> Self {
        self.out_of_bag = out_of_bag;
        self
    }

    /// The seed of all draws: 0 by default.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn rng(&self, tree: usize) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(tree as u64);
        rng
    }

    /// How often a tree sees each sample.
    pub(super) fn bag(&self, tree: usize, samples: usize) -> (Vec<u32>, ChaCha8Rng) {
        let mut rng = self.rng(tree);
        if !self.bootstrap {
            return (vec![1; samples], rng);
        }
        let mut counts = vec![0; samples];
        for _ in 0..samples {
            counts[rng.random_range(0..samples)] += 1;
        }
        (counts, rng)
    }

    fn grow(
        &self,
        tree: usize,
        columns: &[Column],
        y: &[usize],
        tries: usize,
        weights: &[f64],
    ) -> DecisionTreeModel {
        let (counts, rng) = self.bag(tree, y.len());
        let member = |(&class, &count): (&usize, &u32)| Member {
            class: class as u32,
            weight: f64::from(count) * weights[class],
        };
        let members = y.iter().zip(&counts).map(member).collect();
        let drawn = |&sample: &u32| counts[sample as usize] > 0;
        let samples = (0..y.len() as u32).filter(drawn).collect();
        Grower::new(&self.tree, columns, tries, weights.len(), rng).grow(members, samples)
    }
}

impl<T: Float> FitLabeled<T> for RandomForest {
    type Model = RandomForestModel;

    fn fit(&self, x: ArrayView2<'_, T>, y: &[usize]) -> Result<RandomForestModel> {
        let classes = check::labels(x, y)?;
        check_size(x)?;
        check::positive("trees", self.trees)?;
        if self.out_of_bag && !self.bootstrap {
            let remedy = "draw samples (`with_bootstrap`): else each tree sees all";
            return Err(setting("`out_of_bag`", true, remedy));
        }
        let tries = self.tree.tries(x.ncols())?;
        let weights = self.tree.class_weights.resolve(&counts(y, classes))?;
        let columns = columns(x);
        let trees: Vec<DecisionTreeModel> = (0..self.trees)
            .into_par_iter()
            .map(|tree| self.grow(tree, &columns, y, tries, &weights))
            .collect();
        let out_of_bag = match self.out_of_bag {
            true => Some(OutOfBag::new(self, &trees, x, y)?),
            false => None,
        };
        Ok(RandomForestModel { trees, out_of_bag })
    }
}
