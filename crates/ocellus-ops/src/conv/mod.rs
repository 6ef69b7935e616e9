mod composed;
mod config;
mod conv2d;
mod conv_transpose2d;
mod geometry;
mod kernel;
mod op;
#[cfg(test)]
mod tests;

pub use config::{Conv2dConfig, ConvTranspose2dConfig, Padding};
pub use conv_transpose2d::conv_transpose2d;
pub use conv2d::conv2d;
