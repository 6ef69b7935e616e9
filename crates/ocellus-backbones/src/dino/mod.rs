//! DINOv2's vision transformer.

mod block;
mod config;
mod network;
mod positions;

pub use config::DinoV2Config;
pub use network::DinoV2;
