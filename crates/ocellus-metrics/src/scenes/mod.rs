mod boundary;
mod objects;
mod pixels;

pub use boundary::{BoundaryConfig, BoundaryCounts, BoundaryMatcher};
pub use objects::{Connectivity, ObjectConfig, ObjectMatcher, ObjectScores};
pub(crate) use objects::{Labeler, Run};
pub use pixels::Pixels;
