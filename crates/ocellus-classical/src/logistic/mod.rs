mod config;
mod model;
mod newton;
mod objective;

pub use config::{LogisticRegression, Penalty};
pub use model::LogisticRegressionModel;
