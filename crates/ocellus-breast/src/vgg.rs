use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_backbones::Vgg as Backbone;
use ocellus_layers::Noise;

use crate::{Config, Head, Pooling};

/// VGG with the paper's head: the plain sibling that the proposed network is compared with.
///
/// # Shapes
///
/// - input: `(batch, 3, height, width)`, normalized as the backbone expects
/// - output: `(batch, classes)`, logits
///
/// # Parameters
///
/// - `features.*`: the convolutions, under torchvision's names
/// - `head.*`: see [`Head`]
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device};
/// use ocellus_breast::{Architecture, Config, Vgg};
/// use ocellus_layers::Noise;
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(0);
/// let config = Config::paper(Architecture::Vgg);
/// Vgg::new(&config, &Noise::seeded(0), params.var_builder(DType::F32, &Device::Cpu))?;
/// assert_eq!(params.parameter_count(), 14_796_750);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Vgg {
    backbone: Backbone,
    head: Head,
    pooling: Pooling,
    scale: f64,
}

impl Vgg {
    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If the image is smaller than the backbone's 32 pixels, a parameter has another shape, or
    /// the pooling needs a gate ([`Pooling::Attention`]).
    pub fn new(config: &Config, noise: &Noise, vb: VarBuilder) -> Result<Self> {
        if config.pooling == Pooling::Attention {
            candle_core::bail!(
                "plain VGG has no gate to weigh positions by: choose Pooling::Average"
            )
        }
        let backbone = Backbone::new(&config.backbone, vb.clone())?;
        let channels = config.backbone.channels[4];
        let features = config.pooling.features(channels, config.image_size / 32);
        let head = Head::new(features, config, noise, vb.pp("head"))?;
        Ok(Self { backbone, head, pooling: config.pooling, scale: config.feature_scale })
    }

    /// The output of the backbone's first `layers` layers, where a forward pass can be resumed.
    pub fn prefix(&self, x: &Tensor, layers: usize) -> Result<Tensor> {
        self.backbone.forward_range(x, 0..layers, false)
    }

    /// The logits from the output of the backbone's first `layers` layers.
    pub fn forward_from(&self, x: &Tensor, layers: usize, train: bool) -> Result<Tensor> {
        let end = self.backbone.config().layer_count();
        let features = (self.backbone.forward_range(x, layers..end, train)? * self.scale)?;
        self.head.forward_t(&self.pooling.apply(&features, None)?, train)
    }
}

impl ModuleT for Vgg {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.forward_from(x, 0, train)
    }
}
