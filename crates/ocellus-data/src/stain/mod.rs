mod color;
mod file;
mod macenko;
mod matrix;
mod percentile;
mod reinhard;
mod stain_model;

pub use color::ColorSpace;
pub use macenko::{Macenko, MacenkoModel};
pub use reinhard::{Reinhard, ReinhardModel};
pub use stain_model::StainModel;
