use crate::{Error, Image, Result};

/// A rectangle of a scene, in pixels from its upper left corner.
///
/// # Examples
///
/// ```
/// use ocellus_data::raster::Window;
///
/// let tile = Window::new(200, 0, 100, 50);
/// assert_eq!(tile.right(), 300);
/// assert_eq!(tile.intersection(Window::new(250, 40, 100, 100)), Some(Window::new(250, 40, 50, 10)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Window {
    /// A window of this place and size.
    #[must_use]
    pub const fn new(x: u32, y: u32, width: u32, height: u32) -> Self {
        Self { x, y, width, height }
    }

    /// The first column right of it; 64 bits, so that it cannot overflow.
    #[must_use]
    pub const fn right(self) -> u64 {
        self.x as u64 + self.width as u64
    }

    /// The first row below it.
    #[must_use]
    pub const fn bottom(self) -> u64 {
        self.y as u64 + self.height as u64
    }

    /// The number of pixels.
    #[must_use]
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// What two windows share, if anything.
    #[must_use]
    pub fn intersection(self, other: Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let width = self.right().min(other.right()).checked_sub(u64::from(x)).filter(|&n| n > 0)?;
        let height =
            self.bottom().min(other.bottom()).checked_sub(u64::from(y)).filter(|&n| n > 0)?;
        Some(Self::new(x, y, u32::try_from(width).ok()?, u32::try_from(height).ok()?))
    }

    /// The number of its values in so many bands, if it is not empty, lies within a scene of this
    /// size, and fits into memory's addresses.
    pub(crate) fn values(self, (width, height): (u32, u32), bands: usize) -> Result<usize> {
        let inside = self.right() <= u64::from(width) && self.bottom() <= u64::from(height);
        if self.width == 0 || self.height == 0 || !inside {
            return Err(Error::Shape(format!(
                "the window of {}×{} pixels at ({}, {}) is empty or not within the scene of \
                 {width}×{height}: cut it by `Window::intersection`",
                self.width, self.height, self.x, self.y,
            )));
        }
        usize::try_from(self.pixels())
            .ok()
            .and_then(|pixels| pixels.checked_mul(bands))
            .filter(|&values| values <= isize::MAX as usize / 8)
            .ok_or_else(|| {
                Error::Shape(format!(
                    "a window of {}×{} pixels in {bands} bands fits no memory: read smaller ones",
                    self.width, self.height
                ))
            })
    }
}

/// The pixels of a window, plane by plane, and which of them hold data.
///
/// Values are the file's own (0..255 of 8 bits, say), also where a pixel holds no data.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneBlock {
    /// Where the block lies in the scene.
    pub window: Window,
    /// The number of bands.
    pub bands: usize,
    /// The values in the order (band, row, column).
    pub data: Vec<f32>,
    /// For each pixel, in the order (row, column), whether it holds data.
    pub valid: Vec<bool>,
}

impl SceneBlock {
    /// A block of these values. Pixels with a value that is not finite in any band, or with
    /// `no_data` in all of them, are not valid.
    ///
    /// # Errors
    ///
    /// If the number of values is not that of the window in so many bands, or is 0.
    pub fn new(window: Window, bands: usize, data: Vec<f32>, no_data: Option<f64>) -> Result<Self> {
        let pixels = window.pixels() as usize;
        if pixels == 0 || bands == 0 || pixels.checked_mul(bands) != Some(data.len()) {
            return Err(Error::Shape(format!(
                "{} values are no block of {bands} bands of {}×{} pixels",
                data.len(),
                window.width,
                window.height
            )));
        }
        let no_data = no_data.map(|value| value as f32);
        let mut valid = vec![no_data.is_none(); pixels];
        if let Some(no_data) = no_data {
            for band in data.chunks_exact(pixels) {
                valid.iter_mut().zip(band).for_each(|(valid, &value)| *valid |= value != no_data);
            }
        }
        for band in data.chunks_exact(pixels) {
            valid.iter_mut().zip(band).for_each(|(valid, value)| *valid &= value.is_finite());
        }
        Ok(Self { window, bands, data, valid })
    }

    /// One band, row by row.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::raster::{SceneBlock, Window};
    ///
    /// let block = SceneBlock::new(Window::new(0, 0, 2, 1), 2, vec![1., 2., 3., 4.], None)?;
    /// assert_eq!(block.band(1), Some(&[3., 4.][..]));
    /// assert_eq!(block.band(2), None);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    #[must_use]
    pub fn band(&self, band: usize) -> Option<&[f32]> {
        self.data.chunks_exact(self.valid.len()).nth(band)
    }

    /// The values as an image, 0 where a pixel holds no data, and which pixels hold data.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::raster::{SceneBlock, Window};
    ///
    /// let block = SceneBlock::new(Window::new(0, 0, 2, 1), 1, vec![7., f32::NAN], None)?;
    /// let (image, valid) = block.into_image()?;
    /// assert_eq!((image.data(), valid), (&[7., 0.][..], vec![true, false]));
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the block was changed to hold another number of values than its window has.
    pub fn into_image(mut self) -> Result<(Image, Vec<bool>)> {
        self.fill_invalid(0.);
        let (height, width) = (self.window.height as usize, self.window.width as usize);
        Ok((Image::new(self.bands, height, width, self.data)?, self.valid))
    }

    /// Puts `value` into every band of the pixels that hold no data, for code that cannot do with
    /// NaN or a far outlier.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_data::raster::{SceneBlock, Window};
    ///
    /// let data = vec![7., f32::NAN];
    /// let mut block = SceneBlock::new(Window::new(0, 0, 2, 1), 1, data, None)?;
    /// assert_eq!(block.valid, [true, false]);
    /// block.fill_invalid(0.);
    /// assert_eq!(block.data, [7., 0.]);
    /// # Ok::<(), ocellus_data::Error>(())
    /// ```
    pub fn fill_invalid(&mut self, value: f32) {
        for band in self.data.chunks_exact_mut(self.valid.len()) {
            for (old, _) in band.iter_mut().zip(&self.valid).filter(|(_, valid)| !**valid) {
                *old = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_only_touch_share_nothing() {
        let window = Window::new(10, 10, 5, 5);
        assert_eq!(window.intersection(Window::new(15, 10, 5, 5)), None);
        assert_eq!(window.intersection(Window::new(0, 0, 10, 20)), None);
        assert_eq!(window.intersection(window), Some(window));
    }

    #[test]
    fn the_largest_window_does_not_overflow() {
        let all = Window::new(u32::MAX, u32::MAX, u32::MAX, u32::MAX);
        assert!(all.values((u32::MAX, u32::MAX), 1).is_err());
        assert_eq!(all.intersection(all), Some(all));
        assert!(Window::new(0, 0, u32::MAX, u32::MAX).values((u32::MAX, u32::MAX), 64).is_err());
    }

    #[test]
    fn a_pixel_is_missing_if_all_bands_are_no_data_or_one_is_not_finite() {
        let data = vec![0., 0., 5., f32::NAN, 0., 3., 0., 4.];
        let block = SceneBlock::new(Window::new(0, 0, 4, 1), 2, data, Some(0.)).unwrap();
        assert_eq!(block.valid, [false, true, true, false]);
    }

    #[test]
    fn rejects_values_that_do_not_fill_the_window() {
        assert!(SceneBlock::new(Window::new(0, 0, 2, 2), 1, vec![0.; 3], None).is_err());
        assert!(SceneBlock::new(Window::new(0, 0, 0, 2), 1, vec![], None).is_err());
    }
}
