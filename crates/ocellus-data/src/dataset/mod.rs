mod cached;
mod files;
mod traits;

pub use cached::Cached;
pub use files::{Color, ImageFiles, Preprocess};
pub use traits::{Dataset, Example};
