//! Residual encoder-decoder segmentation of satellite images, whole scenes included.
//!
//! # Features
//!
//! `accelerate`, `cuda`, `cudnn`, `metal` and `mkl` are candle's.

mod error;
mod scene;

pub use error::{Error, Result};
pub use scene::{Classified, NO_DATA, PieceSink, Record, ScenePiece, SegmentConfig, Segmenter};
