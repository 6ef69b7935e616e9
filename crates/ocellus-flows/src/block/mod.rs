//! A coupling block and its parts.

#[allow(clippy::module_inception, reason = "a file is its concept")]
mod block;
mod config;
mod global_affine;
mod mixing;
mod rotation;
mod subnet;

pub(crate) use block::CouplingBlock;
pub use config::{Mixing, Subnet};
pub use global_affine::standardizing_affine;
pub(crate) use mixing::{Mixer, keys_of};
