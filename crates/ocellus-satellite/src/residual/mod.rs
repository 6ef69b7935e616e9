mod config;
mod decoder;
mod network;

pub use config::ResidualSegNetConfig;
pub(crate) use config::STRIDE;
pub use network::ResidualSegNet;
