use candle_core::Tensor;
use ocellus_backbones::Preprocessing;

use super::antialias::resize;
use crate::{Error, Result};

/// The size that images are resized to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageSize {
    /// Height and width, whatever the image's.
    Exact(usize, usize),
    /// The shorter side; the longer one in proportion, rounded down, as torchvision does.
    ShorterSide(usize),
}

/// What is done with images before the network sees them: resized, cropped, normalized.
///
/// Resizing is bilinear with antialiasing, as torchvision's and Pillow's: where an image shrinks by a
/// factor s, the triangle spans 2 s of its pixels.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::Preparation;
///
/// let preparation = Preparation::torchvision().with_shorter_side(256).with_crop(224, 224);
/// let x = Tensor::full(0.485f32, (1, 3, 512, 640), &Device::Cpu)?;
/// let y = preparation.apply(&x)?;
/// assert_eq!(y.dims(), [1, 3, 224, 224]);
/// assert!(y.get(0)?.get(0)?.abs()?.max_all()?.to_scalar::<f32>()? < 1e-5); // Red's mean.
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Preparation {
    /// The size that images are resized to; none leaves them.
    pub resize: Option<ImageSize>,
    /// Height and width of the middle that is cut out then; none keeps all.
    pub crop: Option<(usize, usize)>,
    /// What is done with the values.
    pub normalization: Preprocessing,
}

impl Preparation {
    /// Images of any size with the normalization of torchvision's and timm's weights.
    #[must_use]
    pub const fn torchvision() -> Self {
        Self { resize: None, crop: None, normalization: Preprocessing::torchvision() }
    }

    /// Images as they are.
    #[must_use]
    pub const fn none() -> Self {
        Self { resize: None, crop: None, normalization: Preprocessing::none() }
    }

    /// Sets height and width that images are resized to.
    #[must_use]
    pub const fn with_resize(mut self, height: usize, width: usize) -> Self {
        self.resize = Some(ImageSize::Exact(height, width));
        self
    }

    /// Sets what the shorter side is resized to.
    #[must_use]
    pub const fn with_shorter_side(mut self, side: usize) -> Self {
        self.resize = Some(ImageSize::ShorterSide(side));
        self
    }

    /// Sets height and width of the middle that is cut out.
    #[must_use]
    pub const fn with_crop(mut self, height: usize, width: usize) -> Self {
        self.crop = Some((height, width));
        self
    }

    /// Sets what is done with the values.
    #[must_use]
    pub const fn with_normalization(mut self, normalization: Preprocessing) -> Self {
        self.normalization = normalization;
        self
    }

    /// Height and width that images of that size have afterwards.
    ///
    /// # Errors
    ///
    /// If a size is 0, or they are too small for the crop.
    pub fn output_size(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        let (height, width) = self.resized(height, width)?;
        let Some((rows, columns)) = self.crop else { return Ok((height, width)) };
        if rows == 0 || columns == 0 || rows > height || columns > width {
            return Err(Error::Setting(format!(
                "a crop of {rows}×{columns} from images of {height}×{width}: resize to more, or crop less"
            )));
        }
        Ok((rows, columns))
    }

    fn resized(&self, height: usize, width: usize) -> Result<(usize, usize)> {
        let size = match self.resize {
            None => (height, width),
            Some(ImageSize::Exact(rows, columns)) => (rows, columns),
            Some(ImageSize::ShorterSide(side)) if height <= width => {
                (side, side * width / height.max(1))
            }
            Some(ImageSize::ShorterSide(side)) => (side * height / width.max(1), side),
        };
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::Setting(format!(
                "images of {height}×{width} would become {}×{}: give a size of at least 1",
                size.0, size.1
            )));
        }
        Ok(size)
    }

    /// Prepares images `(batch, channels, height, width)` of values in [0, 1].
    ///
    /// # Errors
    ///
    /// As [`output_size`](Self::output_size); and if there are neither three channels nor one and
    /// the values are to be normalized.
    pub fn apply(&self, images: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = images.dims4()?;
        let size = self.resized(height, width)?;
        let (rows, columns) = self.output_size(height, width)?;
        let x = if size == (height, width) { images.clone() } else { resize(images, size)? };
        let first = |whole: usize, part: usize| ((whole - part) as f64 / 2.).round_ties_even();
        let x = x.narrow(2, first(size.0, rows) as usize, rows)?.narrow(
            3,
            first(size.1, columns) as usize,
            columns,
        )?;
        if self.normalization == Preprocessing::none() {
            return Ok(x.contiguous()?);
        }
        Ok(self.normalization.apply(&x)?.contiguous()?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{Golden, assert_close, fill};

    use super::*;

    #[test]
    fn sizes_are_those_of_torchvision() -> Result<()> {
        let preparation = Preparation::none().with_shorter_side(256);
        assert_eq!(preparation.output_size(512, 640)?, (256, 320));
        assert_eq!(preparation.output_size(700, 500)?, (358, 256));
        assert_eq!(preparation.with_crop(224, 224).output_size(700, 500)?, (224, 224));
        Ok(())
    }

    #[test]
    fn matches_torchvision() -> Result<()> {
        let golden = Golden::read(env!("CARGO_MANIFEST_DIR"), "preparation")?;
        let x = golden.get("input")?;
        for (name, preparation) in [
            ("shrink", Preparation::none().with_resize(7, 9)),
            ("grow", Preparation::none().with_resize(31, 40)),
            ("mixed", Preparation::none().with_resize(30, 8)),
            ("crop", Preparation::none().with_shorter_side(14).with_crop(9, 12)),
            ("normalized", Preparation::torchvision().with_resize(8, 8)),
        ] {
            assert_close(&preparation.apply(x)?, golden.get(name)?, 2e-6)?;
        }
        Ok(())
    }

    #[test]
    fn rejects_crops_that_are_larger_than_the_image() -> Result<()> {
        let x = fill((1, 3, 20, 20), 0., DType::F32)?;
        let error = Preparation::none().with_crop(21, 20).apply(&x).unwrap_err().to_string();
        assert!(error.contains("a crop of 21×20 from images of 20×20"), "{error}");
        let error = Preparation::none().with_resize(0, 4).apply(&x).unwrap_err().to_string();
        assert!(error.contains("at least 1"), "{error}");
        let two = Tensor::zeros((1, 2, 20, 20), DType::F32, &Device::Cpu)?;
        assert!(Preparation::torchvision().apply(&two).is_err());
        Ok(())
    }
}
