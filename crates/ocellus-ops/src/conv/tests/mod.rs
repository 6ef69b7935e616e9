//! What both convolutions must do, in both implementations.

mod errors;
mod gradients;
