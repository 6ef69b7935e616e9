mod codec;
mod encode;
mod jpeg;
mod layout;
mod predictor;
mod samples;
mod scene;
mod source;
mod tag;
mod writer;

pub use scene::GeoTiff;
pub use writer::{RasterSample, RasterWriter};
