//! What the CPU kernels share: the element types, and tensors read as plain slices.

mod exponential;
mod float;
mod output;
mod scratch;
mod unary;
mod values;

pub(crate) use float::{Float, dispatch, widened};
pub(crate) use output::Output;
pub(crate) use scratch::with_scratch;
pub(crate) use unary::{UnaryKernel, apply_unary};
pub(crate) use values::{Values, read, view};
