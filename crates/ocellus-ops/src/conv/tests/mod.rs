//! What both convolutions must do, in both implementations.

mod errors;
mod fused;
mod golden;
mod gradients;
mod graph;
mod large;
mod naive;
mod packed;
mod phases;
mod transposed;
mod vector_gradients;
mod vectors;
mod winograd;

const BOTH: [crate::Implementation; 2] =
    [crate::Implementation::Kernel, crate::Implementation::Composed];
