mod config;
mod network;

pub(crate) use config::STRIDE;
pub use config::UNetConfig;
pub use network::UNet;
