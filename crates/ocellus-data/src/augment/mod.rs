mod config;
mod photometry;
mod plan;
mod warp;

pub use config::{Augment, Border};
