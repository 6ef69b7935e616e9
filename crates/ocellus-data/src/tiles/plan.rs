use std::ops::Range;

use super::Blend;
use crate::{Error, Result};

/// How a scene is cut into overlapping tiles.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Blend, TileConfig};
///
/// let config = TileConfig::new(512, 128).with_blend(Blend::Clip);
/// assert_eq!(config.step(), 384);
/// assert_eq!(config.plan(1000, 600)?.count(), 3 * 2);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TileConfig {
    /// Height and width of a tile.
    pub size: usize,
    /// How many rows or columns neighbors share.
    pub overlap: usize,
    /// How neighbors are blended.
    pub blend: Blend,
}

impl TileConfig {
    /// Square tiles that share `overlap` rows or columns, blended along a raised cosine.
    #[must_use]
    pub const fn new(size: usize, overlap: usize) -> Self {
        Self { size, overlap, blend: Blend::Hann }
    }

    /// Sets how neighbors are blended.
    #[must_use]
    pub const fn with_blend(mut self, blend: Blend) -> Self {
        self.blend = blend;
        self
    }

    /// How far the next tile begins after one. To give what one pass over the whole scene gives, it
    /// has to be a multiple of the network's stride.
    #[must_use]
    pub const fn step(&self) -> usize {
        self.size.saturating_sub(self.overlap)
    }

    /// The tiles of a scene.
    ///
    /// # Errors
    ///
    /// If the scene or the tiles have no size, or the overlap is as large as a tile.
    pub fn plan(&self, height: usize, width: usize) -> Result<TilePlan> {
        if self.step() == 0 {
            return Err(Error::Setting(format!(
                "tiles of {} that overlap by {} do not move on: the overlap must be smaller",
                self.size, self.overlap
            )));
        }
        if height == 0 || width == 0 {
            return Err(Error::Shape(format!("a scene of {height}×{width} pixels has no tiles")));
        }
        Ok(TilePlan { config: *self, rows: self.axis(height), columns: self.axis(width) })
    }

    fn axis(&self, length: usize) -> Axis {
        let count = length.saturating_sub(self.overlap).div_ceil(self.step()).max(1);
        let mut axis = Axis { length, config: *self, count, sums: vec![0.; length] };
        for index in 0..count {
            let (range, weights) = (axis.range(index), axis.weights(index));
            for (sum, weight) in axis.sums[range].iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        axis
    }
}

/// Where the tiles lie along one side of a scene.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    length: usize,
    config: TileConfig,
    count: usize,
    /// The sum of the weights of all tiles at each position.
    pub(super) sums: Vec<f32>,
}

impl Axis {
    pub(super) fn range(&self, index: usize) -> Range<usize> {
        let start = index * self.config.step();
        start..(start + self.config.size).min(self.length)
    }

    /// How many positions of a tile no later one meets.
    pub(super) fn done(&self, index: usize) -> usize {
        if index + 1 < self.count { self.config.step() } else { self.range(index).len() }
    }

    pub(super) fn weights(&self, index: usize) -> Vec<f32> {
        let TileConfig { overlap, blend, .. } = self.config;
        blend.weights(self.range(index).len(), overlap, index > 0, index + 1 < self.count)
    }
}

/// A part of a scene that a network sees at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tile {
    /// Which row of tiles it is in.
    pub row: usize,
    /// Which column of tiles it is in.
    pub column: usize,
    /// Its first row of pixels.
    pub y: usize,
    /// Its first column of pixels.
    pub x: usize,
    /// Its rows of pixels.
    pub height: usize,
    /// Its columns of pixels.
    pub width: usize,
}

/// The tiles of a scene, row by row.
///
/// A scene smaller than a tile is one tile. The last tiles of rows and columns end with the scene and
/// are shorter, yet longer than the overlap: every tile starts at a multiple of the step, and none
/// sees anything beyond the scene.
///
/// # Examples
///
/// ```
/// use ocellus_data::TileConfig;
///
/// let plan = TileConfig::new(64, 16).plan(100, 64)?;
/// let tiles: Vec<_> = plan.tiles().map(|tile| (tile.y, tile.height, tile.width)).collect();
/// assert_eq!(tiles, [(0, 64, 64), (48, 52, 64)]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TilePlan {
    config: TileConfig,
    pub(super) rows: Axis,
    pub(super) columns: Axis,
}

impl TilePlan {
    /// How the scene is cut.
    #[must_use]
    pub fn config(&self) -> &TileConfig {
        &self.config
    }

    /// The scene's height and width.
    #[must_use]
    pub fn scene(&self) -> (usize, usize) {
        (self.rows.length, self.columns.length)
    }

    /// Rows of tiles.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.count
    }

    /// Tiles in a row.
    #[must_use]
    pub fn column_count(&self) -> usize {
        self.columns.count
    }

    /// All tiles.
    #[must_use]
    pub fn count(&self) -> usize {
        self.row_count() * self.column_count()
    }

    /// The tiles, row by row.
    pub fn tiles(&self) -> impl Iterator<Item = Tile> + '_ {
        (0..self.row_count()).flat_map(|row| self.row(row))
    }

    /// The tiles of a row, from the left.
    pub fn row(&self, row: usize) -> impl Iterator<Item = Tile> + '_ {
        let rows = self.rows.range(row);
        (0..self.column_count()).map(move |column| {
            let columns = self.columns.range(column);
            let (y, x) = (rows.start, columns.start);
            Tile { row, column, y, x, height: rows.len(), width: columns.len() }
        })
    }

    /// The rows of pixels that are final once a row of tiles is done.
    #[must_use]
    pub fn finished(&self, row: usize) -> Range<usize> {
        let start = self.rows.range(row).start;
        start..start + self.rows.done(row)
    }

    /// The first row of tiles that takes part in what [`finished`](Self::finished) gives for `row`:
    /// where to take up work again that was broken off before `row`.
    #[must_use]
    pub fn first_needed(&self, row: usize) -> usize {
        row.saturating_sub(self.config.overlap.div_ceil(self.config.step()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tiles_cover_the_scene_and_are_longer_than_the_overlap(
            size in 1_usize..40, overlap in 0_usize..39, length in 1_usize..200,
        ) {
            prop_assume!(overlap < size);
            let plan = TileConfig::new(size, overlap).plan(length, 7).unwrap();
            let mut end = 0;
            for row in 0..plan.row_count() {
                let tile = plan.row(row).next().unwrap();
                prop_assert!(tile.y <= end && tile.height <= size);
                prop_assert!(row == 0 || tile.height > overlap);
                prop_assert_eq!(plan.finished(row).start, tile.y);
                end = tile.y + tile.height;
            }
            prop_assert_eq!(end, length);
            let finished: usize = (0..plan.row_count()).map(|row| plan.finished(row).len()).sum();
            prop_assert_eq!(finished, length);
            prop_assert!(plan.rows.sums.iter().all(|&sum| sum > 0.));
        }
    }

    #[test]
    fn rejects_what_makes_no_tiles() {
        let error = TileConfig::new(32, 32).plan(10, 10).unwrap_err().to_string();
        assert!(error.contains("tiles of 32 that overlap by 32"), "{error}");
        let error = TileConfig::new(32, 8).plan(0, 10).unwrap_err().to_string();
        assert!(error.contains("0×10"), "{error}");
    }

    #[test]
    fn work_is_taken_up_with_the_rows_that_reach_in() {
        let plan = TileConfig::new(64, 16).plan(1000, 64).unwrap();
        assert_eq!((plan.first_needed(0), plan.first_needed(3)), (0, 2));
        let plan = TileConfig::new(64, 40).plan(1000, 64).unwrap();
        assert_eq!(plan.first_needed(5), 3);
    }
}
