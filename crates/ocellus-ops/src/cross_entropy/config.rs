use candle_core::Tensor;

use crate::Reduction;

/// The settings of [`cross_entropy`](crate::cross_entropy).
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_ops::CrossEntropyConfig;
///
/// let config = CrossEntropyConfig::default()
///     .with_class_weights(Tensor::new(&[1f32, 2.5], &Device::Cpu)?)
///     .with_ignore_index(255);
/// assert_eq!((config.dim, config.label_smoothing), (1, 0.));
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CrossEntropyConfig {
    /// One weight a class, `(classes,)`. Default none: all 1.
    pub class_weights: Option<Tensor>,
    /// A target that is no class: its element has neither loss nor gradient. Default none.
    pub ignore_index: Option<i64>,
    /// The share ε of each target that is spread evenly over all classes, 0 to 1. Default 0.
    pub label_smoothing: f64,
    /// What becomes of the losses of the elements. Default their mean.
    pub reduction: Reduction,
    /// The dimension of the logits that holds the classes. Default 1.
    pub dim: usize,
}

impl Default for CrossEntropyConfig {
    fn default() -> Self {
        Self {
            class_weights: None,
            ignore_index: None,
            label_smoothing: 0.,
            reduction: Reduction::Mean,
            dim: 1,
        }
    }
}

impl CrossEntropyConfig {
    /// Sets one weight a class.
    #[must_use]
    pub fn with_class_weights(mut self, class_weights: Tensor) -> Self {
        self.class_weights = Some(class_weights);
        self
    }

    /// Sets the target that is no class.
    #[must_use]
    pub fn with_ignore_index(mut self, ignore_index: i64) -> Self {
        self.ignore_index = Some(ignore_index);
        self
    }

    /// Sets the share of each target that is spread over all classes.
    #[must_use]
    pub fn with_label_smoothing(mut self, label_smoothing: f64) -> Self {
        self.label_smoothing = label_smoothing;
        self
    }

    /// Sets what becomes of the losses of the elements.
    #[must_use]
    pub fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Sets the dimension that holds the classes.
    #[must_use]
    pub fn with_dim(mut self, dim: usize) -> Self {
        self.dim = dim;
        self
    }
}
