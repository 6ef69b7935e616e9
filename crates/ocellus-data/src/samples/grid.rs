use crate::{Error, Result, raster::Window};

/// Square tiles at equal distances, from which training samples are drawn.
///
/// The last tile of a row and of a column is moved back to end with the scene, so that every pixel is
/// in a tile and every tile is whole.
///
/// # Examples
///
/// ```
/// use ocellus_data::TileGrid;
///
/// let tiles = TileGrid::paper().tiles(600, 364)?;
/// assert_eq!(tiles.iter().map(|tile| tile.x).collect::<Vec<_>>(), [0, 120, 236]);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
///
/// # References
///
/// 1. S. Ghassemi et al. *Satellite image segmentation with deep residual architectures for
///    time-critical applications.* EUSIPCO 2018, III-B.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TileGrid {
    /// Height and width of a tile.
    pub size: u32,
    /// From one tile to the next.
    pub stride: u32,
}

impl Default for TileGrid {
    fn default() -> Self {
        Self::paper()
    }
}

impl TileGrid {
    /// Tiles of this size at this distance.
    #[must_use]
    pub const fn new(size: u32, stride: u32) -> Self {
        Self { size, stride }
    }

    /// The paper's: 364 pixels, every 120.
    #[must_use]
    pub const fn paper() -> Self {
        Self::new(364, 120)
    }

    /// The tiles of a scene of this size, row by row.
    ///
    /// # Errors
    ///
    /// If the scene is smaller than a tile, or size or stride is 0.
    pub fn tiles(&self, width: u32, height: u32) -> Result<Vec<Window>> {
        self.tiles_of(Window::new(0, 0, width, height))
    }

    /// The tiles of a part of a scene, as if it were one of its own.
    ///
    /// # Errors
    ///
    /// As [`TileGrid::tiles`].
    pub fn tiles_of(&self, part: Window) -> Result<Vec<Window>> {
        if self.size == 0 || self.stride == 0 {
            return Err(Error::Setting(format!(
                "tiles of {} pixels every {}: give at least 1 of both",
                self.size, self.stride
            )));
        }
        if part.width < self.size || part.height < self.size {
            return Err(Error::Shape(format!(
                "{}×{} pixels hold no tile of {}: take smaller tiles, or leave the scene out",
                part.width, part.height, self.size
            )));
        }
        let starts = |first: u32, length: u32| {
            let last = length - self.size;
            (0..=last.div_ceil(self.stride)).map(move |n| first + (n * self.stride).min(last))
        };
        let row = |y: u32| starts(part.x, part.width).map(move |x| (x, y));
        let tile = |(x, y)| Window::new(x, y, self.size, self.size);
        Ok(starts(part.y, part.height).flat_map(row).map(tile).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tile_ends_with_the_scene() {
        let tiles = TileGrid::new(10, 4).tiles(17, 10).unwrap();
        assert_eq!(tiles.iter().map(|t| (t.x, t.y)).collect::<Vec<_>>(), [(0, 0), (4, 0), (7, 0)]);
        // No tile comes twice where the stride ends there anyway.
        assert_eq!(TileGrid::new(10, 4).tiles(18, 18).unwrap().len(), 9);
    }

    #[test]
    fn rejects_what_holds_no_tile() {
        let message = TileGrid::paper().tiles(1000, 300).unwrap_err().to_string();
        assert!(message.contains("1000×300 pixels hold no tile of 364"), "{message}");
        assert!(
            TileGrid::new(0, 1).tiles(9, 9).is_err() && TileGrid::new(9, 0).tiles(9, 9).is_err()
        );
        assert_eq!(TileGrid::new(9, 1).tiles(9, 9).unwrap().len(), 1);
    }
}
