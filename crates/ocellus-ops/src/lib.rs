//! Differentiable image operations for candle: exact gradients, fast kernels.
