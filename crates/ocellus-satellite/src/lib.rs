//! Residual encoder-decoder segmentation of satellite images, whole scenes included.
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.
