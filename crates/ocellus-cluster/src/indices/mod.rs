//! How good clusters are, how far two clusterings agree, and what clusters are called.

mod assignment;
mod contingency;
mod names;
mod silhouette;

pub use assignment::assignment;
pub use contingency::{adjusted_rand_index, mutual_information, normalized_mutual_information};
pub use names::ClusterNames;
pub use silhouette::{silhouette, silhouette_samples};
