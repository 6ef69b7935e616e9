use ocellus_losses::{CrossEntropy, DoubleSigmoid, Loss};
use serde::{Deserialize, Serialize};

/// What follows the convolutions and the hidden layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HiddenActivation {
    /// Softmax over the channels of each pixel, and over the units of a layer: the paper's text.
    Softmax,
    /// max(0, x).
    Relu,
}

/// What the two outputs mean, and the loss that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum OutputActivation {
    /// A sigmoid of each output, trained by [`DoubleSigmoid`]: what the paper's smallest loss, 0.5034,
    /// betrays.
    Sigmoid,
    /// A softmax over the classes, trained by cross-entropy.
    Softmax,
}

impl OutputActivation {
    /// The loss that the network is trained by; it takes logits.
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use ocellus_blood::OutputActivation;
    ///
    /// let certain = Tensor::new(&[[1e4f64, -1e4]], &Device::Cpu)?;
    /// let target = Tensor::new(&[0u32], &Device::Cpu)?;
    /// let loss = OutputActivation::Sigmoid.loss().forward(&certain, &target)?.to_scalar::<f64>()?;
    /// assert!((loss - 0.5034).abs() < 2e-4);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    #[must_use]
    pub fn loss(self) -> Box<dyn Loss> {
        match self {
            Self::Sigmoid => Box::new(DoubleSigmoid),
            Self::Softmax => Box::new(CrossEntropy::default()),
        }
    }
}

/// Configuration of [`Dcnn`](crate::Dcnn).
///
/// | | image | filters | hidden layers | inside | outputs |
/// | --- | --- | --- | --- | --- | --- |
/// | [`paper_literal`](Self::paper_literal) | 64² gray | 32, 64 | 512, 256, 128, 64 | softmax | a sigmoid twice |
/// | [`practical`](Self::practical) | 64² RGB | 32, 64 | 512, 256, 128, 64 | ReLU | softmax |
/// | [`tiny`](Self::tiny) | 32² RGB | 8, 16 | 64, 32, 16, 8 | ReLU | softmax |
///
/// # Examples
///
/// ```
/// use ocellus_blood::{DcnnConfig, HiddenActivation};
///
/// let config = DcnnConfig::paper_literal().with_image_size(32);
/// assert_eq!(config.hidden_activation, HiddenActivation::Softmax);
/// assert_eq!(config.flattened(), 64 * 16 * 16);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DcnnConfig {
    /// Channels of the image.
    pub in_channels: usize,
    /// Height and width of the image.
    pub image_size: usize,
    /// Filters of the two convolutions.
    pub filters: [usize; 2],
    /// Height and width of the filters; the image is padded so that it keeps its size.
    pub kernel: usize,
    /// Units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// What follows the convolutions and the hidden layers.
    pub hidden_activation: HiddenActivation,
    /// What the outputs mean.
    pub output_activation: OutputActivation,
    /// Probability of dropping what enters the hidden layers, in training.
    pub dropout: f64,
    /// The seed of dropout.
    pub seed: u64,
}

impl DcnnConfig {
    /// As the paper describes it: a softmax after the convolutions and the hidden layers, a sigmoid at
    /// the end, and the loss that takes a sigmoid once more.
    ///
    /// # Deviations
    ///
    /// Image size, filters and units stand in a table of the paper that is not legible in the copies
    /// at hand: they are ours.
    #[must_use]
    pub fn paper_literal() -> Self {
        Self {
            in_channels: 1,
            image_size: 64,
            filters: [32, 64],
            kernel: 3,
            hidden: vec![512, 256, 128, 64],
            classes: 2,
            hidden_activation: HiddenActivation::Softmax,
            output_activation: OutputActivation::Sigmoid,
            dropout: 0.,
            seed: 0,
        }
    }

    /// The same layers with activations that learn, on images in color.
    #[must_use]
    pub fn practical() -> Self {
        Self {
            in_channels: 3,
            hidden_activation: HiddenActivation::Relu,
            output_activation: OutputActivation::Softmax,
            dropout: 0.3,
            ..Self::paper_literal()
        }
    }

    /// A small one, for tests and trials.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            image_size: 32,
            filters: [8, 16],
            hidden: vec![64, 32, 16, 8],
            dropout: 0.1,
            ..Self::practical()
        }
    }

    /// Sets the channels of the image.
    #[must_use]
    pub fn with_in_channels(mut self, in_channels: usize) -> Self {
        self.in_channels = in_channels;
        self
    }

    /// Sets height and width of the image.
    #[must_use]
    pub fn with_image_size(mut self, image_size: usize) -> Self {
        self.image_size = image_size;
        self
    }

    /// Sets the filters of the two convolutions.
    #[must_use]
    pub fn with_filters(mut self, filters: [usize; 2]) -> Self {
        self.filters = filters;
        self
    }

    /// Sets height and width of the filters.
    #[must_use]
    pub fn with_kernel(mut self, kernel: usize) -> Self {
        self.kernel = kernel;
        self
    }

    /// Sets the units of the hidden layers.
    #[must_use]
    pub fn with_hidden(mut self, hidden: impl Into<Vec<usize>>) -> Self {
        self.hidden = hidden.into();
        self
    }

    /// Sets the number of classes.
    #[must_use]
    pub fn with_classes(mut self, classes: usize) -> Self {
        self.classes = classes;
        self
    }

    /// Sets what follows the convolutions and the hidden layers.
    #[must_use]
    pub fn with_hidden_activation(mut self, activation: HiddenActivation) -> Self {
        self.hidden_activation = activation;
        self
    }

    /// Sets what the outputs mean.
    #[must_use]
    pub fn with_output_activation(mut self, activation: OutputActivation) -> Self {
        self.output_activation = activation;
        self
    }

    /// Sets the probability of dropping what enters the hidden layers.
    #[must_use]
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Sets the seed of dropout.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Values that enter the first hidden layer.
    #[must_use]
    pub fn flattened(&self) -> usize {
        self.filters[1] * (self.image_size / 2).pow(2)
    }
}
