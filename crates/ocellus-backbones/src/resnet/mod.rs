mod classifier;
mod config;
mod network;

pub use classifier::ResNetClassifier;
pub use config::{ResNetConfig, ResNetUnit, StemPool};
pub use network::ResNet;
