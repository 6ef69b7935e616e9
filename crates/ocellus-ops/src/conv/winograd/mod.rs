//! Convolutions of 3 × 3 at stride 1 by Winograd's minimal filtering: 36 products for 16 output
//! values instead of 144. And of 4 × 4 at stride 2: see [`phases`].

mod block;
mod channel_tiles;
mod filters;
mod forward;
mod grad_block;
mod grad_filters;
mod grad_weight;
mod grad_work;
mod maps;
mod phase_block;
mod phases;
mod plain;
mod points;
mod scheme;
mod tiles;
mod transform;

pub(super) use filters::Filters;
pub(super) use grad_weight::{grad_weight, grad_weight_of_phases};
pub(super) use phases::{strided, transposed};
pub(super) use plain::convolve;
