mod codec;
mod jpeg;
mod layout;
mod predictor;
mod samples;
mod scene;
mod source;
mod tag;

pub use scene::GeoTiff;
