use std::fmt;

use candle_core::{Device, Tensor};
use ocellus_ops::filled_tensor;

use crate::{Error, Result};

/// An image in memory: planes of `f32`, `(channels, height, width)`, from 0 to 1.
///
/// Gray has one channel, color three (red, green, blue); any number is allowed. Nothing clamps:
/// normalization leaves 0..1.
///
/// # Examples
///
/// ```
/// use ocellus_data::Image;
///
/// let image = Image::new(1, 2, 3, vec![0., 0.1, 0.2, 0.3, 0.4, 0.5])?;
/// assert_eq!(image.dims(), (1, 2, 3));
/// assert_eq!(image.get(0, 1, 2), 0.5);
/// assert_eq!(image.to_rgb()?.channels(), 3);
/// # Ok::<(), ocellus_data::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Image {
    channels: usize,
    height: usize,
    width: usize,
    data: Vec<f32>,
}

impl Image {
    /// An image of these values, plane after plane, row after row.
    ///
    /// # Errors
    ///
    /// If a side is 0 or the number of values is not their product.
    pub fn new(channels: usize, height: usize, width: usize, data: Vec<f32>) -> Result<Self> {
        let expected = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
        if expected != Some(data.len()) || data.is_empty() {
            return Err(Error::Shape(format!(
                "{} values do not make an image of {channels}×{height}×{width}: give \
                 channels · height · width values, at least one",
                data.len()
            )));
        }
        Ok(Self { channels, height, width, data })
    }

    /// An image of one value.
    ///
    /// # Errors
    ///
    /// If a side is 0.
    pub fn filled(channels: usize, height: usize, width: usize, value: f32) -> Result<Self> {
        let count = channels.checked_mul(height).and_then(|n| n.checked_mul(width)).unwrap_or(0);
        Self::new(channels, height, width, vec![value; count])
    }

    /// Trusts that the values are as many as the sides say.
    pub(crate) fn from_parts(
        (channels, height, width): (usize, usize, usize),
        data: Vec<f32>,
    ) -> Self {
        debug_assert_eq!(channels * height * width, data.len());
        Self { channels, height, width, data }
    }

    /// The number of planes.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The number of rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The number of columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// `(channels, height, width)`.
    #[must_use]
    pub fn dims(&self) -> (usize, usize, usize) {
        (self.channels, self.height, self.width)
    }

    /// All values, plane after plane, row after row.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All values, to change them.
    #[must_use]
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The values, as [`data`](Self::data) has them.
    #[must_use]
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The values of each plane.
    #[must_use]
    pub fn planes(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.data.chunks_exact(self.height * self.width)
    }

    /// The values of each plane, to change them.
    pub fn planes_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        self.data.chunks_exact_mut(self.height * self.width)
    }

    /// The value at a position; NaN outside of the image.
    #[must_use]
    pub fn get(&self, channel: usize, y: usize, x: usize) -> f32 {
        if channel >= self.channels || y >= self.height || x >= self.width {
            return f32::NAN;
        }
        self.data[(channel * self.height + y) * self.width + x]
    }

    /// One gray plane: `0.299 R + 0.587 G + 0.114 B`, as Rec. 601 and Pillow weigh them.
    ///
    /// Where the three are equal the value is kept to the bit; a gray image is kept as it is.
    ///
    /// # Errors
    ///
    /// If the image has neither one nor three channels.
    pub fn to_gray(&self) -> Result<Self> {
        match self.channels {
            1 => Ok(self.clone()),
            3 => {
                let (red, rest) = self.data.split_at(self.height * self.width);
                let (green, blue) = rest.split_at(self.height * self.width);
                let gray = red.iter().zip(green).zip(blue).map(|((&r, &g), &b)| {
                    if r == g && g == b { r } else { 0.299 * r + 0.587 * g + 0.114 * b }
                });
                let dims = (1, self.height, self.width);
                Ok(Self::from_parts(dims, gray.collect()))
            }
            n => Err(Error::Shape(format!("{n} channels cannot be made gray: give 1 or 3"))),
        }
    }

    /// Three planes: gray is repeated, color is kept.
    ///
    /// # Errors
    ///
    /// If the image has neither one nor three channels.
    pub fn to_rgb(&self) -> Result<Self> {
        match self.channels {
            1 => Ok(Self::from_parts((3, self.height, self.width), self.data.repeat(3))),
            3 => Ok(self.clone()),
            n => Err(Error::Shape(format!("{n} channels cannot be made RGB: give 1 or 3"))),
        }
    }

    /// A tensor `(channels, height, width)` of `f32`.
    ///
    /// # Errors
    ///
    /// If the device refuses.
    pub fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.data, self.dims(), device)?)
    }

    /// The image in a tensor `(channels, height, width)` or `(height, width)`, of any type.
    ///
    /// # Errors
    ///
    /// If the tensor has another rank or no values.
    pub fn from_tensor(tensor: &Tensor) -> Result<Self> {
        let (channels, height, width) = match *tensor.dims() {
            [height, width] => (1, height, width),
            [channels, height, width] => (channels, height, width),
            ref dims => {
                return Err(Error::Shape(format!(
                    "a tensor of shape {dims:?} is no image: give (channels, height, width)"
                )));
            }
        };
        let values = tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?;
        Self::new(channels, height, width, values)
    }

    /// A batch `(batch, channels, height, width)` of images of one size.
    ///
    /// # Errors
    ///
    /// If there are none, or two differ in size or channels.
    pub fn stack(images: &[Self], device: &Device) -> Result<Tensor> {
        let Some(first) = images.first() else {
            return Err(Error::Shape("no images to stack: give at least one".to_owned()));
        };
        if let Some((i, image)) = images.iter().enumerate().find(|(_, x)| x.dims() != first.dims())
        {
            return Err(Error::Shape(format!(
                "image {i} of the batch is {:?}, the first is {:?} (channels, height, width): resize \
                 them to one size",
                image.dims(),
                first.dims()
            )));
        }
        let dims = (images.len(), first.channels, first.height, first.width);
        let size = first.data.len();
        Ok(filled_tensor(dims, device, |values| {
            for (n, image) in images.iter().enumerate() {
                values[n * size..][..size].copy_from_slice(&image.data);
            }
        })?)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}×{}×{})", self.channels, self.height, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_values_that_do_not_fill_it() {
        let error = Image::new(1, 2, 2, vec![0.; 3]).unwrap_err().to_string();
        assert!(error.contains("3 values") && error.contains("1×2×2"), "{error}");
        assert!(Image::filled(1, 0, 4, 0.).is_err());
        assert!(Image::filled(usize::MAX, 2, 2, 0.).is_err());
    }

    #[test]
    fn gray_of_equal_channels_is_exact() {
        let gray = Image::new(1, 1, 256, (0..256).map(|v| v as f32 / 255.).collect()).unwrap();
        assert_eq!(gray.to_rgb().unwrap().to_gray().unwrap(), gray);
    }

    #[test]
    fn gray_weighs_as_rec_601() {
        let image = Image::new(3, 1, 1, vec![1., 0.5, 0.]).unwrap();
        assert!((image.to_gray().unwrap().get(0, 0, 0) - 0.5925).abs() < 1e-6);
        assert!(Image::filled(4, 1, 1, 0.).unwrap().to_gray().is_err());
    }

    #[test]
    fn goes_to_a_tensor_and_back() {
        let image = Image::new(2, 1, 3, vec![0., 1., 2., 3., 4., 5.]).unwrap();
        let tensor = image.to_tensor(&Device::Cpu).unwrap();
        assert_eq!(tensor.dims(), [2, 1, 3]);
        assert_eq!(Image::from_tensor(&tensor).unwrap(), image);
        assert!(Image::from_tensor(&tensor.flatten_all().unwrap()).is_err());
    }

    #[test]
    fn stacks_images_of_one_size_only() {
        let (a, b) = (Image::filled(1, 2, 2, 0.).unwrap(), Image::filled(1, 2, 3, 0.).unwrap());
        let batch = Image::stack(&[a.clone(), a.clone()], &Device::Cpu).unwrap();
        assert_eq!(batch.dims(), [2, 1, 2, 2]);
        let error = Image::stack(&[a, b], &Device::Cpu).unwrap_err().to_string();
        assert!(error.contains("image 1") && error.contains("(1, 2, 3)"), "{error}");
        assert!(Image::stack(&[], &Device::Cpu).is_err());
    }
}
