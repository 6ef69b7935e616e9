use candle_core::{Result, Tensor};
use ocellus_ops::Reduction;

use crate::{Activation, Loss, target::with_dense_target};

/// Sigmoid cross-entropy, each logit a yes or no of its own.
///
/// ```text
/// L = mean(−w · y · log σ(z) − (1 − y) · log(1 − σ(z))),  w the weight of the positives
/// ```
///
/// # Shapes
///
/// - logits: any shape; `(batch, 1)` and `(batch)` for two classes
/// - target: 0 or 1, or a probability, for each logit; class indices `(batch)` with logits
///   `(batch, classes)` set one yes among the classes
/// - output: a scalar
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{BinaryCrossEntropy, Loss};
///
/// let logits = Tensor::new(&[[0f64], [1e4]], &Device::Cpu)?;
/// let target = Tensor::new(&[1u32, 1], &Device::Cpu)?;
/// let loss = BinaryCrossEntropy::default().forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((loss - 2f64.ln() / 2.).abs() < 1e-12);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BinaryCrossEntropy {
    /// A weight for the positive entries, of a shape that broadcasts to the logits'.
    pub pos_weight: Option<Tensor>,
}

impl BinaryCrossEntropy {
    /// Weighs the positive entries; the shape must broadcast to the logits'.
    #[must_use]
    pub fn with_pos_weight(mut self, weight: Tensor) -> Self {
        self.pos_weight = Some(weight);
        self
    }
}

impl Loss for BinaryCrossEntropy {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let (logits, target) = with_dense_target(logits, target, Activation::Sigmoid)?;
        ocellus_ops::binary_cross_entropy(
            &logits,
            &target,
            self.pos_weight.as_ref(),
            Reduction::Mean,
        )
    }
}
