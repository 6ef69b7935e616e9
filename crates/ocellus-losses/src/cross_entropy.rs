use candle_core::{Result, Tensor};
use ocellus_ops::CrossEntropyConfig;

use crate::Loss;

/// Softmax cross-entropy over the classes.
///
/// ```text
/// L = −Σ_i y_i · log softmax(logits)_i                                            [1], Eq. 3
/// ```
///
/// averaged over the batch (and over the positions of an image) as PyTorch's `CrossEntropyLoss`
/// does: with class weights, or an ignore index, by the sum of the weights that took part.
///
/// # Shapes
///
/// - logits: `(batch, classes, …)`
/// - target: class indices `(batch, …)`, or probabilities of the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{CrossEntropy, Loss};
///
/// let logits = Tensor::new(&[[0f64, 0.], [1e4, -1e4]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let loss = CrossEntropy::default().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((loss - 2f64.ln() / 2.).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. E. Yousef Kalafi et al. *Classification of breast cancer lesions in ultrasound images by
///    using attention layer and loss ensembles in deep convolutional neural networks.* 2021.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CrossEntropy {
    /// A weight for each class, `(classes)`.
    pub class_weights: Option<Tensor>,
    /// The class index that does not count.
    pub ignore_index: Option<i64>,
    /// How much of the probability is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
}

impl CrossEntropy {
    /// Weighs the classes, `(classes)`.
    #[must_use]
    pub fn with_class_weights(mut self, weights: Tensor) -> Self {
        self.class_weights = Some(weights);
        self
    }

    /// Leaves out the samples or pixels of that class index.
    #[must_use]
    pub fn with_ignore_index(mut self, index: i64) -> Self {
        self.ignore_index = Some(index);
        self
    }

    /// Spreads that much of the target's probability evenly over all classes.
    #[must_use]
    pub fn with_label_smoothing(mut self, smoothing: f64) -> Self {
        self.label_smoothing = smoothing;
        self
    }
}

impl Loss for CrossEntropy {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let mut config = CrossEntropyConfig::default();
        config.class_weights.clone_from(&self.class_weights);
        config.ignore_index = self.ignore_index;
        config.label_smoothing = self.label_smoothing;
        ocellus_ops::cross_entropy(logits, target, &config)
    }
}
