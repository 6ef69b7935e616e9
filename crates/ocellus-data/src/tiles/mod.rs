mod blend;
mod parts;
mod plan;
mod stitcher;

pub use blend::Blend;
pub use parts::{PartWriter, Parts};
pub use plan::{Tile, TileConfig, TilePlan};
pub use stitcher::{Piece, Stitcher};
