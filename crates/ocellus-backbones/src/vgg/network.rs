use std::ops::Range;

use candle_core::{Module, ModuleT, Result, Tensor, bail};
use candle_nn::{Init, VarBuilder};
use ocellus_layers::{BatchNorm2d, BatchNorm2dConfig, Conv2d, Conv2dConfig};
use ocellus_ops::MaxPool2dConfig;

use super::config::LayerKind;
use crate::{Backbone, Stage, VggConfig};

/// The convolutional part of a VGG network.
///
/// ```text
/// block = (3×3 convolution → [batch norm →] ReLU) × n → 2×2 max pooling;  five blocks           [1]
/// ```
///
/// Layers are numbered as in torchvision's `features`: in VGG16, 22 is the last ReLU of block 4 and
/// 30 the last pooling. As a [`Backbone`] it gives six stages: what enters each pooling, strides 1 to
/// 16, and what leaves the last, stride 32 (timm's `features_only` gives the same).
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)`, height and width at least 32
/// - output: `(batch, 512, ⌊height / 32⌋, ⌊width / 32⌋)`
///
/// # Parameters
///
/// - `features.N.weight`, `features.N.bias`: the convolutions, drawn as torchvision does, from
///   N(0, 2 / (9 · out)) and 0
/// - with batch norm also its `features.N.{weight,bias,running_mean,running_var}`
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_backbones::{Vgg, VggConfig};
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let vgg = Vgg::new(&VggConfig::vgg11(), vb)?;
/// let x = Tensor::zeros((1, 3, 64, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(vgg.forward_t(&x, false)?.dims(), [1, 512, 2, 1]);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. K. Simonyan and A. Zisserman. *Very deep convolutional networks for large-scale image
///    recognition.* ICLR 2015. <https://arxiv.org/abs/1409.1556>
#[derive(Clone, Debug)]
pub struct Vgg {
    config: VggConfig,
    layers: Vec<Layer>,
    stages: [Stage; 6],
}

#[derive(Clone, Debug)]
enum Layer {
    Convolution(Conv2d),
    BatchNorm(BatchNorm2d),
    Relu,
    MaxPool,
}

impl Vgg {
    /// Builds the network from the parameters under `vb`, `features.0.weight` the first.
    ///
    /// # Errors
    ///
    /// If a block has no convolutions or no channels, or a parameter is missing or of another shape.
    pub fn new(config: &VggConfig, vb: VarBuilder) -> Result<Self> {
        if config.convolutions.contains(&0) {
            bail!("{}: a block without convolutions: {:?}", config.name, config.convolutions)
        }
        let vb = vb.pp("features");
        let kinds = config.layers().into_iter().enumerate();
        let layers = kinds.map(|(i, kind)| Layer::new(kind, vb.pp(i))).collect::<Result<_>>()?;
        Ok(Self { config: *config, layers, stages: config.stages() })
    }

    /// The network's configuration.
    #[must_use]
    pub fn config(&self) -> &VggConfig {
        &self.config
    }

    /// Runs the layers of that range, numbered as torchvision's.
    ///
    /// # Examples
    ///
    /// A network in two parts, of which the first could run without a graph:
    ///
    /// ```
    /// use candle_core::{DType, Device, ModuleT, Tensor};
    /// use candle_nn::VarBuilder;
    /// use ocellus_backbones::{Vgg, VggConfig};
    ///
    /// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
    /// let vgg = Vgg::new(&VggConfig::vgg16(), vb)?;
    /// let x = Tensor::zeros((1, 3, 32, 32), DType::F32, &Device::Cpu)?;
    /// let middle = vgg.forward_range(&x, 0..23, false)?;
    /// assert_eq!(vgg.forward_range(&middle, 23..31, false)?.dims(), [1, 512, 1, 1]);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there are no such layers, or the input is too small for their poolings or has another
    /// number of channels.
    pub fn forward_range(&self, x: &Tensor, range: Range<usize>, train: bool) -> Result<Tensor> {
        self.check_range(&range)?;
        self.check_input(x, &range)?;
        let layers = &self.layers[range];
        let mut x = x.clone();
        let mut done = 0;
        while done < layers.len() {
            (x, done) = step(layers, done, &x, train, true)?;
        }
        Ok(x)
    }

    /// The outputs of those layers, numbered as torchvision's, in the order asked for.
    ///
    /// No layer after the last one asked for is run.
    ///
    /// # Errors
    ///
    /// As [`forward_range`](Self::forward_range).
    pub fn features_at(&self, x: &Tensor, layers: &[usize], train: bool) -> Result<Vec<Tensor>> {
        let Some(&last) = layers.iter().max() else { return Ok(Vec::new()) };
        let range = 0..last + 1;
        self.check_range(&range)?;
        self.check_input(x, &range)?;
        let mut found = vec![None; layers.len()];
        let mut x = x.clone();
        let mut done = 0;
        while done <= last {
            let fuse = !layers.contains(&done);
            (x, done) = step(&self.layers[range.clone()], done, &x, train, fuse)?;
            for (place, _) in found.iter_mut().zip(layers).filter(|(_, l)| **l + 1 == done) {
                *place = Some(x.clone());
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    fn check_range(&self, range: &Range<usize>) -> Result<()> {
        let count = self.layers.len();
        if range.start > range.end || range.end > count {
            bail!("layers {range:?} of {}: its layers are 0 to {}", self.config.name, count - 1)
        }
        Ok(())
    }

    fn check_input(&self, x: &Tensor, range: &Range<usize>) -> Result<()> {
        let name = self.config.name;
        let &[_, channels, height, width] = x.dims() else {
            bail!("{name} needs images (batch, channels, height, width), got {:?}", x.dims())
        };
        let expected = self.config.in_channels;
        if range.start == 0 && !range.is_empty() && channels != expected {
            bail!(
                "{name} expects {expected} channels, got {channels}: repeat a gray channel, or build \
                 the network with `with_in_channels({channels})`"
            )
        }
        let poolings = self.layers[range.clone()]
            .iter()
            .filter(|layer| matches!(layer, Layer::MaxPool))
            .count();
        let least = 1 << poolings;
        for (side, size) in [("height", height), ("width", width)] {
            if size < least {
                bail!(
                    "{side} {size} is too small for {name}, which halves it {poolings} times: resize \
                     or pad to {least} at least"
                )
            }
        }
        Ok(())
    }
}

impl ModuleT for Vgg {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.forward_range(x, 0..self.layers.len(), train)
    }
}

impl Backbone for Vgg {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn stage_features(&self, x: &Tensor, stages: &[usize]) -> Result<Vec<Tensor>> {
        let layers = self.config.stage_layers();
        if let Some(stage) = stages.iter().find(|stage| **stage >= layers.len()) {
            bail!("stage {stage}: a VGG's stages are 0 to {}", layers.len() - 1)
        }
        let taps: Vec<usize> = stages.iter().map(|&stage| layers[stage]).collect();
        self.features_at(x, &taps, false)
    }

    fn features_t(&self, x: &Tensor, train: bool) -> Result<Vec<Tensor>> {
        self.features_at(x, &self.config.stage_layers(), train)
    }
}

impl Layer {
    fn new(kind: LayerKind, vb: VarBuilder) -> Result<Self> {
        Ok(match kind {
            LayerKind::Convolution { in_channels, out_channels } => {
                let stdev = (2. / (9 * out_channels).max(1) as f64).sqrt();
                let config = Conv2dConfig::new(in_channels, out_channels, 3)
                    .with_padding(1)
                    .with_weight_init(Init::Randn { mean: 0., stdev })
                    .with_bias_init(Init::Const(0.));
                Self::Convolution(Conv2d::new(&config, vb)?)
            }
            LayerKind::BatchNorm { channels } => {
                Self::BatchNorm(BatchNorm2d::new(&BatchNorm2dConfig::new(channels), vb)?)
            }
            LayerKind::Relu => Self::Relu,
            LayerKind::MaxPool => Self::MaxPool,
        })
    }
}

/// Runs layer `done`, with the ReLU behind it if it is a convolution and they may be one; and how
/// many layers are done then.
fn step(
    layers: &[Layer],
    done: usize,
    x: &Tensor,
    train: bool,
    fuse: bool,
) -> Result<(Tensor, usize)> {
    match &layers[done..] {
        [Layer::Convolution(conv), Layer::Relu, ..] if fuse => {
            Ok((conv.forward_relu(x)?, done + 2))
        }
        _ => Ok((layers[done].forward_t(x, train)?, done + 1)),
    }
}

impl ModuleT for Layer {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self {
            Self::Convolution(conv) => conv.forward(x),
            Self::BatchNorm(norm) => norm.forward_t(x, train),
            Self::Relu => ocellus_ops::relu(x),
            Self::MaxPool => ocellus_ops::max_pool2d(x, &MaxPool2dConfig::new(2)),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;
    use ocellus_testing::{assert_close, check_half, check_model, fill};

    use super::*;

    fn small(config: VggConfig) -> VggConfig {
        config.with_channels([2, 3, 4, 5, 6])
    }

    fn zeros(config: &VggConfig) -> Result<Vgg> {
        Vgg::new(config, VarBuilder::zeros(DType::F32, &Device::Cpu))
    }

    #[test]
    fn every_network_conforms() -> Result<()> {
        for config in
            [VggConfig::vgg11(), VggConfig::vgg13(), VggConfig::vgg16(), VggConfig::vgg19()]
        {
            for batch_norm in [false, true] {
                check_model(
                    |vb| Vgg::new(&small(config).with_batch_norm(batch_norm), vb),
                    |vgg, x, train| vgg.forward_t(&x[0], train),
                    &[
                        vec![fill((2, 3, 32, 33), 0.1, DType::F32)?],
                        vec![fill((1, 3, 65, 64), 0.2, DType::F32)?],
                    ],
                )?;
            }
        }
        Ok(())
    }

    #[test]
    fn computes_in_the_type_of_its_input() -> Result<()> {
        for batch_norm in [false, true] {
            // Found: 8e-3 and 0.24 in bf16, 1e-3 and 0.022 in f16.
            check_half(
                |vb| Vgg::new(&small(VggConfig::vgg11()).with_batch_norm(batch_norm), vb),
                |vgg, x| vgg.forward_t(&x[0], true),
                &[fill((4, 3, 64, 64), 0.1, DType::F32)?],
                (0.02, 0.5),
            )?;
        }
        Ok(())
    }

    #[test]
    fn taps_ranges_and_stages_agree() -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let vgg = Vgg::new(&small(VggConfig::vgg16()), vb)?;
        let x = fill((1, 3, 40, 36), 0.3, DType::F32)?;
        let stages = vgg.features(&x)?;
        for (stage, features) in vgg.stages().iter().zip(&stages) {
            let size = (40 / stage.stride, 36 / stage.stride);
            assert_eq!(features.dims(), [1, stage.channels, size.0, size.1]);
        }
        let taps = vgg.features_at(&x, &[30, 22, 30], false)?;
        assert_close(&taps[0], &stages[5], 0.)?;
        assert_close(&taps[1], &stages[3], 0.)?;
        assert_close(&vgg.stage_features(&x, &[3])?[0], &stages[3], 0.)?;
        assert!(vgg.stage_features(&x, &[6]).is_err());
        assert_close(&taps[2], &stages[5], 0.)?;
        assert_close(&vgg.forward_range(&taps[1], 23..31, false)?, &taps[0], 0.)?;
        assert_close(&vgg.forward_range(&x, 0..0, false)?, &x, 0.)?;
        assert!(vgg.features_at(&x, &[], false)?.is_empty());
        // A convolution that is asked for is given without its ReLU.
        let [plain, rectified] = &vgg.features_at(&x, &[2, 3], false)?[..] else { unreachable!() };
        assert!(plain.min_all()?.to_scalar::<f32>()? < 0.);
        assert_close(&plain.relu()?, rectified, 0.)?;
        Ok(())
    }

    #[test]
    fn rejects_an_image_smaller_than_its_stride() -> Result<()> {
        let vgg = zeros(&small(VggConfig::vgg16()))?;
        let x = fill((1, 3, 31, 64), 0., DType::F32)?;
        let error = vgg.forward_t(&x, false).unwrap_err().to_string();
        assert!(error.contains("height 31 is too small for VGG16"), "{error}");
        assert!(error.contains("pad to 32 at least"), "{error}");
        // Up to the fourth pooling it is large enough.
        assert_eq!(vgg.features_at(&x, &[22], false)?[0].dims(), [1, 5, 3, 8]);
        Ok(())
    }

    #[test]
    fn rejects_other_channels_and_layers() -> Result<()> {
        let vgg = zeros(&small(VggConfig::vgg11()))?;
        let gray = fill((1, 1, 32, 32), 0., DType::F32)?;
        let error = vgg.forward_t(&gray, false).unwrap_err().to_string();
        assert!(error.contains("expects 3 channels, got 1"), "{error}");
        let x = fill((1, 3, 32, 32), 0., DType::F32)?;
        let error = vgg.features_at(&x, &[21], false).unwrap_err().to_string();
        assert!(error.contains("VGG11: its layers are 0 to 20"), "{error}");
        let error = vgg.forward_t(&x.get(0)?, false).unwrap_err().to_string();
        assert!(error.contains("got [3, 32, 32]"), "{error}");
        Ok(())
    }
}
