use candle_core::{D, Result, Tensor, bail};

/// What published weights expect of an image.
///
/// ```text
/// y_c = (scale · x_c − mean_c) / std_c,  x in [0, 1], channels red, green, blue
/// ```
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_backbones::Preprocessing;
///
/// let white = Tensor::ones((1, 3, 2, 2), DType::F32, &Device::Cpu)?;
/// let y = Preprocessing::caffe().apply(&white)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?[0], 255. - 123.68);
///
/// // A gray image becomes three equal channels before they are shifted.
/// let gray = Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu)?;
/// assert_eq!(Preprocessing::torchvision().apply(&gray)?.dims(), [1, 3, 2, 2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Preprocessing {
    /// What values in [0, 1] are multiplied by first.
    pub scale: f64,
    /// What is subtracted from each channel.
    pub mean: [f64; 3],
    /// What each channel is divided by.
    pub std: [f64; 3],
}

impl Preprocessing {
    /// Of torchvision's and timm's weights: ImageNet's mean and standard deviation.
    #[must_use]
    pub const fn torchvision() -> Self {
        Self { scale: 1., mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
    }

    /// Of the original VGG weights, and Keras's, with the channels in the order red, green, blue:
    /// values in 0…255 less ImageNet's mean, not divided.
    ///
    /// Caffe and Keras order the channels blue, green, red: swap the input channels of their first
    /// weight.
    #[must_use]
    pub const fn caffe() -> Self {
        Self { scale: 255., mean: [123.68, 116.779, 103.939], std: [1., 1., 1.] }
    }

    /// None: images go in as they are.
    #[must_use]
    pub const fn none() -> Self {
        Self { scale: 1., mean: [0., 0., 0.], std: [1., 1., 1.] }
    }

    /// Prepares images `(…, 3, height, width)` of values in [0, 1]; one channel counts as three
    /// equal ones.
    ///
    /// # Errors
    ///
    /// If there are neither three channels nor one.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        if x.rank() < 3 || ![1, 3].contains(&x.dim(D::Minus(3))?) {
            bail!(
                "preprocessing needs images (…, 3, height, width) or (…, 1, height, width), got {:?}",
                x.dims()
            )
        }
        let channels = |values: [f64; 3]| {
            Tensor::new(&values, x.device())?.to_dtype(x.dtype())?.reshape((3, 1, 1))
        };
        let mean = channels(self.mean)?;
        let std = channels(self.std)?;
        (x * self.scale)?.broadcast_sub(&mean)?.broadcast_div(&std)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use ocellus_testing::assert_close;

    use super::*;

    #[test]
    fn equals_the_values_by_hand() -> Result<()> {
        let x = Tensor::new(&[0.5f64, 0.25, 1.], &Device::Cpu)?.reshape((1, 3, 1, 1))?;
        let expected = [(0.5 - 0.485) / 0.229, (0.25 - 0.456) / 0.224, (1. - 0.406) / 0.225];
        let expected = Tensor::new(&expected, &Device::Cpu)?.reshape((1, 3, 1, 1))?;
        assert_close(&Preprocessing::torchvision().apply(&x)?, &expected, 1e-12)?;
        assert_close(&Preprocessing::none().apply(&x)?, &x, 0.)
    }

    #[test]
    fn a_gray_image_equals_its_three_copies() -> Result<()> {
        let gray = Tensor::new(&[[[0.2f64, 0.7]]], &Device::Cpu)?;
        let three = Tensor::cat(&[&gray, &gray, &gray], 0)?;
        let caffe = Preprocessing::caffe();
        assert_close(&caffe.apply(&gray)?, &caffe.apply(&three)?, 0.)
    }

    #[test]
    fn rejects_two_channels() -> Result<()> {
        let x = Tensor::new(&[[[0f32]], [[0.]]], &Device::Cpu)?;
        let error = Preprocessing::caffe().apply(&x).unwrap_err().to_string();
        assert!(error.contains("got [2, 1, 1]"), "{error}");
        Ok(())
    }
}
