use candle_core::{ModuleT, Result, Tensor};
use candle_nn::VarBuilder;
use ocellus_backbones::{Preprocessing, VggClassifier, VggConfig};
use ocellus_layers::Noise;
use ocellus_ops::softmax;

/// Configuration of [`Transfer`].
///
/// # Examples
///
/// ```
/// use ocellus_blood::TransferConfig;
///
/// assert_eq!(TransferConfig::paper().backbone.hidden, 4096);
/// assert_eq!(TransferConfig::tiny().with_classes(3).backbone.classes, 3);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TransferConfig {
    /// The network.
    pub backbone: VggConfig,
    /// What its convolutions expect of an image.
    pub preprocessing: Preprocessing,
    /// The seed of dropout.
    pub seed: u64,
}

impl TransferConfig {
    /// VGG16 with the Oxford weights, two layers of 4096 units, two classes.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            backbone: VggConfig::vgg16().with_classes(2),
            preprocessing: Preprocessing::caffe(),
            seed: 0,
        }
    }

    /// VGG11 with batch normalization, an eighth of the channels and layers of 256 units, to start from
    /// random weights.
    #[must_use]
    pub fn tiny() -> Self {
        let channels = [8, 16, 32, 64, 64];
        let backbone = VggConfig::vgg11().with_batch_norm(true).with_channels(channels);
        Self {
            backbone: backbone.with_hidden(256).with_classes(2),
            preprocessing: Preprocessing::torchvision(),
            seed: 0,
        }
    }

    /// Sets the number of classes.
    #[must_use]
    pub fn with_classes(mut self, classes: usize) -> Self {
        self.backbone = self.backbone.with_classes(classes);
        self
    }

    /// Sets the seed of dropout.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// VGG whose convolutions were learned on other images: the transfer learning that the paper compares
/// with.
///
/// Where its convolutions keep their weights ([`FROZEN`](Self::FROZEN)), [`features`](Self::features) of
/// an image need be computed once, and only the layers behind them are trained.
///
/// # Shapes
///
/// - input: `(batch, 3, height, width)`, 0 to 1, 32 pixels a side at least
/// - output: `(batch, classes)`, logits
///
/// # Examples
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ocellus_blood::{Transfer, TransferConfig};
/// use ocellus_params::ParamStore;
///
/// let params = ParamStore::seeded(1);
/// params.freeze(Transfer::FROZEN);
/// let vb = params.var_builder(DType::F32, &Device::Cpu);
/// let network = Transfer::new(&TransferConfig::tiny(), vb)?;
/// let features = network.features(&Tensor::full(0.5f32, (2, 3, 32, 32), &Device::Cpu)?)?;
/// assert_eq!(features.dims(), [2, 64 * 7 * 7]);
/// assert_eq!(network.classify(&features, true)?.dims(), [2, 2]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Transfer {
    network: VggClassifier,
    preprocessing: Preprocessing,
    noise: Noise,
}

impl Transfer {
    /// The pattern of the names of the weights that are kept, for `ParamStore::freeze`.
    pub const FROZEN: &'static str = "features.*";

    /// Builds the network from the parameters under `vb`.
    ///
    /// # Errors
    ///
    /// As [`VggClassifier::new`].
    pub fn new(config: &TransferConfig, vb: VarBuilder) -> Result<Self> {
        let noise = Noise::seeded(config.seed);
        let network = VggClassifier::new(&config.backbone, &noise, vb)?;
        Ok(Self { network, preprocessing: config.preprocessing, noise })
    }

    /// What draws the dropout masks: to be set to each step of a training.
    #[must_use]
    pub fn noise(&self) -> &Noise {
        &self.noise
    }

    /// What the convolutions say of images, `(batch, features)`, without a gradient.
    ///
    /// # Errors
    ///
    /// If the images are too small or have another number of channels.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        Ok(self.network.pooled(&self.preprocessing.apply(images)?, false)?.detach())
    }

    /// The logits of [`features`](Self::features).
    ///
    /// # Errors
    ///
    /// If there is another number of features.
    pub fn classify(&self, features: &Tensor, train: bool) -> Result<Tensor> {
        self.network.classify(features, train)
    }

    /// Class probabilities, `(batch, classes)`.
    ///
    /// # Errors
    ///
    /// As [`features`](Self::features).
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        softmax(&self.forward_t(images, false)?, 1)
    }
}

impl ModuleT for Transfer {
    fn forward_t(&self, images: &Tensor, train: bool) -> Result<Tensor> {
        let pooled = self.network.pooled(&self.preprocessing.apply(images)?, train)?;
        self.classify(&pooled, train)
    }
}
