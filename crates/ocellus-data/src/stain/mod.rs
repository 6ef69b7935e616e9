mod color;
mod file;
mod macenko;
mod matrix;
mod percentile;
mod reinhard;

pub use color::ColorSpace;
pub use macenko::{Macenko, MacenkoModel};
pub use reinhard::{Reinhard, ReinhardModel};
