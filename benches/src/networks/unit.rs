use ocellus::candle::{Module, ModuleT, Result, Tensor};
use ocellus::layers::{BatchNorm2d, BatchNorm2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use ocellus::nn::VarBuilder;

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
