mod features;
mod neighbors;
mod permutohedral;
mod simplex;
mod strip;
mod table;

pub(super) use features::Features;
pub(super) use permutohedral::Permutohedral;
pub(super) use strip::Pixels;
