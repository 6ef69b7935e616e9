use candle_core::{Result, Tensor};

use crate::{ErrorLoss, error_loss::Measure};

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
pub type MeanSquared = ErrorLoss<SquareMeasure>;

/// e²
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SquareMeasure;

impl Measure for SquareMeasure {
    fn of(&self, error: &Tensor) -> Result<Tensor> {
        error.sqr()
    }
}
