mod antialias;
mod backbone;
#[allow(clippy::module_inception, reason = "a file is its concept")]
mod encoder;
mod preparation;

pub use backbone::FrozenBackbone;
pub use encoder::Encoder;
pub use preparation::{ImageSize, Preparation};
