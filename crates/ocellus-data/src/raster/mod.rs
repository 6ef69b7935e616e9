//! Whole scenes: read by windows, written by rows.
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`SceneSource`], [`SceneInfo`], [`SceneBlock`], [`Window`] | A scene that is read by windows |
//! | [`open_scene`], [`SceneConfig`], [`AlphaBand`], [`SampleType`] | Opening a file by its content |
//! | [`GeoTiff`], [`MemoryScene`] | TIFF by windows; PNG, JPEG and values in memory |
//! | [`SelectedBands`], [`look_around`] | Some bands of a scene; some blocks of it, for statistics |
//! | [`RasterWriter`], [`RasterConfig`], [`Probability`], [`RasterSample`] | GeoTIFF written by rows |

mod cache;
mod config;
mod look_around;
mod memory;
mod scene;
mod selected;
mod tiff;
mod window;

pub use config::{Probability, RasterConfig};
pub use look_around::look_around;
pub use memory::MemoryScene;
pub use scene::{
    AlphaBand, SampleType, SceneConfig, SceneInfo, SceneSource, open_scene, open_scene_with,
};
pub use selected::SelectedBands;
pub use tiff::{GeoTiff, RasterSample, RasterWriter};
pub use window::{SceneBlock, Window};
