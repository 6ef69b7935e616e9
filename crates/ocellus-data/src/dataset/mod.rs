mod cached;
mod derived;
mod files;
mod stored;
mod traits;

pub use cached::Cached;
pub use derived::Derived;
pub use files::{Color, ImageFiles, Preprocess};
pub use stored::StoredFiles;
pub use traits::{Dataset, Example};
