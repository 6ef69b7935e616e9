mod file;
mod legacy;
mod pickle;
mod safetensors;
mod source;
#[cfg(test)]
mod tests;
mod zip;

pub use file::{WeightFile, WeightFormat};
