mod cross_validation;
mod folds;
mod grid_search;
mod score;

pub use cross_validation::{OutOfFold, cross_validate, cross_validate_with};
pub use folds::Folds;
pub(crate) use folds::deal;
pub use grid_search::{GridSearch, GridSearchModel};
pub use score::Score;
