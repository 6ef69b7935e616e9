mod decode;
mod encode;
mod jpeg;
mod normalize;
mod planar;
mod resize;

pub(crate) use decode::read_bounded;
pub use decode::{Alpha, DecodeConfig};
pub use normalize::{ChannelStatistics, Normalize};
pub use planar::Image;
pub use resize::{Filter, Fit, Resize};
