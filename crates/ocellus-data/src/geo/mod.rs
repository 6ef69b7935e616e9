//! Places on the ground, and outlines of what is there.
//!
//! | Item | What it is |
//! | --- | --- |
//! | [`GeoReference`], [`Affine`] | From pixels to the ground, and in which reference system |
//! | [`Polygonizer`], [`Polygon`] | Outlines of a class map's regions, exact or simplified |
//! | [`write_polygons`], [`PolygonWriter`], [`PolygonConfig`] | Polygons as GeoJSON |
//! | [`Footprints`], [`FootprintConfig`], [`FootprintMask`] | GeoJSON polygons, OpenStreetMap's say, as masks of a scene |
//! | [`Crs`] | Longitude and latitude, UTM, Web Mercator |

mod affine;
mod chains;
mod crossings;
mod crs;
mod footprints;
mod polygonize;
mod rasterize;
mod reference;
mod regions;
mod simplify;
mod utm;
mod write;

pub use affine::Affine;
pub use crs::Crs;
pub use footprints::{FootprintConfig, FootprintMask, Footprints};
pub use polygonize::{Polygon, Polygonizer};
pub use reference::GeoReference;
pub(crate) use reference::GeoTags;
pub use write::{PolygonConfig, PolygonWriter, write_polygons};
