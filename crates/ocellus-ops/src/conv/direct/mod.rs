//! The CPU kernels, shared by convolution and transposed convolution.
//!
//! Work is cut into tasks by the sizes alone, each sums in a fixed order on one thread, and tasks
//! write disjoint memory: the same bits at any number of threads.

mod forward;
mod grad_bias;
mod grad_input;
mod grad_weight;
mod grid;
mod padded;
mod panels;
mod phase_panels;
mod phases;
mod pixels;
mod segments;
mod stage;
mod tile;
mod transposed;
mod weight_panels;

pub(super) use forward::forward;
pub(crate) use grad_bias::grad_bias;
pub(super) use grad_input::grad_input;
pub(super) use grad_weight::grad_weight;
pub(super) use panels::PackFilters;

/// Panels of a task of [`forward`]: packed filters are read once for all of them.
const PANELS: usize = 8;
