mod config;
mod decoder;
mod encoder_record;
mod network;

pub use config::ResidualSegNetConfig;
pub(crate) use config::STRIDE;
pub use network::ResidualSegNet;
