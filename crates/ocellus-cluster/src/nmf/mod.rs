//! Non-negative matrix factorization.

mod config;
mod coordinate;
mod fit;
mod init;
mod model;
mod multiplicative;
mod objective;

pub use config::{Divergence, Nmf, NmfInit, NmfSolver};
pub use model::NmfModel;
