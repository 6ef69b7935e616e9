//! Cross-entropy of logits with class indices or class probabilities.

mod composed;
mod config;
mod indices;
mod kernel;
mod loss;
mod target;

#[cfg(any(feature = "cuda", all(test, target_os = "linux")))]
pub(crate) use {kernel::CrossEntropy, target::Target};

pub use config::CrossEntropyConfig;
pub use loss::cross_entropy;

#[cfg(test)]
mod tests;
