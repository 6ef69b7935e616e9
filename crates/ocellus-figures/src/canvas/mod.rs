mod item;
mod raster;
mod svg;
pub(crate) mod xml;

pub(crate) use item::{Anchor, Canvas, Item, Label, Stroke};
