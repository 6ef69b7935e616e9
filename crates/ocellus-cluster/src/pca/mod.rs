//! Principal component analysis.

mod config;
mod exact;
mod fit;
mod model;
mod randomized;
mod streamed;

pub use config::{Components, Pca, PcaSolver};
pub use model::PcaModel;
pub(crate) use randomized::{leading, normal};
