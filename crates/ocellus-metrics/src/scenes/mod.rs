mod boundary;
mod objects;
mod pixels;

pub use boundary::{BoundaryConfig, BoundaryCounts, BoundaryMatcher};
pub use objects::{Connectivity, ObjectConfig, ObjectMatcher, ObjectScores};
pub use pixels::Pixels;
