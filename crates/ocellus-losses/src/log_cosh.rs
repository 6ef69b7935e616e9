use candle_core::{Result, Tensor};

use crate::{Activation, ClassReduction, Loss, target::dense_target};

/// The logarithm of the hyperbolic cosine of the error between probabilities and target.
///
/// ```text
/// L = mean_i log cosh(p_i − y_i)    class mean, as Keras computes it
/// L =  Σ_i  log cosh(p_i − y_i)    class sum, as printed                         [1], Eq. 4
/// ```
///
/// with p the softmax or the sigmoid of the logits, averaged over the batch. Like a squared error
/// near zero and an absolute error away from it.
///
/// # Shapes
///
/// - logits: `(batch, classes, …)`; with the sigmoid also `(batch, 1)` and `(batch)`
/// - target: class indices `(batch, …)`, or probabilities of the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{LogCosh, Loss};
///
/// // p_t = 1/2 for both classes: an error of ±1/2 each.
/// let logits = Tensor::new(&[[0f64, 0.]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32], &Device::Cpu)?;
/// let mean = LogCosh::softmax().forward(&logits, &target)?.to_scalar::<f64>()?;
/// let sum = LogCosh::softmax().class_sum().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((mean - 0.5f64.cosh().ln()).abs() < 1e-12);
/// assert!((sum - 2. * mean).abs() < 1e-12);
///
/// // One sigmoid says the same as a softmax over two classes.
/// let logit = Tensor::new(&[[0f64]], &Device::Cpu)?;
/// let sigmoid = LogCosh::sigmoid().forward(&logit, &target)?.to_scalar::<f64>()?;
/// assert!((sigmoid - mean).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Deviations
///
/// The paper prints a sum over the classes, and its authors used Keras, which takes the mean: the
/// mean is the default here.
///
/// # References
///
/// 1. E. Yousef Kalafi et al. *Classification of breast cancer lesions in ultrasound images by
///    using attention layer and loss ensembles in deep convolutional neural networks.* 2021.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogCosh {
    /// What turns logits into probabilities.
    pub activation: Activation,
    /// Mean over the classes, or their sum.
    pub classes: ClassReduction,
}

impl LogCosh {
    /// Between the softmax over the classes and the target.
    #[must_use]
    pub fn softmax() -> Self {
        Self { activation: Activation::Softmax, classes: ClassReduction::Mean }
    }

    /// Between the sigmoid of each logit and the target.
    #[must_use]
    pub fn sigmoid() -> Self {
        Self { activation: Activation::Sigmoid, classes: ClassReduction::Mean }
    }

    /// Between the logits themselves and the target: regression.
    #[must_use]
    pub fn identity() -> Self {
        Self { activation: Activation::Identity, classes: ClassReduction::Mean }
    }

    /// Takes the mean over the classes (dimension 1), as Keras does: the default.
    #[must_use]
    pub fn class_mean(mut self) -> Self {
        self.classes = ClassReduction::Mean;
        self
    }

    /// Takes the sum over the classes (dimension 1), as the paper prints it.
    #[must_use]
    pub fn class_sum(mut self) -> Self {
        self.classes = ClassReduction::Sum;
        self
    }
}

impl Loss for LogCosh {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let target = dense_target(logits, target, self.activation)?;
        let error = (self.activation.apply(logits)? - target)?;
        self.classes.reduce(&ocellus_ops::log_cosh(&error)?)
    }
}
