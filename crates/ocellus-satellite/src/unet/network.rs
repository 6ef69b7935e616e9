use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_layers::{Conv2d, ConvBlock, ConvBlockConfig, ConvTranspose2d};
use ocellus_ops::{MaxPool2dConfig, concat, max_pool2d};

use super::config::{LEVELS, STRIDE};
use crate::mirror::{cropped, mirrored};
use crate::segmentation_network::checked_size;
use crate::{NetworkConfig, SegmentationNetwork, UNetConfig};

/// U-Net, the reference that the paper compares with.
///
/// ```text
/// x₀ = convs(x),  xᵢ = convs(2×2 max pooling(xᵢ₋₁)),  i = 1 … 4                               [1], Fig. 1
/// y₄ = x₄,  yᵢ = convs([2×2 deconvolution / 2 (yᵢ₊₁); xᵢ]),  i = 3 … 0
/// logits = 1×1 convolution(y₀);  convs: 3×3 convolution, batch normalization if wanted, ReLU, n times
/// ```
///
/// # Shapes
///
/// - input: `(batch, bands, height, width)` of any size: see [`SegmentationNetwork`]
/// - output: logits `(batch, classes, height, width)`
///
/// # Parameters
///
/// - `down.I.J.*`, `middle.J.*`, `up.I.J.*`: convolution J of scale I, 0 the full size, as
///   [`ConvBlock`]'s
/// - `up.I.deconv.*`: the transposed convolution to scale I
/// - `head.weight`: `(classes, channels, 1, 1)`, `head.bias`: `(classes)`
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use ocellus_params::ParamStore;
/// use ocellus_satellite::{UNet, UNetConfig};
///
/// let params = ParamStore::seeded(0);
/// let vb = params.var_builder(DType::F32, &Device::Cpu);
/// let network = UNet::new(&UNetConfig::unet19().with_channels(2), vb)?;
/// let x = Tensor::zeros((1, 4, 33, 20), DType::F32, &Device::Cpu)?;
/// assert_eq!(network.forward_t(&x, true)?.dims(), [1, 2, 33, 20]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// The convolutions are padded, so that the result is as large as the image; in \[1\] it is smaller
/// by 184 pixels. There is no dropout, as neither paper says where it would be.
///
/// # References
///
/// 1. O. Ronneberger, P. Fischer and T. Brox. *U-Net: Convolutional networks for biomedical image
///    segmentation.* MICCAI 2015. <https://arxiv.org/abs/1505.04597>
#[derive(Clone, Debug)]
pub struct UNet {
    config: UNetConfig,
    down: Vec<Vec<ConvBlock>>,
    middle: Vec<ConvBlock>,
    up: Vec<(ConvTranspose2d, Vec<ConvBlock>)>,
    head: Conv2d,
}

impl UNet {
    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// If a size is 0, or a parameter is missing or of another shape.
    pub fn new(config: &UNetConfig, vb: VarBuilder) -> Result<Self> {
        config.check()?;
        let up = |i: usize| {
            let vb = vb.pp(format!("up.{i}"));
            let deconv = ConvTranspose2d::new(&config.enlarging(i), vb.pp("deconv"))?;
            Ok((deconv, built(&config.up(i), &vb)?))
        };
        let down = |i: usize| built(&config.down(i), &vb.pp(format!("down.{i}")));
        Ok(Self {
            config: *config,
            down: (0..LEVELS).map(down).collect::<Result<_>>()?,
            middle: built(&config.middle(), &vb.pp("middle"))?,
            up: (0..LEVELS).map(up).collect::<Result<_>>()?,
            head: Conv2d::new(&config.head(), vb.pp("head"))?,
        })
    }
}

fn built(chain: &[ConvBlockConfig], vb: &VarBuilder) -> Result<Vec<ConvBlock>> {
    chain.iter().enumerate().map(|(i, block)| ConvBlock::new(block, vb.pp(i))).collect()
}

fn applied(chain: &[ConvBlock], x: Tensor, train: bool) -> Result<Tensor> {
    chain.iter().try_fold(x, |x, block| block.forward_t(&x, train))
}

impl ModuleT for UNet {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (height, width) = checked_size(&self.name(), self.bands(), x)?;
        let mut x = mirrored(x, STRIDE)?;
        let mut skips = Vec::with_capacity(LEVELS);
        for chain in &self.down {
            let skip = applied(chain, x, train)?;
            x = max_pool2d(&skip, &MaxPool2dConfig::new(2))?;
            skips.push(skip);
        }
        x = applied(&self.middle, x, train)?;
        for ((deconv, chain), skip) in self.up.iter().zip(&skips).rev() {
            x = applied(chain, concat(&deconv.forward(&x)?, skip, 1)?, train)?;
        }
        cropped(&self.head.forward(&x)?, height, width)
    }
}

impl SegmentationNetwork for UNet {
    fn config(&self) -> NetworkConfig {
        self.config.into()
    }

    fn pack(&mut self) -> Result<()> {
        let chains = self.down.iter_mut().chain([&mut self.middle]);
        let chains = chains.chain(self.up.iter_mut().map(|(_, chain)| chain));
        chains.flatten().try_for_each(ConvBlock::pack)
    }
}
