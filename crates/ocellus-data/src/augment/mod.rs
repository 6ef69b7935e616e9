mod config;
mod photometry;
mod plan;
mod variant;
mod warp;

pub use config::{Augment, Border};
pub use variant::Variant;
