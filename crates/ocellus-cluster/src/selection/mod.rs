//! Choosing features by what each tells about the classes.

mod anova;
mod chi_squared;
mod classes;
mod feature_scores;
mod mutual_information;
mod nearest;
mod select_k_best;
#[cfg(test)]
mod tests;

pub use anova::anova_f;
pub use chi_squared::chi_squared;
pub use feature_scores::FeatureScores;
pub use mutual_information::{DiscreteFeatures, MutualInformation};
pub use select_k_best::{FeatureTest, SelectKBest, SelectKBestModel};
