use crate::{Error, Result};

/// An image, or a block of a scene, that a [`DenseCrf`](crate::DenseCrf) looks at.
///
/// Values are planar, `(bands, height, width)`, in the units of the sensor: `appearance_value` is in the
/// same units.
///
/// # Examples
///
/// ```
/// use ocellus_satellite::CrfBlock;
///
/// let image = vec![0.5f32; 4 * 10 * 20];
/// let block = CrfBlock::new(&image, 4, 10, 20)?.with_origin(512, 1024);
/// assert_eq!((block.bands(), block.height(), block.width()), (4, 10, 20));
/// # Ok::<(), ocellus_satellite::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrfBlock<'a> {
    pub(super) image: &'a [f32],
    bands: usize,
    height: usize,
    width: usize,
    pub(super) valid: Option<&'a [bool]>,
    /// Row and column of the first pixel in the scene.
    pub(super) origin: [usize; 2],
}

impl<'a> CrfBlock<'a> {
    /// An image `(bands, height, width)`.
    ///
    /// # Errors
    ///
    /// If a size is 0, if the slice's length is not their product, or if there are 2³¹ pixels or more.
    pub fn new(image: &'a [f32], bands: usize, height: usize, width: usize) -> Result<Self> {
        let pixels = height.checked_mul(width).filter(|&n| n < 1 << 31);
        let Some(pixels) = pixels else {
            return Err(Error::Shape(format!(
                "{height}×{width} pixels are too many for one block: refine a scene by blocks"
            )));
        };
        if pixels == 0 || bands == 0 {
            return Err(Error::Shape(format!(
                "an image of {bands}×{height}×{width} is empty: bands, height and width must be 1 or more"
            )));
        }
        if pixels.checked_mul(bands) != Some(image.len()) {
            return Err(Error::Shape(format!(
                "the image has {} values, expected {bands}×{height}×{width} (bands, height, width)",
                image.len()
            )));
        }
        Ok(Self { image, bands, height, width, valid: None, origin: [0, 0] })
    }

    /// Which pixels hold data, `(height, width)`: the others take no part.
    ///
    /// Their values may be anything, NaN too; their probabilities are returned as they came.
    ///
    /// # Errors
    ///
    /// If the mask has not one entry a pixel.
    pub fn with_valid(mut self, valid: &'a [bool]) -> Result<Self> {
        if valid.len() != self.pixels() {
            return Err(Error::Shape(format!(
                "the mask has {} entries, expected {}×{} (height, width)",
                valid.len(),
                self.height,
                self.width
            )));
        }
        self.valid = Some(valid);
        Ok(self)
    }

    /// Where the block's first pixel lies in the scene, 0, 0 by default.
    ///
    /// Blocks of one scene then share one lattice: they differ near their edges only, by what
    /// each does not see.
    #[must_use]
    pub fn with_origin(mut self, row: usize, column: usize) -> Self {
        self.origin = [row, column];
        self
    }

    /// Number of bands.
    #[must_use]
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows times columns.
    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }

    pub(super) fn is_valid(&self, pixel: usize) -> bool {
        self.valid.is_none_or(|valid| valid[pixel])
    }

    /// The band's value at a pixel.
    pub(super) fn value(&self, band: usize, pixel: usize) -> f32 {
        self.image[band * self.pixels() + pixel]
    }

    /// Where entry `at` of a `(planes, height, width)` slice lies.
    pub(super) fn place(&self, at: usize) -> String {
        let (plane, pixel) = (at / self.pixels(), at % self.pixels());
        format!("[{plane}, {}, {}]", pixel / self.width, pixel % self.width)
    }

    /// Refuses values that are not finite where there are data.
    pub(super) fn check(&self) -> Result<()> {
        let wrong =
            |&(at, value): &(usize, &f32)| !value.is_finite() && self.is_valid(at % self.pixels());
        let Some((at, value)) = self.image.iter().enumerate().find(wrong) else { return Ok(()) };
        Err(Error::Value(format!(
            "image{} (band, row, column) is {value}: mark pixels without data in the mask",
            self.place(at)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_sizes_that_do_not_fit() {
        let values = [0.; 12];
        let message = |bands, height, width| {
            CrfBlock::new(&values, bands, height, width).unwrap_err().to_string()
        };
        assert!(message(1, 3, 3).contains("has 12 values, expected 1×3×3"));
        assert!(message(0, 3, 4).contains("is empty"));
        assert!(message(3, 0, 4).contains("is empty"));
        assert!(message(1, usize::MAX, 2).contains("too many"));
        assert!(message(usize::MAX, 3, 4).contains("has 12 values"));
        let block = CrfBlock::new(&values, 2, 2, 3).unwrap();
        let error = block.with_valid(&[true; 5]).unwrap_err();
        assert_eq!(error.to_string(), "the mask has 5 entries, expected 2×3 (height, width)");
    }

    #[test]
    fn a_value_that_is_not_finite_is_told_with_its_place() {
        let mut values = [0.; 12];
        values[10] = f32::INFINITY;
        let block = CrfBlock::new(&values, 2, 2, 3).unwrap();
        let error = block.check().unwrap_err().to_string();
        assert!(error.starts_with("image[1, 1, 1] (band, row, column) is inf"), "{error}");
        let mut valid = [true; 6];
        valid[4] = false;
        assert!(block.with_valid(&valid).unwrap().check().is_ok());
    }
}
