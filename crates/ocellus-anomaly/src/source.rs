use candle_core::Tensor;

use crate::{Encoder, Error, Result};

/// Batches of images, one after the other.
pub type ImageBatches<'a> = Box<dyn Iterator<Item = Result<Tensor>> + 'a>;

/// Batches of features, one tensor a scale, one after the other.
pub type FeatureBatches<'a> = Box<dyn Iterator<Item = Result<Vec<Tensor>>> + 'a>;

/// Where images come from: batches `(batch, channels, height, width)` of values in [0, 1], as often
/// as a detector wants to pass over them. Only a batch at a time is in memory.
///
/// Closures from the number of the pass to batches are sources, and so are slices and vectors of
/// batches. A source that shuffles or augments draws from the number of the pass.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_anomaly::{ImageSource, Result};
///
/// // Made anew in each pass: a loader over files does the same.
/// let source = |pass: u64| -> Result<_> {
///     let batch = move |i: u64| Ok((Tensor::ones((2, 3, 8, 8), DType::F32, &Device::Cpu)? * (pass + i) as f64)?);
///     Ok((0..3).map(batch))
/// };
/// assert_eq!(source.pass(0)?.count(), 3);
/// assert_eq!(source.pass(7)?.count(), 3);
///
/// let batches = vec![Tensor::zeros((2, 3, 8, 8), DType::F32, &Device::Cpu)?];
/// assert_eq!(batches.pass(0)?.count(), 1);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
pub trait ImageSource {
    /// The batches of a pass, 0 the first.
    ///
    /// # Errors
    ///
    /// If the images cannot be had; a single batch that cannot be read is an error of the iterator.
    fn pass(&self, pass: u64) -> Result<ImageBatches<'_>>;
}

impl ImageSource for [Tensor] {
    fn pass(&self, _: u64) -> Result<ImageBatches<'_>> {
        Ok(Box::new(self.iter().cloned().map(Ok)))
    }
}

impl ImageSource for Vec<Tensor> {
    fn pass(&self, pass: u64) -> Result<ImageBatches<'_>> {
        self.as_slice().pass(pass)
    }
}

impl<F, I> ImageSource for F
where
    F: Fn(u64) -> Result<I>,
    I: IntoIterator<Item = Result<Tensor>>,
    I::IntoIter: 'static,
{
    fn pass(&self, pass: u64) -> Result<ImageBatches<'_>> {
        Ok(Box::new(self(pass)?.into_iter()))
    }
}

/// Where features come from: batches of one tensor `(batch, channelsₖ, heightₖ, widthₖ)` a scale,
/// fine to coarse, as often as a detector wants to pass over them.
pub trait FeatureSource {
    /// The batches of a pass, 0 the first.
    ///
    /// # Errors
    ///
    /// If they cannot be had.
    fn pass(&self, pass: u64) -> Result<FeatureBatches<'_>>;
}

impl FeatureSource for [Vec<Tensor>] {
    fn pass(&self, _: u64) -> Result<FeatureBatches<'_>> {
        Ok(Box::new(self.iter().cloned().map(Ok)))
    }
}

impl FeatureSource for Vec<Vec<Tensor>> {
    fn pass(&self, pass: u64) -> Result<FeatureBatches<'_>> {
        self.as_slice().pass(pass)
    }
}

/// The features of images, computed batch by batch in each pass.
///
/// # Examples
///
/// ```
/// # use std::sync::Arc;
/// # use candle_core::{DType, Device, Tensor};
/// # use ocellus_anomaly::{Encoder, FrozenBackbone};
/// # use ocellus_backbones::{ResNet, ResNetConfig};
/// # use ocellus_params::ParamStore;
/// use ocellus_anomaly::{EncodedImages, FeatureSource};
///
/// # let params = ParamStore::seeded(0);
/// # let config = ResNetConfig::resnet18().with_channels(4).with_stage_count(2);
/// # let resnet = ResNet::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
/// # let backbone = FrozenBackbone::new("small", params.fingerprint()?, Arc::new(resnet));
/// # let encoder = Encoder::new(backbone, &[1, 2])?;
/// let images = vec![Tensor::zeros((2, 3, 32, 32), DType::F32, &Device::Cpu)?];
/// let features = EncodedImages::new(&encoder, &images);
/// let first = features.pass(0)?.next().unwrap()?;
/// assert_eq!(first[1].dims(), [2, 8, 4, 4]);
/// # Ok::<(), ocellus_anomaly::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct EncodedImages<'a> {
    encoder: &'a Encoder,
    images: &'a dyn ImageSource,
}

impl<'a> EncodedImages<'a> {
    /// The features that `encoder` gives of `images`.
    pub fn new(encoder: &'a Encoder, images: &'a dyn ImageSource) -> Self {
        Self { encoder, images }
    }
}

impl FeatureSource for EncodedImages<'_> {
    fn pass(&self, pass: u64) -> Result<FeatureBatches<'_>> {
        let batches = self.images.pass(pass)?.enumerate();
        Ok(Box::new(batches.map(|(number, images)| {
            self.encoder.features(&images?).map_err(|error| match error {
                Error::Value(what) => Error::Value(format!("batch {number}: {what}")),
                Error::Shape(what) => Error::Shape(format!("batch {number}: {what}")),
                error => error,
            })
        })))
    }
}

impl std::fmt::Debug for EncodedImages<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedImages").field("encoder", self.encoder).finish_non_exhaustive()
    }
}
