mod config;
mod coupling;
mod fit;
mod kernel;
mod model;
mod passes;
mod platt;
mod rows;
mod solver;

pub use config::Svm;
pub use kernel::{Gamma, Kernel};
pub use model::SvmModel;
pub use platt::PlattScaling;
