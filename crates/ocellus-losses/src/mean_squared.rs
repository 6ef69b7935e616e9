use candle_core::{Result, Tensor};

use crate::{Activation, ClassReduction, Loss, target::dense_target};

/// The squared error between probabilities (or plain values) and target.
///
/// ```text
/// L = mean_i (p_i − y_i)²    class mean
/// L =  Σ_i  (p_i − y_i)²    class sum: the Brier score of several classes
/// ```
///
/// with p the softmax, the sigmoid or the logits themselves, averaged over the batch.
///
/// # Shapes
///
/// - logits: `(batch, classes, …)`; with the sigmoid also `(batch, 1)` and `(batch)`; any shape with
///   the identity
/// - target: class indices `(batch, …)`, or values of the logits' shape
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{Loss, MeanSquared};
///
/// let logits = Tensor::new(&[[0f64, 0.]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32], &Device::Cpu)?;
/// let loss = MeanSquared::softmax().class_sum().forward(&logits, &target)?;
/// assert_eq!(loss.to_scalar::<f64>()?, 0.5); // Two errors of 1/2.
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MeanSquared {
    /// What turns logits into what is compared.
    pub activation: Activation,
    /// Mean over the classes, or their sum.
    pub classes: ClassReduction,
}

impl MeanSquared {
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

    /// Takes the mean over the classes (dimension 1): the default.
    #[must_use]
    pub fn class_mean(mut self) -> Self {
        self.classes = ClassReduction::Mean;
        self
    }

    /// Takes the sum over the classes (dimension 1).
    #[must_use]
    pub fn class_sum(mut self) -> Self {
        self.classes = ClassReduction::Sum;
        self
    }
}

impl Loss for MeanSquared {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let target = dense_target(logits, target, self.activation)?;
        let error = (self.activation.apply(logits)? - target)?;
        self.classes.reduce(&error.sqr()?)
    }
}
