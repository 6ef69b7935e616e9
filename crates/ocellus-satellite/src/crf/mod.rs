mod block;
mod dense_crf;
mod exact;
mod fast;
mod gaussian;
mod landmarks;
mod lattice;
mod probabilities;

pub use block::CrfBlock;
pub use dense_crf::{AppearanceFilter, Compatibility, DenseCrf, KernelNormalization};
