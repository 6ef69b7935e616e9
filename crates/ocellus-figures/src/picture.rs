use std::{io::Cursor, path::Path};

use image::{ImageEncoder, ImageReader, RgbImage, codecs::png, imageops::FilterType};

use crate::{Error, Result, check};

/// The longest side of a picture, in pixels.
pub(crate) const LONGEST_SIDE: usize = 16_384;

/// An RGB image of 8 bits, to be shown in a figure.
///
/// # Examples
///
/// ```
/// use ocellus_figures::Picture;
///
/// let scan = Picture::from_gray(2, 1, &[0, 255])?;
/// assert_eq!(scan.rgb(), [0, 0, 0, 255, 255, 255]);
/// assert_eq!(Picture::decode(&scan.to_png()?)?, scan);
/// # Ok::<(), ocellus_figures::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    /// A picture from interleaved RGB bytes, `height · width · 3`.
    ///
    /// # Errors
    ///
    /// If a side is 0 or beyond 16,384, or `rgb` has another length.
    pub fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self> {
        check_size(width, height)?;
        check::same_length("the RGB bytes", rgb.len(), 3 * width * height)?;
        Ok(Self { width, height, rgb })
    }

    /// A picture from gray bytes, `height · width`.
    ///
    /// # Errors
    ///
    /// If a side is 0 or beyond 16,384, or `gray` has another length.
    pub fn from_gray(width: usize, height: usize, gray: &[u8]) -> Result<Self> {
        check_size(width, height)?;
        check::same_length("the gray bytes", gray.len(), width * height)?;
        Ok(Self { width, height, rgb: gray.iter().flat_map(|&v| [v, v, v]).collect() })
    }

    /// A picture from values between 0 and 1, plane by plane: `(channels, height, width)` with one
    /// channel (gray) or three (RGB). Values beyond are clamped.
    ///
    /// # Examples
    ///
    /// ```
    /// use ocellus_figures::Picture;
    ///
    /// let picture = Picture::from_planes(3, 1, 2, &[1.0, 0.0, 0.5, 0.5, 0.0, 2.0])?;
    /// assert_eq!(picture.rgb(), [255, 128, 0, 0, 128, 255]);
    /// # Ok::<(), ocellus_figures::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If `channels` is neither 1 nor 3, a side is 0 or beyond 16,384, `values` has another length,
    /// or one of them is NaN.
    pub fn from_planes(
        channels: usize,
        height: usize,
        width: usize,
        values: &[f32],
    ) -> Result<Self> {
        check_size(width, height)?;
        if channels != 1 && channels != 3 {
            return Err(Error::Setting {
                what: "the number of channels",
                value: channels.to_string(),
                remedy: "give 1 (gray) or 3 (RGB)",
            });
        }
        let plane = width * height;
        check::same_length("the image", values.len(), channels * plane)?;
        if let Some(index) = values.iter().position(|value| value.is_nan()) {
            let (what, remedy) = ("the image".to_owned(), "a number");
            return Err(Error::Value { what, index, value: f64::NAN, remedy });
        }
        let byte = |index: usize| (values[index].clamp(0.0, 1.0) * 255.0).round() as u8;
        let channel = |c: usize| if channels == 1 { 0 } else { c * plane };
        let rgb = (0..plane).flat_map(|i| [0, 1, 2].map(|c| byte(channel(c) + i))).collect();
        Ok(Self { width, height, rgb })
    }

    /// Decodes a PNG, JPEG or BMP; transparency is dropped.
    ///
    /// # Errors
    ///
    /// If the bytes are none of these, broken, or a side is beyond 16,384.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(image::ImageError::IoError)?;
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(LONGEST_SIDE as u32);
        limits.max_image_height = Some(LONGEST_SIDE as u32);
        reader.limits(limits);
        let image = reader.decode()?.into_rgb8();
        Self::from_rgb(image.width() as usize, image.height() as usize, image.into_raw())
    }

    /// Reads and decodes an image file.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode), or if the file cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        Self::decode(&bytes)
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The pixels row by row, red, green, blue.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The picture as the bytes of a PNG file; equal pictures give equal bytes.
    ///
    /// # Errors
    ///
    /// If the encoder fails.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let (compression, filter) = (png::CompressionType::Default, png::FilterType::Adaptive);
        png::PngEncoder::new_with_quality(&mut bytes, compression, filter).write_image(
            &self.rgb,
            self.width as u32,
            self.height as u32,
            image::ExtendedColorType::Rgb8,
        )?;
        Ok(bytes)
    }

    /// The picture, or a smaller one whose longer side is `limit`.
    pub(crate) fn at_most(&self, limit: usize) -> Self {
        let longer = self.width.max(self.height);
        if longer <= limit {
            return self.clone();
        }
        let side = |length: usize| (length * limit).div_ceil(longer).max(1);
        self.resized(side(self.width), side(self.height))
    }

    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        let (w, h) = (self.width as u32, self.height as u32);
        let Some(image) = RgbImage::from_raw(w, h, self.rgb.clone()) else { return self.clone() };
        let (w, h) = (width as u32, height as u32);
        let rgb = image::imageops::resize(&image, w, h, FilterType::Triangle).into_raw();
        Self { width, height, rgb }
    }

    pub(crate) fn pixels_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.rgb.chunks_exact_mut(3)
    }
}

pub(crate) fn check_size(width: usize, height: usize) -> Result<()> {
    let fits = |side| (1..=LONGEST_SIDE).contains(&side);
    if fits(width) && fits(height) {
        return Ok(());
    }
    Err(Error::Size { width, height, limit: LONGEST_SIDE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_sides_of_zero_and_wrong_lengths() {
        let error = Picture::from_gray(0, 3, &[]).unwrap_err().to_string();
        assert!(error.contains("0×3"), "{error}");
        let error = Picture::from_rgb(2, 2, vec![0; 4]).unwrap_err().to_string();
        assert_eq!(error, "the RGB bytes has 4 values where 12 are needed");
        assert!(Picture::from_planes(2, 1, 1, &[0.0, 0.0]).is_err());
        assert!(Picture::from_planes(1, 1, 1, &[f32::NAN]).is_err());
        assert!(Picture::from_gray(usize::MAX, usize::MAX, &[]).is_err());
    }

    #[test]
    fn rejects_bytes_that_are_no_image() {
        assert!(Picture::decode(b"this is a text").is_err());
        assert!(Picture::decode(&[]).is_err());
        let png = Picture::from_gray(9, 9, &[7; 81]).unwrap().to_png().unwrap();
        assert!(Picture::decode(&png[..png.len() / 2]).is_err());
    }

    #[test]
    fn shrinking_keeps_the_aspect() {
        let picture = Picture::from_gray(400, 100, &[9; 40_000]).unwrap();
        let small = picture.at_most(40);
        assert_eq!((small.width(), small.height()), (40, 10));
        assert!(small.rgb().iter().all(|&value| value == 9));
    }
}
