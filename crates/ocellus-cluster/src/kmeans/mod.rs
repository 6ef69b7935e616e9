//! K-means: Lloyd's iterations by products or by Hamerly's bounds, and by mini-batches.

mod clusters;
mod config;
mod data;
mod hamerly;
mod lloyd;
mod mini_batch;
mod model;
mod seeding;

pub use config::{KMeans, KMeansAlgorithm, KMeansInit};
pub use mini_batch::MiniBatchKMeans;
pub use model::KMeansModel;
