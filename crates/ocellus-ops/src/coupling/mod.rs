//! The affine coupling of normalizing flows, with what its block does around it.

mod backward;
mod composed;
mod config;
#[allow(clippy::module_inception, reason = "a file is its concept")]
mod coupling;
mod forward;
mod geometry;
mod handover;
mod network;
#[cfg(test)]
mod network_tests;
mod stage;
#[cfg(test)]
mod tests;

pub(crate) use geometry::Geometry;

pub use config::{Clamp, CouplingConfig};
pub use coupling::coupling;
pub use network::{NetworkCoupling, network_couplings};
