use candle_core::{DType, Device, Error, Result, Tensor, bail};
use ndarray::{Array2, ArrayView2, Axis};
use ocellus_cluster::{
    FeatureTest, Fit, FitLabeled, SelectKBest, StandardModel, StandardScaler, Transform,
};
use serde::{Deserialize, Serialize};

/// The pixels that tell most about the classes by the χ² test, as a smaller image: what the paper puts
/// before its network.
///
/// Pixels keep their order, are scaled to mean 0 and deviation 1 over the training images, and fill a
/// square row by row; what is left of it is 0. Neighbors in it need not have been neighbors before.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_blood::PixelSelection;
///
/// // The second of four pixels tells the classes apart.
/// let images = Tensor::new(&[[[[0.5f32, 0.], [0.5, 0.4]]], [[[0.5, 1.], [0.5, 0.5]]]], &Device::Cpu)?;
/// let model = PixelSelection::new(1).fit(&images, &[0, 1])?;
/// assert_eq!(model.places(), [1]);
/// let selected = model.apply(&images)?;
/// assert_eq!(selected.dims(), [2, 1, 1, 1]);
/// assert_eq!(selected.flatten_all()?.to_vec1::<f32>()?, [-1., 1.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PixelSelection {
    /// How many pixels are kept, of all channels together: the paper's K.
    pub count: usize,
}

impl PixelSelection {
    /// Keeps so many pixels. The paper does not say how many; 1024 make an image of 32².
    #[must_use]
    pub const fn new(count: usize) -> Self {
        Self { count }
    }

    /// Height and width of the smaller image.
    #[must_use]
    pub fn side(&self) -> usize {
        let root = self.count.isqrt();
        root + usize::from(root * root < self.count)
    }

    /// Chooses pixels by training images `(batch, channels, height, width)` of values from 0 on, and
    /// their classes.
    ///
    /// # Errors
    ///
    /// If a value is negative or not finite, there are less pixels than are to be kept or classes than
    /// two, or the labels are not one an image.
    pub fn fit(&self, images: &Tensor, labels: &[usize]) -> Result<PixelSelectionModel> {
        let (x, shape) = rows(images)?;
        let select = SelectKBest::new(self.count).with_test(FeatureTest::ChiSquared);
        let selected = select.fit(x.view(), labels).map_err(Error::wrap)?;
        let kept = selected.transform(x.view()).map_err(Error::wrap)?;
        let scaler = StandardScaler::default().fit(kept.view()).map_err(Error::wrap)?;
        let places = selected.columns().to_vec();
        Ok(PixelSelectionModel { shape, places, side: self.side(), scaler })
    }
}

/// What a [`PixelSelection`] has chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelSelectionModel {
    /// Channels, height and width of the images.
    shape: [usize; 3],
    places: Vec<usize>,
    side: usize,
    scaler: StandardModel<f32>,
}

impl PixelSelectionModel {
    /// The pixels that are kept, ascending: `(channel · height + row) · width + column`.
    #[must_use]
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// Height and width of the smaller image.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// The smaller images, `(batch, 1, side, side)`.
    ///
    /// # Errors
    ///
    /// If the images are of another size than those that it was fitted on, or not finite.
    pub fn apply(&self, images: &Tensor) -> Result<Tensor> {
        let (x, shape) = rows(images)?;
        if shape != self.shape {
            bail!("images of {shape:?}: the pixels were chosen from images of {:?}", self.shape)
        }
        if self.places.iter().any(|&place| place >= x.ncols()) {
            bail!("a chosen pixel is not in the image: load a model as it was saved")
        }
        let kept = x.select(Axis(1), &self.places);
        let scaled = self.scaler.transform(kept.view()).map_err(Error::wrap)?;
        let mut square = Array2::zeros((x.nrows(), self.side * self.side));
        square.slice_mut(ndarray::s![.., ..scaled.ncols()]).assign(&scaled);
        let dims = (x.nrows(), 1, self.side, self.side);
        let (values, _) = square.into_raw_vec_and_offset();
        Tensor::from_vec(values, dims, &Device::Cpu)?
            .to_dtype(images.dtype())?
            .to_device(images.device())
    }
}

/// Images as rows of pixels.
fn rows(images: &Tensor) -> Result<(Array2<f32>, [usize; 3])> {
    let (batch, channels, height, width) = images.dims4()?;
    let values = images.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let x = ArrayView2::from_shape((batch, channels * height * width), &values);
    Ok((x.map_err(Error::wrap)?.to_owned(), [channels, height, width]))
}

#[cfg(test)]
mod tests {
    use ocellus_testing::fill;

    use super::*;

    fn images(count: usize) -> Result<Tensor> {
        fill((count, 2, 5, 4), 0.3, DType::F32)?.abs()
    }

    #[test]
    fn the_rest_of_the_square_is_zero_and_the_others_are_standardized() -> Result<()> {
        let labels = [0, 1, 0, 1, 0, 1, 0];
        let model = PixelSelection::new(7).fit(&images(7)?, &labels)?;
        assert_eq!((model.side(), model.places().len()), (3, 7));
        let x = model.apply(&images(7)?)?.flatten_from(1)?.to_dtype(DType::F64)?;
        let mean = x.mean(0)?.to_vec1::<f64>()?;
        let square = x.sqr()?.mean(0)?.to_vec1::<f64>()?;
        assert!(mean.iter().all(|mean| mean.abs() < 1e-6), "{mean:?}");
        assert!(square[..7].iter().all(|square| (square - 1.).abs() < 1e-5), "{square:?}");
        assert_eq!(square[7..], [0., 0.]);
        Ok(())
    }

    #[test]
    fn what_it_keeps_of_an_image_does_not_depend_on_the_others() -> Result<()> {
        let model = PixelSelection::new(9).fit(&images(6)?, &[0, 1, 2, 0, 1, 2])?;
        let all = model.apply(&images(6)?)?;
        let one = model.apply(&images(6)?.narrow(0, 4, 1)?)?;
        assert_eq!(
            one.flatten_all()?.to_vec1::<f32>()?,
            all.narrow(0, 4, 1)?.flatten_all()?.to_vec1::<f32>()?
        );
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_an_error() -> Result<()> {
        let fit = |count, images: &Tensor, labels: &[usize]| {
            PixelSelection::new(count).fit(images, labels).unwrap_err().to_string()
        };
        let labels = [0, 1, 0, 1];
        assert!(fit(41, &images(4)?, &labels).contains("40"));
        assert!(fit(0, &images(4)?, &labels).contains('0'));
        assert!(fit(2, &images(4)?.neg()?, &labels).contains("negative"));
        assert!(fit(2, &images(4)?, &[0, 1, 0]).contains('3'));
        let model = PixelSelection::new(2).fit(&images(4)?, &labels)?;
        let other = fill((1, 1, 5, 4), 0.3, DType::F32)?;
        let error = model.apply(&other).unwrap_err().to_string();
        assert!(error.contains("[1, 5, 4]") && error.contains("[2, 5, 4]"), "{error}");
        Ok(())
    }
}
