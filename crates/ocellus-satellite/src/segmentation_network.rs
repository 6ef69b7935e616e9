use std::fmt::Debug;

use candle_core::{ModuleT, Result, Tensor, bail};

use crate::NetworkConfig;

/// A network that gives each pixel of an image the logits of its classes.
///
/// `forward_t` takes images `(batch, bands, height, width)` of **any** size and gives logits
/// `(batch, classes, height, width)`. An image whose sides are no multiples of
/// [`stride`](Self::stride) is continued at its bottom and right by its mirror image, and the result
/// cropped: top and left stay, so a tile whose offset in a scene is a multiple of the stride meets the
/// network's grid as the whole scene does.
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_params::ParamStore;
/// use ocellus_satellite::{NetworkConfig, UNetConfig};
///
/// let config = NetworkConfig::from(UNetConfig::unet19().with_channels(2).with_bands(3));
/// let params = ParamStore::seeded(0);
/// let mut network = config.build(params.var_builder(DType::F32, &Device::Cpu))?;
/// network.pack()?; // For inference from here on.
///
/// let image = Tensor::zeros((1, network.bands(), 50, 37), DType::F32, &Device::Cpu)?;
/// let probabilities = network.predict(&image)?;
/// assert_eq!(probabilities.dims(), [1, 2, 50, 37]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// With images of another sensor, [`recalibrate`](ocellus_layers::recalibrate()) sets the statistics
/// of its batch normalization to theirs, and within
/// [`with_norm_statistics`](ocellus_layers::with_norm_statistics) it predicts with those of the batch
/// at hand, as the authors' code does; neither of a network that is packed. To keep no graph in the
/// meantime, build the network with all its weights frozen (`ParamStore::freeze("*")`): in a forward
/// pass, it then holds what it still needs, and no more.
pub trait SegmentationNetwork: ModuleT + Debug + Send + Sync {
    /// Which network it is, with its settings.
    fn config(&self) -> NetworkConfig;

    /// The name as the paper's tables have it: `Prop-34`, `U-Net(19)`.
    fn name(&self) -> String {
        self.config().name()
    }

    /// Bands of the images.
    fn bands(&self) -> usize {
        self.config().bands()
    }

    /// How many classes a pixel may have.
    fn classes(&self) -> usize {
        self.config().classes()
    }

    /// Pixels from one position of the coarsest features to the next: where offsets and sizes of
    /// tiles are multiples of it, tiles and scene are computed on one grid.
    fn stride(&self) -> usize {
        self.config().stride()
    }

    /// The side r of the square around a pixel that holds all that its logits depend on.
    ///
    /// A pixel of a tile whose distance from the tile's edges is at least (r − 1) / 2 is what it
    /// would be in the whole scene, if offset and size of the tile are multiples of
    /// [`stride`](Self::stride) (and batch normalization uses its running statistics). It bounds the
    /// influence: most of it comes from much nearer.
    fn receptive_field(&self) -> usize {
        self.config().receptive_field()
    }

    /// Multiply-accumulates of one image of that size in all convolutions, padding included.
    fn macs(&self, height: usize, width: usize) -> u64 {
        self.config().macs(height, width)
    }

    /// Folds and packs all it can for inference. Parameters that change later have no effect, and
    /// training is an error from here on.
    ///
    /// # Errors
    ///
    /// If a parameter is on a device that fails.
    fn pack(&mut self) -> Result<()>;

    /// The probability of each class at each pixel, `(batch, classes, height, width)`; no graph is
    /// kept.
    ///
    /// ```text
    /// y[k] = exp(o[k]) / Σⱼ exp(o[j])                                             [1], Sec. III-A
    /// ```
    ///
    /// # Errors
    ///
    /// If the images have another number of bands, or no pixels.
    ///
    /// # References
    ///
    /// 1. S. Ghassemi et al. *Satellite image segmentation with deep residual architectures for
    ///    time-critical applications.* EUSIPCO 2018.
    fn predict(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ocellus_ops::softmax(&self.forward_t(x, false)?, 1)?.detach())
    }
}

/// Height and width of images that have so many bands.
pub(crate) fn checked_size(name: &str, bands: usize, x: &Tensor) -> Result<(usize, usize)> {
    let &[_, channels, height, width] = x.dims() else {
        bail!("{name} needs images (batch, bands, height, width), got {:?}", x.dims())
    };
    if channels != bands {
        bail!(
            "{name} expects {bands} bands, got {channels}: select bands, or build the network with \
             `with_bands({channels})`"
        )
    }
    if height == 0 || width == 0 {
        bail!("{name} needs images of a height and a width, got {:?}", x.dims())
    }
    Ok((height, width))
}
