mod blend;
mod plan;
mod stitcher;

pub use blend::Blend;
pub use plan::{Tile, TileConfig, TilePlan};
pub use stitcher::{Piece, Stitcher};
