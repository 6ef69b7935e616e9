mod panel;
mod random_projection;
mod weights;

pub use random_projection::{RandomProjection, RandomProjectionModel};
pub use weights::{ProjectionDims, ProjectionWeights, johnson_lindenstrauss_dims};
