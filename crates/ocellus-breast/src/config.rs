use ocellus_backbones::{Preprocessing, VggConfig};
use ocellus_layers::AttentionGateConfig;

use crate::Pooling;

/// Which network of the paper's comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Architecture {
    /// VGG and the fully connected head.
    Vgg,
    /// VGG whose fourth block is gated by its last: the proposed network.
    AttentionVgg,
}

impl Architecture {
    /// The name as the paper prints it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vgg => "VGG16",
            Self::AttentionVgg => "Attention-VGG16",
        }
    }

    /// A name for files: `attention-vgg`.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Vgg => "vgg",
            Self::AttentionVgg => "attention-vgg",
        }
    }
}

/// What is made of the gated features and the gating features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fusion {
    /// The gating features, upsampled, beside the gated ones; a 1×1 convolution and a ReLU; the
    /// paper's text.
    Convolution,
    /// The sum of the gated features over positions beside the mean of the gating features, as in
    /// the attention-gated Sononet.
    Pooled,
}

/// Every setting of a network of paper 1.
///
/// # Examples
///
/// ```
/// use ocellus_breast::{Architecture, Config, Pooling};
///
/// let config = Config::paper(Architecture::AttentionVgg).with_pooling(Pooling::Average);
/// assert_eq!(config.classes[config.positive], "benign");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Which network.
    pub architecture: Architecture,
    /// The convolutions.
    pub backbone: VggConfig,
    /// What the convolutions expect of an image.
    pub preprocessing: Preprocessing,
    /// A factor on the features that leave the backbone. The Oxford weights give activations of
    /// tens and hundreds; layers with fresh weights want about one.
    pub feature_scale: f64,
    /// The attention gate between the fourth block and the last.
    pub gate: AttentionGateConfig,
    /// What follows the gate.
    pub fusion: Fusion,
    /// How the head reads a feature map.
    pub pooling: Pooling,
    /// Width of each hidden layer of the head; "10 neurons", or 4096 for the paper's comparison.
    pub neurons: usize,
    /// Number of hidden layers of the head.
    pub hidden_layers: usize,
    /// Probability of dropping a hidden value of the head in training.
    pub dropout: f64,
    /// Standard deviation of the head's initial weights; PyTorch's default where absent.
    pub head_stdev: Option<f64>,
    /// Side of the square input image.
    pub image_size: usize,
    /// The names of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// The class that sensitivity, precision and ROC curves are about.
    pub positive: usize,
    /// How many layers of the backbone, counted as in torchvision's `features`, keep their weights.
    pub frozen_layers: usize,
    /// The seed of dropout.
    pub seed: u64,
}

impl Config {
    /// The paper's settings at 128²: VGG16, 10 neurons, dropout 0.5, head weights from
    /// N(0, 0.1²), **benign is the positive class**, everything is trained.
    ///
    /// # Deviations
    ///
    /// - The paper prints N(1, 0.01); a mean of 1 in a fully connected layer cannot train and the
    ///   mean here is 0.
    /// - Whether the features were flattened or averaged, and the dropout rate, are not given:
    ///   flattening (Keras's habit) and 0.5.
    /// - The positive class is inferred from Table 1; see [`TABLE_1`](crate::TABLE_1).
    #[must_use]
    pub fn paper(architecture: Architecture) -> Self {
        Self {
            architecture,
            backbone: VggConfig::vgg16(),
            preprocessing: Preprocessing::caffe(),
            feature_scale: 1.,
            gate: AttentionGateConfig::paper(512, 512),
            fusion: Fusion::Convolution,
            pooling: Pooling::Flatten,
            neurons: 10,
            hidden_layers: 2,
            dropout: 0.5,
            head_stdev: Some(0.1),
            image_size: 128,
            classes: vec!["benign".to_owned(), "malignant".to_owned()],
            positive: 0,
            frozen_layers: 0,
            seed: 0,
        }
    }

    /// Settings that suit a few hundred images and ImageNet weights: average pooling, the first
    /// three blocks frozen, **malignant is the positive class**.
    ///
    /// With [`Pooling::Attention`] the gate's map shows the lesion, at a cost in accuracy; see the
    /// page of the paper.
    #[must_use]
    pub fn practical(architecture: Architecture) -> Self {
        Self {
            feature_scale: 0.05,
            pooling: Pooling::Average,
            hidden_layers: 1,
            dropout: 0.2,
            head_stdev: None,
            positive: 1,
            frozen_layers: 17,
            ..Self::paper(architecture)
        }
    }

    /// A small network that learns from random weights within a minute on two cores: VGG11 with
    /// batch normalization and an eighth of its channels, at 64². Malignant is positive.
    #[must_use]
    pub fn tiny(architecture: Architecture) -> Self {
        Self {
            gate: AttentionGateConfig::paper(64, 64),
            backbone: VggConfig::vgg11().with_batch_norm(true).with_channels([8, 16, 32, 64, 64]),
            preprocessing: Preprocessing::torchvision(),
            feature_scale: 1.,
            image_size: 64,
            frozen_layers: 0,
            ..Self::practical(architecture)
        }
    }

    /// Sets the side of the input image.
    #[must_use]
    pub fn with_image_size(mut self, image_size: usize) -> Self {
        self.image_size = image_size;
        self
    }

    /// Sets the names of the classes and which of them is positive.
    #[must_use]
    pub fn with_classes<S: Into<String>>(
        mut self,
        classes: impl IntoIterator<Item = S>,
        positive: usize,
    ) -> Self {
        self.classes = classes.into_iter().map(Into::into).collect();
        self.positive = positive;
        self
    }

    /// Sets how the head reads a feature map.
    #[must_use]
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// Sets the width of the head's hidden layers.
    #[must_use]
    pub fn with_neurons(mut self, neurons: usize) -> Self {
        self.neurons = neurons;
        self
    }

    /// Sets the probability of dropping a hidden value.
    #[must_use]
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Sets what follows the gate.
    #[must_use]
    pub fn with_fusion(mut self, fusion: Fusion) -> Self {
        self.fusion = fusion;
        self
    }

    /// Sets how many layers of the backbone keep their weights.
    #[must_use]
    pub fn with_frozen_layers(mut self, frozen_layers: usize) -> Self {
        self.frozen_layers = frozen_layers;
        self
    }

    /// Sets the seed of dropout.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Name patterns of the frozen weights, for `ParamStore::freeze` before the model is built.
    ///
    /// ```
    /// use ocellus_breast::{Architecture, Config};
    ///
    /// let config = Config::practical(Architecture::Vgg).with_frozen_layers(2);
    /// assert_eq!(config.frozen_patterns(), ["features.0.*", "features.1.*"]);
    /// ```
    #[must_use]
    pub fn frozen_patterns(&self) -> Vec<String> {
        (0..self.frozen_layers).map(|layer| format!("features.{layer}.*")).collect()
    }
}
