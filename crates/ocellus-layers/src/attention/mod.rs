mod config;
mod gate;
mod normalization;

pub use config::{AttentionGateConfig, GateInit, MONAI_GATE_NAMES};
pub use gate::{AttentionGate, Gated};
pub use normalization::AttentionNormalization;
