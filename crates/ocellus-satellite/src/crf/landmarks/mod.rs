mod coordinates;
mod filter;
mod grid;
mod pivots;

pub(super) use filter::Landmarks;
