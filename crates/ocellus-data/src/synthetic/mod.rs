//! Images that no patient gave: for trying programs, and for tests, with no download.

mod anatomy;
mod bmode;
mod field;
mod folder;
mod lesion;
mod speckle;

pub use bmode::{BMode, BModeDataset};
pub use folder::write_folder;
