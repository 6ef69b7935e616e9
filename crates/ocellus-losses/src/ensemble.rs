use crate::{CrossEntropy, LogCosh, Loss, Weighted};

/// Cross-entropy plus log-cosh, each with its weight; made by [`ce_log_cosh`].
pub type CeLogCosh = (Weighted<CrossEntropy>, Weighted<LogCosh>);

/// The loss ensemble of cross-entropy and log-cosh over softmax probabilities.
///
/// ```text
/// L = α · L_CE + β · L_LCH                                                        [1], Eq. 5
/// ```
///
/// The paper sets α = β = 0.5. It is the tuple
/// `(CrossEntropy::default().weighted(alpha), LogCosh::softmax().weighted(beta))`; over a single
/// sigmoid, `(BinaryCrossEntropy::default().weighted(alpha), LogCosh::sigmoid().weighted(beta))`
/// gives the same value.
///
/// # Examples
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ocellus_losses::{Loss, ce_log_cosh};
///
/// let logits = Tensor::new(&[[0f64, 0.]], &Device::Cpu)?; // p_t = 0.5
/// let target = Tensor::new(&[0u32], &Device::Cpu)?;
/// let loss = ce_log_cosh(0.5, 0.5).forward(&logits, &target)?.to_scalar::<f64>()?;
/// assert!((loss - 0.406631).abs() < 1e-6);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # References
///
/// 1. E. Yousef Kalafi et al. *Classification of breast cancer lesions in ultrasound images by
///    using attention layer and loss ensembles in deep convolutional neural networks.* 2021.
#[must_use]
pub fn ce_log_cosh(alpha: f64, beta: f64) -> CeLogCosh {
    (CrossEntropy::default().weighted(alpha), LogCosh::softmax().weighted(beta))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Result, Tensor};

    use super::*;
    use crate::BinaryCrossEntropy;

    /// The probability of the true class, the ensemble with log-cosh averaged over two classes, and with its sum.
    const CASES: [(f64, f64, f64); 3] =
        [(0.5, 0.406631, 0.466688), (0.9, 0.055176, 0.057672), (0.1, 1.331208, 1.511123)];

    fn check(loss: impl Loss, logits: &[f64], target: u32, expected: f64) -> Result<()> {
        let logits = Tensor::new(logits, &Device::Cpu)?.unsqueeze(0)?;
        let target = Tensor::new(&[target], &Device::Cpu)?;
        let loss = loss.forward(&logits, &target)?.to_scalar::<f64>()?;
        assert!((loss - expected).abs() < 5e-7, "{loss}, expected {expected}");
        Ok(())
    }

    #[test]
    fn equals_the_values_of_the_softmax_form() -> Result<()> {
        for (p, mean, sum) in CASES {
            let logit = (p / (1. - p)).ln();
            check(ce_log_cosh(0.5, 0.5), &[logit, 0.], 0, mean)?;
            check(ce_log_cosh(0.5, 0.5), &[-3., logit - 3.], 1, mean)?;
            let log_cosh = LogCosh::softmax().class_sum();
            let loss = (CrossEntropy::default().weighted(0.5), log_cosh.weighted(0.5));
            check(loss, &[logit, 0.], 0, sum)?;
        }
        Ok(())
    }

    #[test]
    fn equals_the_values_of_the_sigmoid_form() -> Result<()> {
        let with = |log_cosh: LogCosh| {
            (BinaryCrossEntropy::default().weighted(0.5), log_cosh.weighted(0.5))
        };
        for (p, mean, sum) in CASES {
            let logit = (p / (1. - p)).ln();
            check(with(LogCosh::sigmoid()), &[logit], 1, mean)?;
            check(with(LogCosh::sigmoid()), &[-logit], 0, mean)?;
            // Two sigmoids that mirror each other: the sum over both classes.
            check(with(LogCosh::sigmoid()), &[logit, -logit], 0, mean)?;
            check(with(LogCosh::sigmoid().class_sum()), &[logit, -logit], 0, sum)?;
        }
        Ok(())
    }
}
