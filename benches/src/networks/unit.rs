use ocellus::candle::{Module, ModuleT, Result, Tensor};
use ocellus::layers::{
    BatchNorm2d, BatchNorm2dConfig, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig,
};
use ocellus::nn::VarBuilder;

/// A convolution without a bias and its batch normalization, under two names of the same parent.
#[derive(Debug)]
pub(crate) struct Unit {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Unit {
    pub(crate) fn new(config: &Conv2dConfig, conv: VarBuilder, norm: VarBuilder) -> Result<Self> {
        let channels = BatchNorm2dConfig::new(config.out_channels);
        Ok(Self {
            conv: Conv2d::new(&config.with_bias(false), conv)?,
            norm: BatchNorm2d::new(&channels, norm)?,
        })
    }
}

impl ModuleT for Unit {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.norm.forward_t(&self.conv.forward(x)?, train)
    }
}

/// A 4×4/2 transposed convolution, batch normalization and ReLU: twice the size.
#[derive(Debug)]
pub(crate) struct Enlarging {
    deconv: ConvTranspose2d,
    norm: BatchNorm2d,
}

impl Enlarging {
    pub(crate) fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        let config = ConvTranspose2dConfig::new(inputs, outputs, 4);
        let config = config.with_stride((2, 2)).with_padding(1);
        Ok(Self {
            deconv: ConvTranspose2d::new(&config, vb.pp("deconv"))?,
            norm: BatchNorm2d::new(&BatchNorm2dConfig::new(outputs), vb.pp("bn"))?,
        })
    }
}

impl ModuleT for Enlarging {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        ocellus::ops::relu(&self.norm.forward_t(&self.deconv.forward(x)?, train)?)
    }
}
