use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::{Init, VarBuilder};
use ocellus_layers::{Linear, LinearBlock, LinearBlockConfig, LinearConfig, Noise};

use crate::{Vgg, VggConfig};

const POOLED: (usize, usize) = (7, 7);

/// A whole VGG network as torchvision has it: convolutions, adaptive average pooling to 7×7, two
/// hidden layers of 4096, and the classes.
///
/// ```text
/// logits = W₃ h₂ + b₃,  hᵢ = dropout(relu(Wᵢ hᵢ₋₁ + bᵢ)),  h₀ = flatten(pool(features(x)))
/// ```
///
/// # Shapes
///
/// - input: `(batch, in_channels, height, width)`, height and width at least 32
/// - output: logits `(batch, classes)`
///
/// # Parameters
///
/// - `features.N.*`: as [`Vgg`]'s
/// - `classifier.0.weight`: `(4096, 25088)`, `classifier.3.weight`: `(4096, 4096)`,
///   `classifier.6.weight`: `(classes, 4096)`, and their biases, drawn from N(0, 0.01²) and 0
///
/// (`hidden` of the configuration for 4096.) VGG16 with 1000 classes has 138,357,544. For timm's names see
/// [`TIMM_VGG_NAMES`](crate::TIMM_VGG_NAMES).
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, ModuleT, Tensor};
/// use candle_nn::VarBuilder;
/// use ocellus_backbones::{VggClassifier, VggConfig};
/// use ocellus_layers::Noise;
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let config = VggConfig::vgg11().with_channels([1, 1, 1, 1, 1]).with_classes(10);
/// let network = VggClassifier::new(&config, &Noise::seeded(1), vb)?;
/// let x = Tensor::zeros((2, 3, 32, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(network.forward_t(&x, true)?.dims(), [2, 10]);
/// assert_eq!(network.predict(&x)?.sum_all()?.to_scalar::<f32>()?.round(), 2.);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct VggClassifier {
    vgg: Vgg,
    hidden: [LinearBlock; 2],
    output: Linear,
}

impl VggClassifier {
    /// Builds the network from the parameters under `vb`; `noise` draws the dropout masks.
    ///
    /// # Errors
    ///
    /// As [`Vgg::new`], or if there are no classes or the dropout is not in [0, 1).
    pub fn new(config: &VggConfig, noise: &Noise, vb: VarBuilder) -> Result<Self> {
        let (weight, bias) = (Init::Randn { mean: 0., stdev: 0.01 }, Init::Const(0.));
        let classifier = vb.pp("classifier");
        let hidden = |index: usize, inputs: usize| {
            let block = LinearBlockConfig::new(inputs, config.hidden)
                .with_dropout(config.dropout)
                .with_weight_init(weight)
                .with_bias_init(bias);
            LinearBlock::new(&block, noise, classifier.pp(index))
        };
        let output = LinearConfig::new(config.hidden, config.classes)
            .with_weight_init(weight)
            .with_bias_init(bias);
        let pooled = config.channels[4] * POOLED.0 * POOLED.1;
        Ok(Self {
            hidden: [hidden(0, pooled)?, hidden(3, config.hidden)?],
            output: Linear::new(&output, classifier.pp(6))?,
            vgg: Vgg::new(config, vb)?,
        })
    }

    /// The convolutional part.
    #[must_use]
    pub fn backbone(&self) -> &Vgg {
        &self.vgg
    }

    /// What the convolutional part gives the classifier, `(batch, channels · 7 · 7)`: it is always the
    /// same where only the classifier is trained, and need be computed once.
    ///
    /// # Errors
    ///
    /// If the images are too small or have another number of channels.
    pub fn pooled(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        ocellus_ops::adaptive_avg_pool2d(&self.vgg.forward_t(x, train)?, POOLED)?.flatten_from(1)
    }

    /// The logits of what [`pooled`](Self::pooled) gave.
    ///
    /// # Errors
    ///
    /// If it has another number of features.
    pub fn classify(&self, pooled: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = self.hidden[0].forward_t(pooled, train)?;
        self.output.forward(&self.hidden[1].forward_t(&hidden, train)?)
    }

    /// The probability of each class, `(batch, classes)`.
    ///
    /// # Errors
    ///
    /// If the images are too small or have another number of channels.
    pub fn predict(&self, x: &Tensor) -> Result<Tensor> {
        ocellus_ops::softmax(&self.forward_t(x, false)?, 1)
    }
}

impl ModuleT for VggClassifier {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.classify(&self.pooled(x, train)?, train)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};
    use ocellus_params::{LoadConfig, ParamStore, WeightFile};
    use ocellus_testing::{assert_close, check_model, fill};

    use super::*;
    use crate::TIMM_VGG_NAMES;

    fn small() -> VggConfig {
        VggConfig::vgg11().with_channels([2, 3, 4, 5, 6]).with_hidden(8).with_classes(3)
    }

    #[test]
    fn the_classifier_conforms() -> Result<()> {
        check_model(
            |vb| VggClassifier::new(&small(), &Noise::seeded(2), vb),
            |network, x, train| network.forward_t(&x[0], train),
            &[
                vec![fill((2, 3, 32, 40), 0.1, DType::F32)?],
                vec![fill((1, 3, 64, 33), 0.2, DType::F32)?],
            ],
        )
    }

    #[test]
    fn reads_weights_under_timms_names() -> Result<()> {
        let build = |seed| -> Result<(VggClassifier, ParamStore)> {
            let store = ParamStore::seeded(seed);
            let vb = store.var_builder(DType::F32, &Device::Cpu);
            Ok((VggClassifier::new(&small(), &Noise::seeded(0), vb)?, store))
        };
        let ((one, first), (two, second)) = (build(1)?, build(2)?);
        let mut timm = HashMap::new();
        for (name, tensor) in first.tensors() {
            let pair = TIMM_VGG_NAMES
                .map(|(theirs, ours)| (theirs.replace('*', ""), ours.replace('*', "")))
                .into_iter()
                .find(|(_, ours)| name.starts_with(ours.as_str()));
            let theirs = match pair {
                Some((theirs, ours)) => name.replacen(&ours, &theirs, 1),
                None => name,
            };
            let tensor = match theirs.as_str() {
                "pre_logits.fc1.weight" => tensor.reshape((8, 6, 7, 7))?,
                "pre_logits.fc2.weight" => tensor.reshape((8, 8, 1, 1))?,
                _ => tensor,
            };
            timm.insert(theirs, tensor);
        }
        let name = format!("ocellus-timm-{}.safetensors", std::process::id());
        let file = std::env::temp_dir().join(name);
        candle_core::safetensors::save(&timm, &file)?;
        let mut config = LoadConfig::default().with_flatten(true);
        for (theirs, ours) in TIMM_VGG_NAMES {
            config = config.with_rename(theirs, ours);
        }
        second.load(&WeightFile::open(&file)?, &config)?;
        std::fs::remove_file(&file)?;
        let x = fill((1, 3, 32, 32), 0.3, DType::F32)?;
        assert_close(&two.forward_t(&x, false)?, &one.forward_t(&x, false)?, 0.)
    }
}
