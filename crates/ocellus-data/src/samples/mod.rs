mod choice;
mod grid;
mod pair;
mod patch;
mod prepare;
mod regions;
mod scene;
mod statistics;
mod tiles;

pub use choice::{AnnotatedBlocks, Validation};
pub use grid::TileGrid;
pub use pair::{MaskCoding, ScenePair};
pub use patch::{Jitter, PatchDraw, Sampler, Turn};
pub use prepare::{PreparedTiles, StatisticsOf, TilePreparation};
pub use regions::Regions;
pub use scene::{IGNORED, LabeledImage, LabeledScene};
pub use tiles::Tiles;
