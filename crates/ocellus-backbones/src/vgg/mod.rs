mod classifier;
mod config;
mod names;
mod network;

pub use classifier::VggClassifier;
pub use config::VggConfig;
pub use names::TIMM_VGG_NAMES;
pub use network::Vgg;
