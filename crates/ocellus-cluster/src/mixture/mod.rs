//! Mixtures of Gaussians, fitted by expectation maximization.

mod config;
mod covariance;
mod density;
mod maximization;
mod model;
#[cfg(test)]
mod tests;

pub use config::{GaussianMixture, MixtureInit};
pub use covariance::{CovarianceType, Covariances};
pub use model::GaussianMixtureModel;
