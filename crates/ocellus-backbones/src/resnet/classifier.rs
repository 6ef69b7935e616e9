use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_layers::{Linear, LinearConfig};

use crate::{Backbone, ResNet, ResNetConfig};

/// A whole residual network as torchvision has it: the stages, their mean over the image, the classes.
///
/// ```text
/// logits = W mean(layer4(x)) + b
/// ```
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)` of any size
/// - output: logits `(batch, classes)`
///
/// # Parameters
///
/// - `conv1.*`, `bn1.*`, `layerI.J.*`: as [`ResNet`]'s
/// - `fc.weight`: `(classes, channels of the last stage)`, `fc.bias`: `(classes)`, drawn as
///   [`Linear`] does
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::{VarBuilder, VarMap};
/// use ocellus_backbones::{ResNetClassifier, ResNetConfig};
///
/// let weights = VarMap::new();
/// let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
/// let config = ResNetConfig::resnet18().with_channels(4).with_classes(10);
/// let mut network = ResNetClassifier::new(&config, vb)?;
///
/// let x = Tensor::zeros((2, 3, 32, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(network.forward_t(&x, true)?.dims(), [2, 10]);
///
/// network.pack()?; // For inference from here on.
/// assert_eq!(network.predict(&x)?.sum_all()?.to_scalar::<f32>()?.round(), 2.);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ResNetClassifier {
    resnet: ResNet,
    fc: Linear,
}

impl ResNetClassifier {
    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// As [`ResNet::new`], or if there are no classes.
    pub fn new(config: &ResNetConfig, vb: VarBuilder) -> Result<Self> {
        let resnet = ResNet::new(config, vb.clone())?;
        let channels = resnet.stages().last().map_or(0, |stage| stage.channels);
        let fc = Linear::new(&LinearConfig::new(channels, config.classes), vb.pp("fc"))?;
        Ok(Self { resnet, fc })
    }

    /// The network without its classifier.
    #[must_use]
    pub fn backbone(&self) -> &ResNet {
        &self.resnet
    }

    /// Packs the convolutions for inference: see [`ResNet::pack`].
    ///
    /// # Errors
    ///
    /// As [`ResNet::pack`].
    pub fn pack(&mut self) -> Result<()> {
        self.resnet.pack()
    }

    /// The probability of each class, `(batch, classes)`.
    ///
    /// # Errors
    ///
    /// If the images have another number of channels.
    pub fn predict(&self, x: &Tensor) -> Result<Tensor> {
        ocellus_ops::softmax(&self.forward_t(x, false)?, 1)
    }
}

impl ModuleT for ResNetClassifier {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let features = self.resnet.forward_t(x, train)?;
        self.fc.forward(&ocellus_ops::global_avg_pool2d(&features)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{check_model, fill};

    use super::*;

    #[test]
    fn the_classifier_conforms() -> Result<()> {
        let config = ResNetConfig::resnet50().with_channels(2).with_classes(3);
        check_model(
            |vb| ResNetClassifier::new(&config, vb),
            |network, x, train| network.forward_t(&x[0], train),
            &[
                vec![fill((2, 3, 32, 40), 0.1, DType::F32)?],
                vec![fill((1, 3, 65, 33), 0.2, DType::F32)?],
            ],
        )
    }

    #[test]
    fn rejects_no_classes() {
        let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
        let config = ResNetConfig::resnet18().with_channels(2).with_classes(0);
        assert!(ResNetClassifier::new(&config, vb).is_err());
    }
}
