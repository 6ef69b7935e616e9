use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_backbones::{Backbone, ResNet};
use ocellus_layers::{Conv2d, ConvBlock};
use ocellus_ops::concat;

use super::config::STRIDE;
use super::decoder::DecoderBlock;
use crate::mirror::{cropped, mirrored};
use crate::segmentation_network::checked_size;
use crate::{NetworkConfig, ResidualSegNetConfig, SegmentationNetwork};

/// The paper's network: a ResNet whose features are enlarged step by step, each time beside the
/// features that the ResNet had at that size.
///
/// ```text
/// e₁ … e₅ = stem before its pooling, layer1 … layer4;  e₀ = relu(norm(3×3 convolution(x)))
/// d₅ = e₅,  dₖ₋₁ = [relu(norm(4×4 deconvolution / 2 (dₖ))); eₖ₋₁],  k = 5 … 1         [1], Table I
/// logits = 1×1 convolution(d₀)
/// ```
///
/// [`ResidualSegNetConfig`] has the settings of the paper, of the authors' later code, and those that
/// the paper says were tried.
///
/// # Shapes
///
/// - input: `(batch, bands, height, width)` of any size: see [`SegmentationNetwork`]
/// - output: logits `(batch, classes, height, width)`
///
/// # Parameters
///
/// - `encoder.*`: as [`ResNet`]'s, torchvision's names. ImageNet's weights are loaded with
///   `LoadConfig::default().with_ignore("fc.*").with_add_prefix("encoder.").with_allow_missing(true)` of
///   `ocellus-params`, and for another number of bands `.with_inflate_stem("encoder.conv1.weight")`
/// - `decoder.K.deconv.*`, `decoder.K.bn.*`: block K, 0 the coarsest, as
///   [`DeconvBlock`](ocellus_layers::DeconvBlock)'s; `decoder.K.refine.J.*`: as [`ConvBlock`]'s, if
///   there are any
/// - `full.conv.*`, `full.bn.*`: the full-resolution skip, if there is one
/// - `head.weight`: `(classes, channels, 1, 1)`, `head.bias`: `(classes)`
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use ocellus_backbones::ResNetConfig;
/// use ocellus_params::ParamStore;
/// use ocellus_satellite::{ResidualSegNet, ResidualSegNetConfig, SegmentationNetwork};
///
/// let config = ResidualSegNetConfig::paper(ResNetConfig::resnet18()).with_channels(4);
/// let params = ParamStore::seeded(0);
/// let mut network = ResidualSegNet::new(&config, params.var_builder(DType::F32, &Device::Cpu))?;
///
/// let x = Tensor::zeros((2, 4, 64, 50), DType::F32, &Device::Cpu)?;
/// assert_eq!(network.forward_t(&x, true)?.dims(), [2, 2, 64, 50]);
///
/// network.pack()?; // For inference from here on.
/// assert_eq!(network.predict(&x)?.sum(1)?.max_all()?.to_scalar::<f32>()?, 1.);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// - The paper takes 256² in training and 512² in use; here any size will do. Neither padding nor
///   cropping happens at multiples of 32.
/// - Depth 200 normalizes behind each convolution, as the others do.
///
/// # References
///
/// 1. S. Ghassemi, C. Sandu, A. Fiandrotti, F. G. Tonolo, P. Boccardo, G. Francini and E. Magli.
///    *Satellite image segmentation with deep residual architectures for time-critical applications.*
///    EUSIPCO 2018. <https://doi.org/10.23919/EUSIPCO.2018.8553545>
#[derive(Clone, Debug)]
pub struct ResidualSegNet {
    config: ResidualSegNetConfig,
    encoder: ResNet,
    decoder: Vec<DecoderBlock>,
    full: Option<ConvBlock>,
    head: Conv2d,
}

impl ResidualSegNet {
    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If the encoder has not four stages, there are no classes, the balance is not positive, a
    /// number of channels is 0, or a parameter is missing or of another shape.
    pub fn new(config: &ResidualSegNetConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let blocks = config.blocks();
        let blocks = blocks.iter().enumerate().map(|(i, (up, refining))| {
            DecoderBlock::new(up, refining, &vb.pp(format!("decoder.{i}")))
        });
        Ok(Self {
            config: *config,
            encoder: ResNet::new(&config.encoder, vb.pp("encoder"))?,
            decoder: blocks.collect::<Result<_>>()?,
            full: config.full().map(|full| ConvBlock::new(&full, vb.pp("full"))).transpose()?,
            head: Conv2d::new(&config.head(), vb.pp("head"))?,
        })
    }
}

impl ModuleT for ResidualSegNet {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (height, width) = checked_size(&self.name(), self.bands(), x)?;
        let x = mirrored(x, STRIDE)?;
        let mut skips = self.encoder.features_t(&x, train)?;
        let Some(mut y) = skips.pop() else { candle_core::bail!("the encoder has no stages") };
        for block in &self.decoder {
            y = block.forward_t(&y, train)?;
            if let Some(skip) = skips.pop() {
                y = concat(&y, &skip, 1)?;
            }
        }
        if let Some(full) = &self.full {
            y = concat(&y, &full.forward_t(&x, train)?, 1)?;
        }
        cropped(&self.head.forward(&y)?, height, width)
    }
}

impl SegmentationNetwork for ResidualSegNet {
    fn config(&self) -> NetworkConfig {
        self.config.into()
    }

    fn pack(&mut self) -> Result<()> {
        self.encoder.pack()?;
        self.decoder.iter_mut().try_for_each(DecoderBlock::pack)?;
        self.full.iter_mut().try_for_each(ConvBlock::pack)
    }
}
