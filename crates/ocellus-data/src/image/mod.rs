mod bmp;
mod components;
mod crop;
mod decode;
mod encode;
mod jpeg;
mod normalize;
mod planar;
mod resize;
mod tiff;
mod window;

pub(crate) use components::components;
pub use crop::{CellCrop, Outside};
pub(crate) use decode::read_bounded;
pub use decode::{Alpha, DecodeConfig};
pub use normalize::{ChannelStatistics, Normalize};
pub use planar::Image;
pub use resize::{Filter, Fit, Resize};
