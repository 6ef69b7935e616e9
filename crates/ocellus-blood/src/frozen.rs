use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_backbones::{Preprocessing, Vgg, VggConfig};
use ocellus_ops::global_avg_pool2d;

/// Vectors of images from the convolutions of VGG, for classical classifiers.
///
/// ```text
/// f_c = mean over positions of the last block's channel c, before its pooling
/// ```
///
/// # Shapes
///
/// - input: `(batch, 3, height, width)`, 0 to 1, 16 pixels a side at least
/// - output: `(batch, channels)`, 512 of VGG16
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_backbones::{Preprocessing, VggConfig};
/// use ocellus_blood::FrozenVgg;
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(1);
/// let config = VggConfig::vgg11().with_channels([2, 4, 4, 4, 8]);
/// let vb = params.var_builder(DType::F32, &Device::Cpu);
/// let vgg = FrozenVgg::new(&config, Preprocessing::caffe(), vb)?;
/// let vectors = vgg.vectors(&Tensor::full(0.5f32, (3, 3, 40, 36), &Device::Cpu)?)?;
/// assert_eq!(vectors.dims(), [3, 8]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrozenVgg {
    vgg: Vgg,
    preprocessing: Preprocessing,
}

impl FrozenVgg {
    /// Builds the convolutions from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// As [`Vgg::new`].
    pub fn new(config: &VggConfig, preprocessing: Preprocessing, vb: VarBuilder) -> Result<Self> {
        Ok(Self { vgg: Vgg::new(config, vb)?, preprocessing })
    }

    /// A vector of each image, without a gradient.
    ///
    /// # Errors
    ///
    /// If the images are too small or have another number of channels.
    pub fn vectors(&self, images: &Tensor) -> Result<Tensor> {
        let last = self.vgg.config().stage_layers()[4];
        let x = self.preprocessing.apply(images)?;
        let features = self.vgg.forward_range(&x, 0..last + 1, false)?;
        global_avg_pool2d(&features)?.flatten_from(1).map(|x| x.detach())
    }
}
