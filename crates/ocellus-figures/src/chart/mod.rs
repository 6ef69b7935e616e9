//! Charts with two axes: what all curves share.

mod axis;
mod backend;
mod frame;
mod legend;
mod shape;

pub(crate) use axis::Axis;
pub(crate) use frame::{Chart, Plane};
pub(crate) use legend::{Legend, Mark, SEAM, draw_cross};
pub(crate) use shape::Shape;
