//! Places on the ground.
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`GeoReference`], [`Affine`] | From pixels to the ground, and in which reference system |

mod affine;
mod reference;

pub use affine::Affine;
pub use reference::GeoReference;
pub(crate) use reference::GeoTags;
