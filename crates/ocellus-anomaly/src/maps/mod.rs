mod map_config;
mod smoothing;

pub use map_config::{MapConfig, Upsampling};
pub use smoothing::Smoothing;
