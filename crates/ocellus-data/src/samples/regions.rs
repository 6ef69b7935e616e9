use crate::{Error, Result, TileGrid, raster::Window, samples::scene::require_within};

/// Rectangles of a scene that are kept apart from the rest: for validation, or for refinement.
///
/// Tiles overlap, so that tiles, shared out at random, would share pixels. Instead, a tile within a
/// region belongs to it, a tile that meets no region belongs to the rest, and a tile across a
/// border belongs to neither: no pixel is on both sides.
///
/// # Examples
///
/// ```
/// use ocellus_data::{Regions, TileGrid, raster::Window};
///
/// let regions = Regions::new(1000, 1000, vec![Window::new(0, 0, 400, 500)])?;
/// assert_eq!(regions.share(), 0.2);
/// let grid = TileGrid::new(100, 50);
/// assert_eq!(regions.tiles_within(&grid)?.len(), 7 * 9);
/// assert!(regions.tiles_outside(&grid)?.iter().all(|tile| regions.is_clear(*tile)));
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    width: u32,
    height: u32,
    windows: Vec<Window>,
}

impl Regions {
    /// These rectangles of a scene of this size; none at all are allowed.
    ///
    /// # Errors
    ///
    /// If one is empty or not within the scene, or two share a pixel.
    pub fn new(width: u32, height: u32, windows: Vec<Window>) -> Result<Self> {
        for (n, window) in windows.iter().enumerate() {
            require_within(*window, (width, height), "region")?;
            if let Some(other) = windows[..n].iter().find(|o| o.intersection(*window).is_some()) {
                return Err(Error::Shape(format!(
                    "the regions {other:?} and {window:?} share pixels: give disjoint ones"
                )));
            }
        }
        Ok(Self { width, height, windows })
    }

    /// The rectangles.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// Their share of the scene's pixels.
    #[must_use]
    pub fn share(&self) -> f64 {
        let pixels: u64 = self.windows.iter().map(|window| window.pixels()).sum();
        pixels as f64 / (u64::from(self.width) * u64::from(self.height)).max(1) as f64
    }

    /// Whether a pixel is in a region.
    #[must_use]
    pub fn contains(&self, x: u32, y: u32) -> bool {
        !self.is_clear(Window::new(x, y, 1, 1))
    }

    /// Whether a window meets no region.
    #[must_use]
    pub fn is_clear(&self, window: Window) -> bool {
        self.windows.iter().all(|region| region.intersection(window).is_none())
    }

    /// For each pixel of a window, in the order (row, column), whether it is outside of all regions:
    /// what is evaluated after refinement.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::{Regions, raster::Window};
    ///
    /// let regions = Regions::new(4, 2, vec![Window::new(1, 0, 2, 1)])?;
    /// let outside = regions.outside(Window::new(0, 0, 4, 2));
    /// assert_eq!(outside, [true, false, false, true, true, true, true, true]);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    #[must_use]
    pub fn outside(&self, window: Window) -> Vec<bool> {
        let width = window.width as usize;
        let mut outside = vec![true; width * window.height as usize];
        for region in self.windows.iter().filter_map(|region| region.intersection(window)) {
            let (left, top) = ((region.x - window.x) as usize, (region.y - window.y) as usize);
            for row in top..top + region.height as usize {
                outside[row * width + left..][..region.width as usize].fill(false);
            }
        }
        outside
    }

    /// The tiles within regions, each region cut on its own.
    ///
    /// # Errors
    ///
    /// If a region is smaller than a tile.
    pub fn tiles_within(&self, grid: &TileGrid) -> Result<Vec<Window>> {
        let tiles = self.windows.iter().map(|&region| grid.tiles_of(region));
        Ok(tiles.collect::<Result<Vec<_>>>()?.concat())
    }

    /// The scene's tiles that meet no region.
    ///
    /// # Errors
    ///
    /// If the scene is smaller than a tile, or no tile is left.
    pub fn tiles_outside(&self, grid: &TileGrid) -> Result<Vec<Window>> {
        let mut tiles = grid.tiles(self.width, self.height)?;
        tiles.retain(|tile| self.is_clear(*tile));
        if tiles.is_empty() {
            return Err(Error::Split(format!(
                "every tile of {} pixels of the scene of {}×{} meets one of {} regions: take fewer \
                 or other regions, or smaller tiles",
                grid.size,
                self.width,
                self.height,
                self.windows.len()
            )));
        }
        Ok(tiles)
    }
}
