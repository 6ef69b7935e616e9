mod check;
mod evidence;
mod feature_model;
mod image_pooling;
mod image_scoring;
mod kinds;
mod state;

pub(crate) use check::check_features;
pub use evidence::{Evidence, FeatureKind, ScaleEvidence, Scores};
pub use feature_model::{FeatureModel, FitFeatures};
pub use image_pooling::ImagePooling;
pub use image_scoring::ImageScoring;
pub(crate) use kinds::restore;
pub use state::State;
