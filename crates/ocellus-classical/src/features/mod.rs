//! Numbers that describe an image: histograms of gray values and colors, magnitudes of its Fourier
//! transform.

mod dft;
mod histogram;
mod image_features;
mod pixels;
mod profiles;
mod spectrum;
#[cfg(test)]
mod tests;

pub use dft::Dft;
pub use image_features::ImageFeatures;
