mod candidates;
mod nearest_neighbors;

pub use nearest_neighbors::{NearestNeighbors, NearestNeighborsModel, NeighborDistance, Neighbors};
