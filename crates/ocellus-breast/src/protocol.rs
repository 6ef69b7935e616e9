use crate::Objective;

/// The optimizer of a [`Protocol`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum OptimizerChoice {
    /// Keras's `RMSprop`: ε outside the root, the rate divided by `1 + decay · steps`.
    KerasRmsProp {
        /// How fast the rate falls, per batch.
        decay: f64,
    },
    /// AdamW with a cosine schedule after a linear warm-up.
    AdamWCosine {
        /// Decoupled weight decay.
        weight_decay: f64,
        /// Steps over which the rate rises from zero.
        warmup_steps: usize,
    },
}

/// How a network is trained: plain numbers, for the program that owns the training loop.
///
/// # Examples
///
/// ```
/// use ocellus_breast::Protocol;
///
/// let paper = Protocol::paper();
/// assert_eq!((paper.epochs, paper.batch_size), (250, 32));
/// assert_eq!(paper.learning_rate, 2e-6);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Protocol {
    /// The loss.
    pub objective: Objective,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// The learning rate of the backbone.
    pub learning_rate: f64,
    /// The factor on it for layers that start from random weights.
    pub head_rate_scale: f64,
    /// The optimizer.
    pub optimizer: OptimizerChoice,
    /// The largest norm of all gradients together, if they are clipped.
    pub clip_norm: Option<f64>,
    /// Whether training images are flipped, turned, shifted, scaled and re-lit.
    pub augment: bool,
    /// The share of the training images that chooses epoch and threshold.
    pub validation_fraction: f64,
    /// The share that is held out for testing where there is no cross-validation.
    pub test_fraction: f64,
    /// Whether a prediction is the mean over an image and its mirror image.
    pub mirror: bool,
}

impl Protocol {
    /// The paper's protocol: 250 epochs, batches of 32, `RMSprop(2e-6, decay = 1e-6)`, α = β = 0.5,
    /// a 75-15-10 split into training, test and validation images, no augmentation.
    ///
    /// # Deviations
    ///
    /// "Decays by 10⁻⁶ on every epoch" can only be Keras's `decay` argument, which acts on every
    /// batch: subtracting it would reach a rate of zero after two epochs.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            objective: Objective::paper(),
            epochs: 250,
            batch_size: 32,
            learning_rate: 2e-6,
            head_rate_scale: 1.,
            optimizer: OptimizerChoice::KerasRmsProp { decay: 1e-6 },
            clip_norm: None,
            augment: false,
            validation_fraction: 0.10,
            test_fraction: 0.15,
            mirror: false,
        }
    }

    /// A protocol that works on a few hundred images: AdamW with warm-up and cosine decay, new
    /// layers at twenty times the backbone's rate, augmentation, gradient clipping.
    #[must_use]
    pub fn practical() -> Self {
        Self {
            objective: Objective::paper(),
            epochs: 12,
            batch_size: 16,
            learning_rate: 1e-4,
            head_rate_scale: 20.,
            optimizer: OptimizerChoice::AdamWCosine { weight_decay: 1e-2, warmup_steps: 20 },
            clip_norm: Some(1.),
            augment: true,
            validation_fraction: 0.15,
            test_fraction: 0.20,
            mirror: true,
        }
    }

    /// A protocol for small networks that start from random weights.
    #[must_use]
    pub fn from_scratch() -> Self {
        Self { epochs: 20, learning_rate: 2e-3, head_rate_scale: 1., ..Self::practical() }
    }

    /// Sets the loss.
    #[must_use]
    pub fn with_objective(mut self, objective: Objective) -> Self {
        self.objective = objective;
        self
    }

    /// Sets the number of epochs.
    #[must_use]
    pub fn with_epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Sets the number of images a step.
    #[must_use]
    pub fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Sets the learning rate of the backbone.
    #[must_use]
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }
}
