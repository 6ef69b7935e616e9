//! Differentiable image operations for candle: exact gradients, fast kernels.

#[allow(dead_code, unused_imports, reason = "shared by kernels that are still to come")]
mod cpu;
mod implementation;

pub use implementation::{Implementation, with_implementation};
