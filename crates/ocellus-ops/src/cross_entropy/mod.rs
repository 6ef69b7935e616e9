//! Cross-entropy of logits with class indices or class probabilities.

mod composed;
mod config;
mod indices;
mod kernel;
mod loss;
mod target;

pub use config::CrossEntropyConfig;
pub use loss::cross_entropy;

#[cfg(test)]
mod tests;
