//! Decision trees, and forests of them.

mod criterion;
mod decision_tree;
mod forest_model;
mod grow;
mod out_of_bag;
mod random_forest;
mod ranked;
mod split;
#[cfg(test)]
mod tests;
mod tree_model;

pub use criterion::Criterion;
pub use decision_tree::{DecisionTree, MaxFeatures};
pub use forest_model::RandomForestModel;
pub use out_of_bag::OutOfBag;
pub use random_forest::RandomForest;
pub use tree_model::DecisionTreeModel;
