use ocellus::candle::{ModuleT, Result, Tensor};
use ocellus::layers::{Conv2dConfig, ConvNorm2d};
use ocellus::nn::VarBuilder;
use ocellus::ops::{MaxPool2dConfig, max_pool2d};

/// A residual network without its classifier: one row of torchvision's family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResNetConfig {
    pub(crate) blocks: [usize; 4],
    /// Channels of the inner convolutions of the first stage; doubled by each stage.
    pub(crate) width: usize,
    /// Channels that leave a block, a multiple of 64, 128, 256 and 512; 1 means two 3×3
    /// convolutions a block, 4 a bottleneck.
    pub(crate) expansion: usize,
    pub(crate) in_channels: usize,
}

impl ResNetConfig {
    pub(crate) const fn resnet34(in_channels: usize) -> Self {
        Self { blocks: [3, 4, 6, 3], width: 64, expansion: 1, in_channels }
    }

    pub(crate) const fn wide_resnet50() -> Self {
        Self { blocks: [3, 4, 6, 3], width: 128, expansion: 4, in_channels: 3 }
    }
}

/// Post-activation residual network with torchvision's names, its 3×3/2 max pooling after the stem.
#[derive(Debug)]
pub(crate) struct ResNet {
    stem: ConvNorm2d,
    stages: Vec<Vec<Block>>,
}

/// What a [`ResNet`] computes: before the pooling, and after each stage.
#[derive(Debug)]
pub(crate) struct Features {
    pub(crate) stem: Tensor,
    pub(crate) stages: Vec<Tensor>,
}

impl ResNet {
    pub(crate) fn new(config: &ResNetConfig, vb: &VarBuilder) -> Result<Self> {
        let stem = Conv2dConfig::new(config.in_channels, 64, 7).with_stride((2, 2)).with_padding(3);
        let stem = ConvNorm2d::new(&stem.with_bias(false), vb.pp("conv1"), vb.pp("bn1"))?;
        let mut inputs = 64;
        let mut stages = Vec::new();
        for (stage, &count) in config.blocks.iter().enumerate() {
            let mut blocks = Vec::new();
            for block in 0..count {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let vb = vb.pp(format!("layer{}.{block}", stage + 1));
                let sizes = Sizes {
                    inputs,
                    inner: config.width << stage,
                    outputs: (64 * config.expansion) << stage,
                    stride,
                };
                blocks.push(Block::new(sizes, config.expansion > 1, &vb)?);
                inputs = sizes.outputs;
            }
            stages.push(blocks);
        }
        Ok(Self { stem, stages })
    }

    /// For inference.
    pub(crate) fn pack(&mut self) -> Result<()> {
        let blocks = self.stages.iter_mut().flatten();
        let units = blocks.flat_map(|block| block.units.iter_mut().chain(&mut block.shortcut));
        std::iter::once(&mut self.stem).chain(units).try_for_each(ConvNorm2d::pack)
    }

    pub(crate) fn features(&self, x: &Tensor, train: bool) -> Result<Features> {
        let stem = self.stem.forward_relu_t(x, None, train)?;
        let pool = MaxPool2dConfig::new(3).with_stride((2, 2)).with_padding((1, 1));
        let mut y = max_pool2d(&stem, &pool)?;
        let mut stages = Vec::new();
        for blocks in &self.stages {
            for block in blocks {
                y = block.forward_t(&y, train)?;
            }
            stages.push(y.clone());
        }
        Ok(Features { stem, stages })
    }
}

#[derive(Clone, Copy, Debug)]
struct Sizes {
    inputs: usize,
    inner: usize,
    outputs: usize,
    stride: usize,
}

#[derive(Debug)]
struct Block {
    units: Vec<ConvNorm2d>,
    shortcut: Option<ConvNorm2d>,
}

impl Block {
    fn new(sizes: Sizes, bottleneck: bool, vb: &VarBuilder) -> Result<Self> {
        let Sizes { inputs, inner, outputs, stride } = sizes;
        let conv = |inputs, outputs, kernel, stride| {
            let config = Conv2dConfig::new(inputs, outputs, kernel);
            config.with_stride((stride, stride)).with_padding(kernel / 2).with_bias(false)
        };
        let convolutions = if bottleneck {
            let middle = conv(inner, inner, 3, stride);
            vec![conv(inputs, inner, 1, 1), middle, conv(inner, outputs, 1, 1)]
        } else {
            vec![conv(inputs, outputs, 3, stride), conv(outputs, outputs, 3, 1)]
        };
        let unit = |(i, config): (usize, &Conv2dConfig)| {
            let name = |kind: &str| vb.pp(format!("{kind}{}", i + 1));
            ConvNorm2d::new(config, name("conv"), name("bn"))
        };
        let units = convolutions.iter().enumerate().map(unit).collect::<Result<_>>()?;
        let shortcut = (stride > 1 || inputs != outputs).then(|| {
            let vb = vb.pp("downsample");
            ConvNorm2d::new(&conv(inputs, outputs, 1, stride), vb.pp("0"), vb.pp("1"))
        });
        Ok(Self { units, shortcut: shortcut.transpose()? })
    }
}

impl ModuleT for Block {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let shortcut = self.shortcut.as_ref().map(|unit| unit.forward_t(x, train)).transpose()?;
        let shortcut = shortcut.as_ref().unwrap_or(x);
        let mut y = x.clone();
        for (i, unit) in self.units.iter().enumerate() {
            let last = i + 1 == self.units.len();
            y = unit.forward_relu_t(&y, last.then_some(shortcut), train)?;
        }
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use ocellus::candle::{DType, Device};
    use ocellus::params::ParamStore;

    use super::*;

    fn parameters(config: &ResNetConfig) -> Result<usize> {
        let params = ParamStore::seeded(0);
        ResNet::new(config, &params.var_builder(DType::F32, &Device::Cpu))?;
        Ok(params.parameter_count())
    }

    #[test]
    fn has_torchvisions_number_of_parameters() -> Result<()> {
        assert_eq!(parameters(&ResNetConfig::resnet34(3))?, 21_284_672);
        assert_eq!(parameters(&ResNetConfig::wide_resnet50())?, 66_834_240);
        Ok(())
    }

    #[test]
    fn stages_halve_the_size() -> Result<()> {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let network = ResNet::new(&ResNetConfig::resnet34(4), &vb)?;
        let x = Tensor::zeros((1, 4, 64, 32), DType::F32, &Device::Cpu)?;
        let Features { stem, stages } = network.features(&x, false)?;
        assert_eq!(stem.dims(), [1, 64, 32, 16]);
        for (i, stage) in stages.iter().enumerate() {
            assert_eq!(stage.dims(), [1, 64 << i, 16 >> i, 8 >> i]);
        }
        Ok(())
    }
}
