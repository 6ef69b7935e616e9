use ndarray::{Array1, Array2, ArrayView2};
use ocellus_cluster::{Float, Predict, Result, check};

use super::OutOfBag;
use super::grow::normalize;
use super::tree_model::{DecisionTreeModel, by_rows};
use crate::{ClassifierModel, Stored, model::to_document, scores};

/// The model of a [`RandomForest`](crate::RandomForest).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct RandomForestModel {
    pub(super) trees: Vec<DecisionTreeModel>,
    pub(super) out_of_bag: Option<OutOfBag>,
}

impl RandomForestModel {
    /// The trees.
    #[must_use]
    pub fn trees(&self) -> &[DecisionTreeModel] {
        &self.trees
    }

    /// The mean of the importances of each feature in the trees that have a split: their sum is 1, or
    /// 0 if no tree has one.
    #[must_use]
    pub fn importances(&self) -> Array1<f64> {
        let features = self.trees.first().map_or(0, |tree| tree.importances().len());
        let mut sum = Array1::zeros(features);
        for tree in self.trees.iter().filter(|tree| tree.nodes() > 1) {
            sum += &tree.importances();
        }
        normalize(sum.as_slice_mut().unwrap_or_default());
        sum
    }

    /// How well the trees judge the samples that they have not seen, if that was asked for.
    #[must_use]
    pub fn out_of_bag(&self) -> Option<&OutOfBag> {
        self.out_of_bag.as_ref()
    }
}

impl<T: Float> Predict<T> for RandomForestModel {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        Ok(scores::largest(&self.predict_proba(x)?))
    }
}

impl<T: Float> ClassifierModel<T> for RandomForestModel {
    fn classes(&self) -> usize {
        self.trees.first().map_or(0, |tree| tree.classes)
    }

    fn features(&self) -> usize {
        self.trees.first().map_or(0, |tree| tree.importances.len())
    }

    fn parameter_count(&self) -> usize {
        self.trees.iter().map(DecisionTreeModel::parameter_count).sum()
    }

    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        check::features(x, ClassifierModel::<T>::features(self))?;
        let classes = ClassifierModel::<T>::classes(self);
        Ok(by_rows(x, classes, |x, to| {
            for tree in &self.trees {
                for (row, to) in x.outer_iter().zip(to.chunks_exact_mut(classes)) {
                    for (to, share) in to.iter_mut().zip(tree.leaf(row)) {
                        *to += share;
                    }
                }
            }
            to.iter_mut().for_each(|to| *to /= self.trees.len() as f64);
        }))
    }

    fn to_document(&self) -> Result<String> {
        to_document(self)
    }
}

impl Stored for RandomForestModel {
    const KIND: &'static str = "random-forest";

    fn check(&self) -> std::result::Result<(), String> {
        let first = self.trees.first().ok_or("the forest has no trees")?;
        for (i, tree) in self.trees.iter().enumerate() {
            tree.check().map_err(|problem| format!("tree {i}: {problem}"))?;
            if tree.classes != first.classes || tree.importances.len() != first.importances.len() {
                return Err(format!("tree {i} has other classes or features than the first"));
            }
        }
        Ok(())
    }
}
