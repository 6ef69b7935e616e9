use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_backbones::Vgg as Backbone;
use ocellus_layers::{AttentionGate, Conv2d, Conv2dConfig, Noise};
use ocellus_ops::{Alignment, concat, global_avg_pool2d, relu, upsample_bilinear2d};

use crate::{Config, Fusion, Head, Pooling};

/// The proposed network: VGG whose last convolutional features gate those of its fourth block.
///
/// ```text
/// x = block 4 before its pooling,  g = block 5 after its pooling
/// x̂ = α(x, g) ⊙ x                                                           [1], Eqs. 1-2
/// z = ReLU(W · [up(g); x̂])                      "upsampled, concatenated, 1 × 1 convolution"
/// logits = head(pool(z))
/// ```
///
/// [`Pooling`] flattens z, as the paper does (probably), averages it, or averages it with the
/// weights α.
///
/// # Shapes
///
/// - input: `(batch, 3, height, width)`, normalized as the backbone expects
/// - output: `(batch, classes)`, logits
///
/// # Parameters
///
/// - `features.*`: the convolutions, under torchvision's names
/// - `gate.*`: see [`AttentionGate`]
/// - `fusion.weight`, `fusion.bias`: `(channels, 2 · channels, 1, 1)`, with [`Fusion::Convolution`]
/// - `head.*`: see [`Head`]
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device};
/// use ocellus_breast::{Architecture, AttentionVgg, Config};
/// use ocellus_layers::Noise;
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(0);
/// let config = Config::paper(Architecture::AttentionVgg);
/// AttentionVgg::new(&config, &Noise::seeded(0), params.var_builder(DType::F32, &Device::Cpu))?;
/// assert_eq!(params.parameter_count(), 16_813_007);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. E. Y. Kalafi et al. *Classification of Breast Cancer Lesions in Ultrasound Images by using
///    Attention Layer and loss Ensembles in Deep Convolutional Neural Networks.* 2021.
/// 2. J. Schlemper et al. *Attention gated networks.* Medical Image Analysis 53, 2019.
#[derive(Clone, Debug)]
pub struct AttentionVgg {
    backbone: Backbone,
    tap: usize,
    gate: AttentionGate,
    fusion: Option<Conv2d>,
    alignment: Alignment,
    head: Head,
    pooling: Pooling,
    scale: f64,
}

impl AttentionVgg {
    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If the image is smaller than the backbone's 32 pixels, or a parameter has another shape.
    pub fn new(config: &Config, noise: &Noise, vb: VarBuilder) -> Result<Self> {
        let backbone = Backbone::new(&config.backbone, vb.clone())?;
        let channels = config.backbone.channels[4];
        let fusion = match config.fusion {
            Fusion::Convolution => {
                let fusion = Conv2dConfig::new(2 * channels, channels, 1);
                Some(Conv2d::new(&fusion, vb.pp("fusion"))?)
            }
            Fusion::Pooled => None,
        };
        let features = match config.fusion {
            Fusion::Convolution => config.pooling.features(channels, config.image_size / 8),
            Fusion::Pooled => 2 * channels,
        };
        Ok(Self {
            tap: config.backbone.stage_layers()[3] + 1,
            gate: AttentionGate::new(&config.gate, vb.pp("gate"))?,
            fusion,
            alignment: config.gate.alignment,
            head: Head::new(features, config, noise, vb.pp("head"))?,
            pooling: config.pooling,
            scale: config.feature_scale,
            backbone,
        })
    }

    /// The output of the backbone's first `layers` layers, where a forward pass can be resumed; at
    /// most up to the pooling of the fourth block.
    pub fn prefix(&self, x: &Tensor, layers: usize) -> Result<Tensor> {
        if layers > self.tap {
            candle_core::bail!(
                "the gate reads the output of layer {}: a forward pass cannot be resumed at layer \
                 {layers}, freeze at most {} layers",
                self.tap - 1,
                self.tap
            )
        }
        self.backbone.forward_range(x, 0..layers, false)
    }

    /// The logits and the attention map from the output of the backbone's first `layers` layers.
    ///
    /// The map is `(batch, 1, height / 8, width / 8)`, larger where the gate looks.
    pub fn forward_from(&self, x: &Tensor, layers: usize, train: bool) -> Result<(Tensor, Tensor)> {
        let x = self.backbone.forward_range(x, layers..self.tap, train)?;
        let end = self.backbone.config().layer_count();
        let g = self.backbone.forward_range(&x, self.tap..end, train)?;
        let (x, g) = ((x * self.scale)?, (g * self.scale)?);
        let gated = self.gate.forward_t(&x, &g, train)?;
        let features = match &self.fusion {
            Some(conv) => {
                let (_, _, height, width) = x.dims4()?;
                let up = upsample_bilinear2d(&g, (height, width), self.alignment)?;
                let fused = relu(&conv.forward(&concat(&up, &gated.value, 1)?)?)?;
                self.pooling.apply(&fused, Some(&gated.map))?
            }
            None => Tensor::cat(&[gated.pooled()?, global_avg_pool2d(&g)?], 1)?,
        };
        Ok((self.head.forward_t(&features, train)?, gated.map))
    }
}

impl ModuleT for AttentionVgg {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        Ok(self.forward_from(x, 0, train)?.0)
    }
}
