mod config;
mod model;

pub use config::GaussianNaiveBayes;
pub use model::GaussianNaiveBayesModel;
