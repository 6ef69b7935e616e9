//! Convolutions of 3 × 3 at stride 1 by Winograd's minimal filtering: 36 products for 16 output
//! values instead of 144.

mod block;
mod filters;
mod forward;
mod grad_block;
mod grad_weight;

mod tiles;
mod transform;

pub(super) use filters::Filters;
pub(super) use forward::forward;
pub(super) use grad_weight::grad_weight;
