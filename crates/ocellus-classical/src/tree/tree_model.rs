use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use ocellus_cluster::{Float, Predict, Result, check};
use rayon::prelude::*;

use crate::{ClassifierModel, Stored, model::to_document, scores};

/// Rows of a task.
pub(super) const ROWS: usize = 64;

/// A node; those of its left side follow it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) enum Node {
    /// Feature, threshold, and the node at which its right side begins.
    Split(u32, f64, u32),
    /// The number of a leaf.
    Leaf(u32),
}

/// The model of a [`DecisionTree`](crate::DecisionTree).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DecisionTreeModel {
    pub(super) classes: usize,
    pub(super) nodes: Vec<Node>,
    /// The share of each class, leaf by leaf.
    pub(super) leaves: Vec<f64>,
    pub(super) importances: Vec<f64>,
}

impl DecisionTreeModel {
    /// How many nodes there are, leaves among them.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// How many numbers were learned: two a split, a share of each class a leaf.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        2 * (self.nodes() - self.leaves()) + self.leaves.len()
    }

    /// How many leaves there are.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.leaves.len() / self.classes
    }

    /// The most splits from the root to a leaf.
    #[must_use]
    pub fn depth(&self) -> usize {
        let mut depths = vec![0; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            if let Node::Split(_, _, right) = node {
                depths[i + 1] = depths[i] + 1;
                depths[*right as usize] = depths[i] + 1;
            }
        }
        depths.into_iter().max().unwrap_or(0)
    }

    /// Feature and threshold of each split, from the root on, left before right. Samples not above
    /// the threshold go left.
    #[must_use]
    pub fn splits(&self) -> Vec<(usize, f64)> {
        let split = |node: &Node| match *node {
            Node::Split(feature, threshold, _) => Some((feature as usize, threshold)),
            Node::Leaf(_) => None,
        };
        self.nodes.iter().filter_map(split).collect()
    }

    /// The share of each feature in what all splits take off the impurity: their sum is 1, or 0 for a
    /// tree of one node.
    #[must_use]
    pub fn importances(&self) -> ArrayView1<'_, f64> {
        ArrayView1::from(&self.importances)
    }

    /// The shares of the classes at the leaf that a sample ends at.
    pub(super) fn leaf<T: Float>(&self, sample: ArrayView1<'_, T>) -> &[f64] {
        let mut place = 0;
        loop {
            match self.nodes[place] {
                Node::Leaf(leaf) => {
                    return &self.leaves[leaf as usize * self.classes..][..self.classes];
                }
                Node::Split(feature, threshold, right) => {
                    let left = sample[feature as usize].widen() <= threshold;
                    place = if left { place + 1 } else { right as usize };
                }
            }
        }
    }
}

/// Fills rows of (samples, classes), some at a time.
pub(super) fn by_rows<T: Float>(
    x: ArrayView2<'_, T>,
    classes: usize,
    fill: impl Fn(ArrayView2<'_, T>, &mut [f64]) + Sync,
) -> Array2<f64> {
    let mut filled = Array2::zeros((x.nrows(), classes));
    let flat: &mut [f64] = filled.as_slice_mut().unwrap_or_default();
    let blocks: Vec<_> = x.axis_chunks_iter(Axis(0), ROWS).collect();
    flat.par_chunks_mut(ROWS * classes).zip(blocks).for_each(|(to, x)| fill(x, to));
    filled
}

impl<T: Float> Predict<T> for DecisionTreeModel {
    fn predict(&self, x: ArrayView2<'_, T>) -> Result<Vec<usize>> {
        Ok(scores::largest(&self.predict_proba(x)?))
    }
}

impl<T: Float> ClassifierModel<T> for DecisionTreeModel {
    fn classes(&self) -> usize {
        self.classes
    }

    fn features(&self) -> usize {
        self.importances.len()
    }

    fn parameter_count(&self) -> usize {
        Self::parameter_count(self)
    }

    fn predict_proba(&self, x: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        check::features(x, self.importances.len())?;
        Ok(by_rows(x, self.classes, |x, to| {
            for (row, to) in x.outer_iter().zip(to.chunks_exact_mut(self.classes)) {
                to.copy_from_slice(self.leaf(row));
            }
        }))
    }

    fn to_document(&self) -> Result<String> {
        to_document(self)
    }
}

impl Stored for DecisionTreeModel {
    const KIND: &'static str = "decision-tree";

    fn check(&self) -> std::result::Result<(), String> {
        let (count, features) = (self.nodes.len(), self.importances.len());
        if self.classes == 0 || count == 0 {
            return Err("the tree is empty".into());
        }
        let leaves = self.leaves.len() / self.classes;
        let fits = |(i, node): (usize, &Node)| match *node {
            Node::Leaf(leaf) => (leaf as usize) < leaves,
            Node::Split(feature, threshold, right) => {
                let right = right as usize;
                (feature as usize) < features
                    && !threshold.is_nan()
                    && right > i + 1
                    && right < count
            }
        };
        match self.nodes.iter().enumerate().position(|node| !fits(node)) {
            Some(place) => Err(format!("node {place} of the tree leads nowhere")),
            None => Ok(()),
        }
    }
}
