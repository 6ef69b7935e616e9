//! Nearest rows, and classes of new samples by the nearest known ones.

mod bytes;
mod candidates;
mod grid;
mod nearest_centroid;
mod nearest_neighbors;
mod nearest_sample;
mod search;

pub use nearest_centroid::{NearestCentroid, NearestCentroidModel};
pub use nearest_neighbors::{NearestNeighbors, NearestNeighborsModel, NeighborDistance, Neighbors};
pub use nearest_sample::{NearestSample, NearestSampleModel};
