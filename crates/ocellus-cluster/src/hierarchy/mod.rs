//! Agglomerative clustering and its tree.

mod agglomerative;
mod dendrogram;
mod distances;

pub use agglomerative::{Agglomerative, Linkage};
pub use dendrogram::{Dendrogram, Merge};
pub(crate) use distances::Euclidean;
pub use distances::Metric;
