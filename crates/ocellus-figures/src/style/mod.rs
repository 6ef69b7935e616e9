mod color;
mod colormap;
pub(crate) mod font;

pub use color::Color;
pub use colormap::Colormap;
