//! Classes of new samples, from the labels of known ones.

mod centroid;
mod sample;

pub use centroid::{NearestCentroid, NearestCentroidModel};
pub use sample::{NearestSample, NearestSampleModel};
