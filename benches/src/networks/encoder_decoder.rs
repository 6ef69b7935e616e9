use ocellus::backbones::{Backbone, ResNet, ResNetConfig};
use ocellus::candle::{Module, ModuleT, Result, Tensor};
use ocellus::layers::{Conv2d, Conv2dConfig, ConvNorm2d, ConvTranspose2dConfig, DeconvBlock};
use ocellus::nn::VarBuilder;
use ocellus::ops::concat;

/// The residual encoder-decoder of the satellite paper at depth 34: a ResNet, five 4×4/2 transposed
/// convolutions, each joined by the encoder's features of its size, and a 1×1 convolution to two classes.
///
/// Beside the paper's Table I: the encoder pools 3×3/2, as torchvision's does.
#[derive(Debug)]
pub(crate) struct EncoderDecoder {
    encoder: ResNet,
    full: ConvNorm2d,
    decoder: Vec<DeconvBlock>,
    head: Conv2d,
}

impl EncoderDecoder {
    pub(crate) fn new(vb: &VarBuilder) -> Result<Self> {
        let encoder = ResNetConfig::resnet34().with_in_channels(4);
        let full = Conv2dConfig::new(4, 64, 3).with_padding(1).with_bias(false);
        let sizes = [(512, 256), (512, 128), (256, 64), (128, 64), (128, 64)];
        let enlarging = |(i, &(inputs, outputs)): (usize, &(usize, usize))| {
            let config = ConvTranspose2dConfig::new(inputs, outputs, 4);
            let config = config.with_stride((2, 2)).with_padding(1);
            DeconvBlock::new(&config, vb.pp(format!("decoder.{i}")))
        };
        Ok(Self {
            encoder: ResNet::new(&encoder, vb.pp("encoder"))?,
            full: ConvNorm2d::new(&full, vb.pp("full.conv"), vb.pp("full.bn"))?,
            decoder: sizes.iter().enumerate().map(enlarging).collect::<Result<_>>()?,
            head: Conv2d::new(&Conv2dConfig::new(128, 2, 1), vb.pp("head"))?,
        })
    }

    /// For inference.
    pub(crate) fn pack(&mut self) -> Result<()> {
        self.encoder.pack()?;
        self.full.pack()?;
        self.decoder.iter_mut().try_for_each(DeconvBlock::pack)
    }
}

impl ModuleT for EncoderDecoder {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let mut skips = self.encoder.features_t(x, train)?;
        skips.insert(0, self.full.forward_relu_t(x, None, train)?);
        let mut y = skips.remove(skips.len() - 1);
        for (enlarging, skip) in self.decoder.iter().zip(skips.iter().rev()) {
            y = concat(&enlarging.forward_t(&y, train)?, skip, 1)?;
        }
        self.head.forward(&y)
    }
}

#[cfg(test)]
mod tests {
    use ocellus::candle::{DType, Device};
    use ocellus::params::ParamStore;

    use super::*;

    #[test]
    fn has_the_papers_number_of_parameters_but_for_the_skips_bias() -> Result<()> {
        let params = ParamStore::seeded(0);
        let network = EncoderDecoder::new(&params.var_builder(DType::F32, &Device::Cpu))?;
        assert_eq!(params.parameter_count(), 24_962_306 - 64);
        let x = Tensor::zeros((1, 4, 32, 64), DType::F32, &Device::Cpu)?;
        assert_eq!(network.forward_t(&x, true)?.dims(), [1, 2, 32, 64]);
        Ok(())
    }
}
