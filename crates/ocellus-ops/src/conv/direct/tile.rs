use std::ops::Range;

use crate::conv::geometry::Geometry;
use crate::parallel::cut;

/// Output pixels of a tile, about: a panel of them lies in a level-1 cache.
const PIXELS: usize = 256;

/// Channels times taps of a part, about: their sums for a few hundred filters lie in a level-2
/// cache.
const DEPTH: usize = 512;

/// Part of the output: some rows of one image, or some whole images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) images: Range<usize>,
    pub(super) rows: Range<usize>,
}

impl Tile {
    /// Output pixels of the tile in each of its images.
    pub(super) fn pixels(&self, g: &Geometry) -> Range<usize> {
        self.rows.start * g.output.1..self.rows.end * g.output.1
    }
}

/// Cuts the output planes into tiles, by the sizes alone: never by the number of threads, on which
/// no bit of a result may depend.
pub(super) fn tiles(g: &Geometry) -> Vec<Tile> {
    let (oh, ow) = g.output;
    let plane = oh * ow;
    if plane == 0 || g.batch == 0 {
        return Vec::new();
    }
    if plane <= PIXELS {
        return cut(g.batch, PIXELS / plane)
            .into_iter()
            .map(|images| Tile { images, rows: 0..oh })
            .collect();
    }
    let strips = cut(oh, (PIXELS / ow).max(1));
    (0..g.batch)
        .flat_map(|image| {
            strips.iter().map(move |rows| Tile { images: image..image + 1, rows: rows.clone() })
        })
        .collect()
}

/// Cuts the channels of x in a group such that each part has about [`DEPTH`] channels times taps.
pub(super) fn channel_parts(g: &Geometry) -> Vec<Range<usize>> {
    cut(g.ci, (DEPTH / g.taps()).max(1))
}
