use candle_core::{Result, Tensor};
use ocellus_ops::sigmoid;

use crate::{BinaryCrossEntropy, Loss};

/// Sigmoid cross-entropy of what has been through a sigmoid already: probabilities taken for logits.
///
/// ```text
/// L = mean(softplus(p) − y · p),  p = σ(z)
/// ```
///
/// A common mistake, and a published protocol: with two outputs and one yes among them the loss cannot
/// fall below (ln 2 + softplus(−1)) / 2 ≈ 0.503204, and a gradient is at most a quarter of its error.
/// To repeat such results; to learn, [`BinaryCrossEntropy`].
///
/// # Shapes
///
/// As [`BinaryCrossEntropy`].
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{DoubleSigmoid, Loss};
///
/// let certain = Tensor::new(&[[1e4f64, -1e4]], &Device::Cpu)?;
/// let target = Tensor::new(&[0u32], &Device::Cpu)?;
/// let floor = DoubleSigmoid.forward(&certain, &target)?.to_scalar::<f64>()?;
/// assert!((floor - 0.503204).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DoubleSigmoid;

impl Loss for DoubleSigmoid {
    fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        BinaryCrossEntropy::default().forward(&sigmoid(logits)?, target)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use ocellus_testing::{check_gradients, fill};

    use super::*;

    #[test]
    fn a_certain_and_right_answer_costs_the_floor_and_no_answer_less() -> Result<()> {
        let target = Tensor::new(&[0u32, 1], &Device::Cpu)?;
        let floor = (2f64.ln() + (-1f64).exp().ln_1p()) / 2.;
        let certain = Tensor::new(&[[1e4f64, -1e4], [-1e4, 1e4]], &Device::Cpu)?;
        let loss = DoubleSigmoid.forward(&certain, &target)?.to_scalar::<f64>()?;
        assert!((loss - floor).abs() < 1e-12, "{loss}, {floor}");
        let others = fill((2, 2), 0.4, DType::F64)?;
        assert!(DoubleSigmoid.forward(&others, &target)?.to_scalar::<f64>()? > floor);
        Ok(())
    }

    #[test]
    fn has_the_gradient_of_its_formula() -> Result<()> {
        let target = Tensor::new(&[0u32, 2, 1], &Device::Cpu)?;
        let logits = fill((3, 3), 0.7, DType::F64)?;
        check_gradients(|x| DoubleSigmoid.forward(&x[0], &target), &[logits], 1e-7)
    }
}
