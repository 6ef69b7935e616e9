use candle_core::{Result, Tensor};

use crate::{Activation, ClassReduction, Loss, target::with_dense_target};

/// A measure of the error between activated logits and target; [`LogCosh`](crate::LogCosh) and
/// [`MeanSquared`](crate::MeanSquared) are two.
///
/// ```text
/// L = mean_i e(p_i − y_i)    class mean
/// L =  Σ_i  e(p_i − y_i)    class sum
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
/// use ocellus_losses::{Activation, ClassReduction, LogCosh, MeanSquared};
///
/// assert_eq!(LogCosh::sigmoid().activation, Activation::Sigmoid);
/// assert_eq!(MeanSquared::softmax().class_sum().classes, ClassReduction::Sum);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorLoss<M> {
    /// What turns logits into what is compared.
    pub activation: Activation,
    /// Mean over the classes, or their sum.
    pub classes: ClassReduction,
    measure: M,
}

/// What an error costs, entry by entry.
pub trait Measure: Default {
    /// The cost of each entry of `error`.
    ///
    /// # Errors
    ///
    /// If a tensor operation fails.
    fn of(&self, error: &Tensor) -> Result<Tensor>;
}

impl<M: Measure> ErrorLoss<M> {
    fn new(activation: Activation) -> Self {
        Self { activation, classes: ClassReduction::Mean, measure: M::default() }
    }

    /// Between the softmax over the classes and the target.
    #[must_use]
    pub fn softmax() -> Self {
        Self::new(Activation::Softmax)
    }

    /// Between the sigmoid of each logit and the target.
    #[must_use]
    pub fn sigmoid() -> Self {
        Self::new(Activation::Sigmoid)
    }

    /// Between the logits themselves and the target: regression.
    #[must_use]
    pub fn identity() -> Self {
        Self::new(Activation::Identity)
    }

    /// Takes the mean over the classes (dimension 1), as Keras does: the default.
    #[must_use]
    pub fn class_mean(mut self) -> Self {
        self.classes = ClassReduction::Mean;
        self
    }

    /// Takes the sum over the classes (dimension 1), as papers print it.
    #[must_use]
    pub fn class_sum(mut self) -> Self {
        self.classes = ClassReduction::Sum;
        self
    }
}

impl<M: Measure> Loss for ErrorLoss<M> {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (logits, target) = with_dense_target(logits, target, self.activation)?;
        let error = (self.activation.apply(&logits)? - target)?;
        self.classes.reduce(&self.measure.of(&error)?)
    }
}
